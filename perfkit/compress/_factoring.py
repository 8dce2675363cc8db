"""Dense and convolutional layers as two layers of fewer weights."""

import dataclasses
from typing import Any

import keras
import numpy as np

from perfkit.graph.arrays import exact
from perfkit.graph.watching import around_calls

_layers = keras.layers
CONVOLUTIONS = (_layers.Conv1D, _layers.Conv2D, _layers.Conv3D)
KINDS = (_layers.Dense, *CONVOLUTIONS)


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """The kernel of a layer as a matrix for each group, whose rank is reduced.

    Attributes:
        layer: The layer.
        spatial: Whether the matrix goes from columns of places to rows of them, and
            not from all places and inputs to outputs.
    """

    layer: Any
    spatial: bool

    @property
    def groups(self) -> int:
        """How many groups of channels do not see each other."""
        return getattr(self.layer, "groups", 1)

    def matrices(self) -> np.ndarray:
        """Return the kernel as `(groups, rows, columns)`, float64."""
        kernel = exact(self.layer.kernel)
        parts = np.split(kernel, self.groups, axis=-1)
        if self.spatial:
            height, width, ins, outs = parts[0].shape
            parts = [part.transpose(0, 2, 1, 3) for part in parts]
            return np.stack([x.reshape(height * ins, width * outs) for x in parts])
        return np.stack([part.reshape(-1, part.shape[-1]) for part in parts])

    def kernels(self, left, right) -> tuple[np.ndarray, np.ndarray]:
        """Return the kernels of two layers in a row from their matrices."""
        shape, rank = self.layer.kernel.shape, left.shape[-1]
        first, second = [*shape[:-1], rank], [1] * (len(shape) - 2) + [rank, -1]
        if self.spatial:
            height, width, ins, _ = shape
            first = [height, 1, ins, rank]
            right = [x.reshape(1, rank, width, -1).transpose(0, 2, 1, 3) for x in right]
            second = [1, width, rank, right[0].shape[-1]]
        parts = [x.reshape(first) for x in left], [x.reshape(second) for x in right]
        return np.concatenate(parts[0], axis=-1), np.concatenate(parts[1], axis=-1)

    def layers(self, rank, name) -> list[Any]:
        """Return two layers that are called one after the other, not built.

        Args:
            rank: Of each group.
            name: That of the first one; the second one has the name of the layer.
        """
        config = self.layer.get_config()
        first = {**config, "name": name, "use_bias": False, "activation": None}
        first["activity_regularizer"] = None
        second = dict(config)
        if isinstance(self.layer, CONVOLUTIONS):
            first["filters"] = rank * self.groups
            size, strides, dilation = (
                config[key] for key in ("kernel_size", "strides", "dilation_rate")
            )
            ones = (1,) * len(size)
            if self.spatial:
                for k, part in enumerate((first, second)):
                    part["kernel_size"] = _kept(size, k)
                    part["strides"] = _kept(strides, k)
                    part["dilation_rate"] = _kept(dilation, k)
            else:
                second |= {"kernel_size": ones, "strides": ones, "dilation_rate": ones}
                second["padding"] = "valid"
        else:
            first["units"] = rank
        return [type(self.layer).from_config(each) for each in (first, second)]


def second_moments(model, layers, batches, bar) -> list[np.ndarray]:
    """Return the second moments of what layers return without bias and activation.

    Args:
        model: A model that holds them.
        layers: Dense layers and convolutions.
        batches: Inputs of the model, a list.
        bar: Function without arguments, called after each batch.

    Returns:
        `(groups, outputs, outputs)` for each layer, sums and not means.
    """
    found: list[Any] = [0.0 for _ in layers]

    def see(place, call, inputs, *arguments, **named):
        found[place] = found[place] + _of_outputs(layers[place], inputs)
        return call(inputs, *arguments, **named)

    with around_calls(layers, see):
        for batch in batches:
            model(batch, training=False)
            bar()
    return found


def _of_outputs(layer, inputs) -> np.ndarray:
    if isinstance(layer, CONVOLUTIONS):
        outputs = exact(layer.convolution_op(inputs, layer.kernel))
        if layer.data_format == "channels_first":
            outputs = np.moveaxis(outputs, 1, -1)
    else:
        outputs = exact(keras.ops.matmul(inputs, layer.kernel))
    groups = getattr(layer, "groups", 1)
    columns = outputs.reshape(-1, groups, outputs.shape[-1] // groups)
    return np.einsum("ngi,ngj->gij", columns, columns, optimize=True)


def _kept(sizes, axis) -> tuple[int, ...]:
    """Sizes of which all but one become 1."""
    return tuple(size if k == axis else 1 for k, size in enumerate(sizes))
