"""Feature maps that learn from coarser and from finer ones."""

import keras

from perfkit.layers.detection.fpn import FPN
from perfkit.layers.detection.neck import Neck
from perfkit.ops import pyramids


@keras.saving.register_keras_serializable(package="perfkit")
class PAN(Neck):
    """Add to each map of an `FPN` the finer ones, from the finest up.

    A convolution with stride 2 brings a map to the size of the next one, and one of 3
    follows the sum, each with a ReLU. So what is seen in fine maps, where objects end,
    reaches the coarse ones on a short way.

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
        >>> [tuple(x.shape) for x in PAN(5)(maps)]
        [(1, 8, 8, 5), (1, 4, 4, 5)]

    Reference: Liu et al., Path Aggregation Network for Instance Segmentation, 2018,
        arXiv 1803.01534. Its pooling of regions is for detectors of two stages.
    """

    def prepare(self, channels):
        self.top_down = FPN(
            self.filters,
            normalization=self.normalization,
            extra_levels=self.extra_levels,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="top_down",
        )
        self.top_down.build([(None, None, None, count) for count in channels])
        steps = range(1, len(channels) + self.extra_levels)
        self.down = [
            self.convolution(
                self.filters, strides=2, activation="relu", name=f"down_{number}"
            )
            for number in steps
        ]
        self.smooth = [
            self.convolution(self.filters, activation="relu", name=f"output_{number}")
            for number in steps
        ]

    def mix(self, maps, training):
        finer, *coarser = self.top_down(maps, training=training)
        mixed = [finer]
        for down, convolve, x in zip(self.down, self.smooth, coarser, strict=True):
            smaller = pyramids.cropped(down(mixed[-1], training=training), x)
            mixed.append(convolve(x + smaller, training=training))
        return mixed
