"""Levels of a pyramid averaged by learned weights."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.fusion import _maps
from perfkit.fusion.fusion import Fusion
from perfkit.ops import modalities


@keras.saving.register_keras_serializable(package="perfkit")
class WeightedPyramid(Fusion):
    """Average levels, or predictions, by learned weights of at least 0.

    Maps are resized to the size of the first one. The weights begin alike; those of
    absent levels do not count.

    Args:
        interpolation: `"nearest"`, `"bilinear"` or `"bicubic"`.
        epsilon: Added to the sum of the weights. Above 0.
        data_format: `"channels_last"` or `"channels_first"`; `None` for Keras's own
            setting.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, height, width, channels)` each, or channels first, of as many channels;
        or any other tensors that are all alike. The shape of the first one out.

    Raises:
        ValueError: If an argument is out of bounds, or shapes do not fit.

    Example:
        >>> import numpy as np
        >>> layer = WeightedPyramid(epsilon=1e-7)
        >>> levels = [np.array([[1.0]]), np.array([[5.0]])]
        >>> round(float(layer(levels)[0, 0]), 4)
        3.0
        >>> layer.set_weights([np.array([3.0, 1.0])])
        >>> round(float(layer(levels)[0, 0]), 4)
        2.0

    Reference: Tan et al., EfficientDet, 2019, arXiv 1911.09070, fast normalized fusion.
    """

    def __init__(
        self, *, interpolation="nearest", epsilon=1e-4, data_format=None, **kwargs
    ):
        super().__init__(**kwargs)
        owner = "WeightedPyramid"
        kinds = ("bilinear", "nearest", "bicubic")
        self.interpolation = _check.one_of(owner, "interpolation", interpolation, kinds)
        self.epsilon = _check.positive(owner, "epsilon", epsilon)
        self.data_format = _check.data_format(owner, data_format)

    def build_of(self, shapes):
        axis = _maps.channel_axis(self.data_format)
        first = shapes[0]
        for shape in shapes[1:]:
            fits = len(shape) == len(first) and shape[axis] == first[axis]
            if not fits or (len(shape) != 4 and shape[1:] != first[1:]):
                expected = "maps of as many channels, or tensors that are all alike"
                _check.fail("WeightedPyramid", "inputs", expected, shapes)
        self.factors = self.add_weight(
            shape=(len(shapes),), initializer="ones", name="factors"
        )

    def fuse(self, parts, seen):
        if len(parts[0].shape) == 4:
            size = tuple(_maps.size_of(parts[0], self.data_format))
            form = (size, self.interpolation, self.data_format)
            parts = [_maps.resized(x, *form) for x in parts]
        weights = ops.relu(modalities.wide(self.factors))[None]
        if seen.table is not None:
            weights = weights * ops.cast(seen.table, weights.dtype)
        total = ops.sum(weights, axis=-1, keepdims=True) + self.epsilon
        weights = weights / total
        ones = (1,) * (len(parts[0].shape) - 1)
        joined = sum(
            modalities.wide(x) * ops.reshape(weights[:, number], (-1, *ones))
            for number, x in enumerate(parts)
        )
        return ops.cast(joined, self.compute_dtype)

    def shape_of(self, shapes):
        return shapes[0]
