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
        spatial: Whether its rows are (kernel height, inputs) and its columns (kernel
            width, outputs), for one layer over columns and one over rows. Else its rows
            are all places and inputs, and its columns are outputs.
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

    def layers(self, rank, name, *, use_bias) -> list[Any]:
        """Return two layers that are called one after the other, not built.

        Args:
            rank: Of each group.
            name: That of the first one; the second one has the name of the layer.
            use_bias: Whether the second one has a bias.
        """
        config = self.layer.get_config()
        first = {**config, "name": name, "use_bias": False, "activation": None}
        first["activity_regularizer"] = None
        second = {**config, "use_bias": use_bias}
        if isinstance(self.layer, CONVOLUTIONS):
            first["filters"] = rank * self.groups
            for key in ("kernel_size", "strides", "dilation_rate"):
                if self.spatial:
                    first[key], second[key] = (_kept(config[key], k) for k in (0, 1))
                else:
                    second[key] = _kept(config[key], None)
        else:
            first["units"] = rank
        return [type(self.layer).from_config(each) for each in (first, second)]


@dataclasses.dataclass(eq=False)
class Outputs:
    """What a layer returns on data, without bias and activation: running sums.

    Attributes:
        count: Of how many.
        sums: `(groups, outputs)`.
        products: `(groups, outputs, outputs)`.
    """

    count: int = 0
    sums: Any = 0.0
    products: Any = 0.0

    def add(self, columns):
        """Add `(count, groups, outputs)`."""
        self.count += len(columns)
        self.sums = self.sums + columns.sum(axis=0)
        products = np.einsum("ngi,ngj->gij", columns, columns, optimize=True)
        self.products = self.products + products

    @property
    def mean(self) -> np.ndarray:
        """Mean of each output, `(groups, outputs)`."""
        return self.sums / self.count

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the outputs of each group."""
        mean = self.mean
        return self.products / self.count - mean[:, :, None] * mean[:, None]


def seen_outputs(model, layers, batches, bar) -> list[Outputs]:
    """Return what layers return on data.

    Args:
        model: A model that holds them.
        layers: Dense layers and convolutions.
        batches: Inputs of the model, a list.
        bar: Function without arguments, called after each batch.
    """
    found = [Outputs() for _ in layers]

    def see(place, call, inputs, *arguments, **named):
        found[place].add(_columns(layers[place], inputs))
        return call(inputs, *arguments, **named)

    with around_calls(layers, see):
        for batch in batches:
            model(batch, training=False)
            bar()
    return found


def _columns(layer, inputs) -> np.ndarray:
    if isinstance(layer, CONVOLUTIONS):
        outputs = exact(_convolved(layer, inputs))
        if layer.data_format == "channels_first":
            outputs = np.moveaxis(outputs, 1, -1)
    else:
        outputs = exact(keras.ops.matmul(inputs, layer.kernel))
    groups = getattr(layer, "groups", 1)
    return outputs.reshape(-1, groups, outputs.shape[-1] // groups)


def _convolved(layer, inputs) -> Any:
    """What the layer makes of its inputs without bias and activation."""
    padding = layer.padding
    if padding == "causal":  # which is a matter of `Conv1D`, not of the backend
        before = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
        time = 2 if layer.data_format == "channels_first" else 1
        widths = [(before if axis == time else 0, 0) for axis in range(3)]
        inputs, padding = keras.ops.pad(inputs, widths), "valid"
    return keras.ops.conv(
        inputs,
        layer.kernel,
        strides=layer.strides,
        padding=padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def _kept(sizes, axis) -> tuple[int, ...]:
    """Return sizes with 1 on all axes but one."""
    return tuple(size if k == axis else 1 for k, size in enumerate(sizes))
