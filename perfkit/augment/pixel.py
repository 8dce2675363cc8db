"""The family of operations that change pixel values in any other way."""

from perfkit._backend import ops
from perfkit.augment.operation import Operation


class PixelAugment(Operation):
    """Change pixel values; masks, boxes, keypoints and labels stay.

    Args:
        **kwargs: See `Operation` (`rate`, `seed`, ...).
    """

    def pixels(self, images, params):
        """Operation: return new images, from float32 NHWC.

        `params` come in shape `(batch, 1, 1, 1)`, one for each image.
        """
        raise NotImplementedError

    def transform(self, canvas, params):
        params, applied = params
        canvas.settle()
        spread = {
            name: canvas.per_image(value)[:, None, None, None]
            for name, value in params.items()
        }
        images = self.pixels(canvas.images, spread)
        if applied is not None:
            applied = canvas.per_image(applied)[:, None, None, None]
            images = ops.where(applied, images, canvas.images)
        canvas.images = images
