"""The family of operations that change pixel values in any other way."""

from typing import Any

from perfkit.augment.filter import Filter
from perfkit.augment.image import ImageAugment


class PixelAugment(ImageAugment):
    """Change pixel values; masks, boxes, keypoints and labels stay.

    Args:
        **kwargs: See `ImageAugment` (`rate`, `seed`, ...).
    """

    counts_channels = False  # whether the number of channels must be known
    joins_frames = False  # whether a video is one image, its frames below each other
    pointwise = False  # whether a new value depends on the old one alone
    value_range: Any = None  # (low, high)
    of_bytes: Any = None  # see `Filter`, as for `prepare`
    prepare: Any = None
    writes = False
    amplifies = False

    @property
    def result_range(self):
        """Family: `(low, high)` of the results, or `None` if as that of the input."""
        return self.value_range

    def pixels(self, images, params):
        """Operation: return new images, from float32 NHWC.

        `params` come in shape `(batch, 1, 1, 1)`, one for each image.
        """
        raise NotImplementedError

    def transform(self, canvas, params, chosen):
        if self.counts_channels:
            canvas.check_channels(self.name)
        canvas.change(
            Filter(
                self.pixels,
                self.joins_frames,
                self.pointwise,
                self.result_range,
                self.of_bytes,
                self.prepare,
                self.writes,
                self.amplifies,
            ),
            params,
            chosen,
        )
