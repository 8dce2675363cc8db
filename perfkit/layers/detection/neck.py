"""The family of layers that mix feature maps of several sizes."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.layers.attention._parts import part
from perfkit.layers.detection._convolution import Convolution


class Neck(Configured, keras.layers.Layer):
    """Mix feature maps of several sizes, so that each knows what all have seen.

    Maps come in a list, finest first, each half as large as the one before, rounded up
    or down. Sizes need not be known before the program runs; then they are taken to be
    rounded up, as strides with `padding="same"` do.

    Args:
        filters: Channels of every map out. At least 1.
        normalization: What follows each convolution: `"batch"`, `"group"` or `None`.
        extra_levels: Maps to add behind the coarsest one, each half as large as the one
            before, rounded up. At least 0.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's own.
        **kwargs: See `keras.layers.Layer`.
    """

    def __init__(
        self,
        filters=256,
        *,
        normalization=None,
        extra_levels=0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.filters = _check.integer(owner, "filters", filters)
        if normalization is not None:
            _check.one_of(owner, "normalization", normalization, ("batch", "group"))
        self.normalization = normalization
        self.extra_levels = _check.integer(owner, "extra_levels", extra_levels, 0)
        self.data_format = _check.data_format(owner, data_format)

    def prepare(self, channels) -> None:
        """Operation: make the weights for maps of so many channels, a list."""
        raise NotImplementedError

    def mix(self, maps, training) -> Any:
        """Operation: mixed maps, those of `extra_levels` too.

        Args:
            maps: A list of `(batch, height, width, channels)`, whatever the format.
            training: Whether the layer is being trained, or `None`.

        Returns:
            A list of `(batch, height, width, filters)`.
        """
        raise NotImplementedError

    def part(self, kind, *shape, **arguments) -> Any:
        """Make and build an inner layer for samples of `shape`."""
        return part(self, kind, shape, **arguments)

    def convolution(self, channels, kernel_size=3, **arguments) -> Any:
        """Make and build a convolution with `filters` and what follows it."""
        arguments.setdefault("normalization", self.normalization)
        return self.part(
            Convolution,
            *(None, None, channels),
            filters=self.filters,
            kernel_size=kernel_size,
            **arguments,
        )

    def build(self, input_shape):
        shapes = _shapes(type(self).__name__, input_shape)
        axis = 1 if self._first else -1
        self.prepare([shape[axis] for shape in shapes])

    def call(self, inputs, training=None):
        maps = [ops.moveaxis(x, 1, -1) if self._first else x for x in inputs]
        maps = self.mix(maps, training)
        return [ops.moveaxis(x, -1, 1) if self._first else x for x in maps]

    @property
    def _first(self):
        return self.data_format == "channels_first"

    def compute_output_shape(self, input_shape):
        shapes, places = [], []
        for shape in _shapes(type(self).__name__, input_shape):
            places = shape[2:] if self._first else shape[1:-1]
            shapes.append(places)
        for _ in range(self.extra_levels):
            places = [None if size is None else -(-size // 2) for size in places]
            shapes.append(places)
        batch = input_shape[0][0]
        if self._first:
            return [(batch, self.filters, *places) for places in shapes]
        return [(batch, *places, self.filters) for places in shapes]


def _shapes(owner, shapes):
    several = isinstance(shapes, (list, tuple)) and all(
        isinstance(shape, (list, tuple)) and len(shape) == 4 for shape in shapes
    )
    if not several or not shapes:
        expected = "a list of feature maps with four axes each, finest first"
        _check.fail(owner, "inputs", expected, shapes)
    return shapes
