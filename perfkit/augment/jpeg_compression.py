"""JPEG compression."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import jpeg
from perfkit.ops.host import filters as host


@keras.saving.register_keras_serializable(package="perfkit")
class JPEGCompression(PixelAugment):
    """Give each image the losses of a JPEG file of random quality.

    The first three channels are red, green and blue; further ones (alpha, depth)
    stay. With fewer, each channel is compressed as a grey image. Pixels come out as
    one of 256 levels of the value range.

    Args:
        quality: Quality as libjpeg, PIL and OpenCV count it, or `(low, high)` to draw
            it from, both included, per sample. Whole numbers within [1, 100].
        value_range: `(low, high)` of the pixel values.
        seed: See `Augment`.
        chroma_subsampling: Whether colours are kept at half the height and width
            (4:2:0), as most encoders do.
        **kwargs: See `PixelAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `quality` is not an ordered pair of whole numbers within
            bounds.

    Example:
        >>> import numpy as np
        >>> image = np.full((8, 8, 1), 100.0)
        >>> image[0, 0] = 140.0
        >>> flat = JPEGCompression(quality=5)(image)  # where detail is lost
        >>> np.unique(keras.ops.convert_to_numpy(flat)).tolist()
        [108.0]

    Reference: ITU-T T.81, 1992. What comes out is what libjpeg makes of it, to the bit.
    """

    counts_channels = True

    def __init__(
        self,
        quality=(30, 95),
        value_range=(0, 255),
        seed=None,
        *,
        chroma_subsampling=True,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        owner = "JPEGCompression"
        self.quality = _check.whole_or_span(owner, "quality", quality, 1, 100)
        self.value_range = _check.value_range(owner, value_range)
        self.chroma_subsampling = _check.boolean(
            owner, "chroma_subsampling", chroma_subsampling
        )

    def parameters(self, rng):
        low, high = self.quality
        return {"quality": ops.cast(rng.integers(low, high + 1), "float32")}

    def pixels(self, images, params):
        low, high = self.value_range
        levels = (images - low) * (255.0 / (high - low))
        quality = params["quality"][:, 0, 0, 0]
        if images.shape[-1] < 3:
            levels = jpeg.compress_gray(levels, quality)
            return levels * ((high - low) / 255.0) + low
        rgb, rest = levels[..., :3], images[..., 3:]
        rgb = jpeg.compress_rgb(rgb, quality, self.chroma_subsampling)
        rgb = rgb * ((high - low) / 255.0) + low
        return ops.concatenate([rgb, rest], axis=-1)

    def of_bytes(self, image, params):
        return host.jpeg(image, params["quality"], self.chroma_subsampling)
