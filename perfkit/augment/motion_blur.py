"""Motion blur."""

import keras

from perfkit import _check
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import blur
from perfkit.ops.host import filters as host


@keras.saving.register_keras_serializable(package="perfkit")
class MotionBlur(PixelAugment):
    """Blur each image along a line of random length, angle and direction.

    The border is mirrored in the outermost pixels.

    Args:
        kernel_size: Longest line, in pixels. Odd, within [3, 101]. The length is
            uniform from 3 to here, drawn per sample.
        angle: Half-width, or `(low, high)`, of the uniform angle of the line, drawn
            per sample. Fraction of a full turn, counter-clockwise. Within [-1, 1].
        direction: Half-width, or `(low, high)`, of the uniform slant of the weights
            along the line, drawn per sample. Within [-1, 1]: at 0 they are equal,
            at 1 and -1 they fall linearly to nothing at one end of the line.
        seed: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `kernel_size` is not odd, or `angle` or `direction` is not an
            ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[0.0], [0.0], [90.0], [0.0], [0.0]]])
        >>> level = MotionBlur(kernel_size=3, angle=(0, 0), direction=(0, 0))
        >>> np.round(keras.ops.convert_to_numpy(level(image))[0, :, 0]).tolist()
        [0.0, 30.0, 30.0, 30.0, 0.0]

    Reference: none (standard). `direction` as in Jung et al., imgaug, 2020; the line
        is interpolated, so that no two angles are alike.
    """

    def __init__(self, kernel_size=7, angle=0.5, direction=1.0, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.kernel_size = _check.odd("MotionBlur", "kernel_size", kernel_size, 3, 101)
        self.angle = _check.span("MotionBlur", "angle", angle, -1.0, 1.0)
        self.direction = _check.span("MotionBlur", "direction", direction, -1.0, 1.0)

    def parameters(self, rng):
        return {
            "length": rng.uniform(3.0, self.kernel_size),
            "turns": rng.uniform(*self.angle),
            "direction": rng.uniform(*self.direction),
        }

    def pixels(self, images, params):
        return blur.motion(
            images,
            params["turns"],
            params["direction"],
            params["length"],
            self.kernel_size,
        )

    def prepare(self, params, height, width):
        numbers = params["turns"], params["direction"], params["length"]
        return {"kernel": host.lines(*numbers, self.kernel_size)}

    def of_bytes(self, image, params):
        return host.motion(image, params["kernel"])
