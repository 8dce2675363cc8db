"""Feature maps that learn from coarser ones."""

import keras

from perfkit._backend import ops
from perfkit.layers.detection.neck import Neck
from perfkit.ops import pyramids


@keras.saving.register_keras_serializable(package="perfkit")
class FPN(Neck):
    """Add to each map the coarser ones, enlarged, from the coarsest down.

    A convolution of 1 makes `filters` channels of each map, and one of 3 follows the
    sum. Each of `extra_levels` is a convolution with stride 2 of the map before it,
    with a ReLU between two of them.

    Args:
        filters: See `Neck`.
        **kwargs: See `Neck` (`normalization`, `extra_levels`, `data_format`).

    Shape:
        A list of `(batch, height, width, channels)`, finest first, or channels first;
        a list of the same sizes with `filters` channels out, and `extra_levels` more.

    Raises:
        ValueError: If an argument is out of bounds, or inputs are no list of maps.

    Example:
        >>> import numpy as np
        >>> maps = [np.ones((1, 8, 8, 3)), np.ones((1, 4, 4, 6))]
        >>> [tuple(x.shape) for x in FPN(5, extra_levels=1)(maps)]
        [(1, 8, 8, 5), (1, 4, 4, 5), (1, 2, 2, 5)]

    Reference: Lin et al., Feature Pyramid Networks for Object Detection, 2016, arXiv
        1612.03144; extra levels as in RetinaNet, 2017, arXiv 1708.02002.
    """

    def prepare(self, channels):
        self.lateral = [
            self.convolution(count, 1, name=f"lateral_{number}")
            for number, count in enumerate(channels)
        ]
        self.smooth = [
            self.convolution(self.filters, name=f"output_{number}")
            for number in range(len(channels))
        ]
        self.extra = [
            self.convolution(self.filters, strides=2, name=f"extra_{number}")
            for number in range(self.extra_levels)
        ]

    def mix(self, maps, training):
        maps = [
            convolve(x, training=training)
            for convolve, x in zip(self.lateral, maps, strict=True)
        ]
        for number in reversed(range(len(maps) - 1)):
            coarser = pyramids.enlarged(maps[number + 1], maps[number])
            maps[number] = maps[number] + coarser
        maps = [
            convolve(x, training=training)
            for convolve, x in zip(self.smooth, maps, strict=True)
        ]
        for number, convolve in enumerate(self.extra):
            before = ops.relu(maps[-1]) if number else maps[-1]
            maps.append(convolve(before, training=training))
        return maps
