"""The family of operations that change pixel values in any other way."""

from perfkit.augment.image import ImageAugment


class PixelAugment(ImageAugment):
    """Change pixel values; masks, boxes, keypoints and labels stay.

    Args:
        **kwargs: See `ImageAugment` (`rate`, `seed`, ...).
    """

    def pixels(self, images, params):
        """Operation: return new images, from float32 NHWC.

        `params` come in shape `(batch, 1, 1, 1)`, one for each image.
        """
        raise NotImplementedError

    def transform(self, canvas, params, chosen):
        canvas.change(self.pixels, params, chosen)
