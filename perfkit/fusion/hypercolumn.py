"""Feature maps of several levels, at one size."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.fusion import _maps
from perfkit.fusion.fusion import Fusion

MAPS = {4: "(batch, height, width, channels), or channels first"}


@keras.saving.register_keras_serializable(package="perfkit")
class Hypercolumn(Fusion):
    """Resize feature maps of several levels to one size, and join their channels.

    Args:
        size: Height and width, or `None` for those of the first map.
        interpolation: `"bilinear"`, `"nearest"` or `"bicubic"`.
        data_format: `"channels_last"` or `"channels_first"`; `None` for Keras's own
            setting.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, height, width, channels)` each, or channels first; the same with all
        channels out.

    Raises:
        ValueError: If an argument is out of bounds, or an input is no map.

    Example:
        >>> import numpy as np
        >>> fine, coarse = np.zeros((1, 4, 4, 1)), np.ones((1, 2, 2, 1))
        >>> column = Hypercolumn(data_format="channels_last")([fine, coarse])
        >>> keras.ops.convert_to_numpy(column)[0, 0, 0].tolist()
        [0.0, 1.0]

    Reference: Hariharan et al., Hypercolumns for Object Segmentation and Fine-grained
        Localization, 2015, arXiv 1411.5752.
    """

    ranks = MAPS

    def __init__(
        self, size=None, *, interpolation="bilinear", data_format=None, **kwargs
    ):
        super().__init__(**kwargs)
        owner = "Hypercolumn"
        if size is not None:
            size = _check.whole_numbers(owner, "size", size, 2, 1, 2**16)
        self.size = size
        kinds = ("bilinear", "nearest", "bicubic")
        self.interpolation = _check.one_of(owner, "interpolation", interpolation, kinds)
        self.data_format = _check.data_format(owner, data_format)

    def fuse(self, parts, seen):
        size = self.size or tuple(_maps.size_of(parts[0], self.data_format))
        parts = [
            _maps.resized(x, size, self.interpolation, self.data_format) for x in parts
        ]
        return ops.concatenate(parts, axis=_maps.channel_axis(self.data_format))

    def shape_of(self, shapes):
        axis = _maps.channel_axis(self.data_format)
        first = list(shapes[0])
        first[axis] = sum(shape[axis] for shape in shapes)
        size = self.size
        return (
            _maps.resized_shape(first, size, self.data_format) if size else tuple(first)
        )
