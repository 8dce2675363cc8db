"""The family of operations that change pixel values in any other way."""

from perfkit._backend import ops
from perfkit.augment.operation import Operation


class PixelAugment(Operation):
    """Change pixel values; masks, boxes, keypoints and labels stay.

    Args:
        **kwargs: See `Operation` (`rate`, `seed`, ...).
    """

    counts_channels = False  # whether the number of channels must be known
    joins_frames = False  # whether a video is one image, its frames below each other

    def pixels(self, images, params):
        """Operation: return new images, from float32 NHWC.

        `params` come in shape `(batch, 1, 1, 1)`, one for each image.
        """
        raise NotImplementedError

    def transform(self, canvas, params):
        params, applied = params
        if self.counts_channels:
            self.count_channels(canvas)
        canvas.settle()
        images, shape = canvas.images, ops.shape(canvas.images)
        joined = self.joins_frames and canvas.frames is not None
        if joined:
            images = ops.reshape(images, (canvas.samples, -1, *shape[2:]))
        else:
            params = {name: canvas.per_image(value) for name, value in params.items()}
        spread = {name: value[:, None, None, None] for name, value in params.items()}
        images = self.pixels(images, spread)
        if joined:
            images = ops.reshape(images, shape)
        if applied is not None:
            applied = canvas.per_image(applied)[:, None, None, None]
            images = ops.where(applied, images, canvas.images)
        canvas.images = images
