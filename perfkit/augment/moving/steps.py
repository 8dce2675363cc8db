"""Layers that only translations need, as no public one does exactly this."""

import keras

from perfkit import _check
from perfkit.augment.color import ColorAugment
from perfkit.augment.geometric import GeometricAugment, center, want_squares
from perfkit.ops import affine, color


@keras.saving.register_keras_serializable(package="perfkit")
class Mirror(GeometricAugment):
    """Mirror each image, always the same way.

    Args:
        axis: `"horizontal"`, left to right; `"vertical"`, upside down; or
            `"diagonal"`, which swaps rows and columns of square images.
        seed: See `Augment`; only `rate` draws.
        **kwargs: See `GeometricAugment` (`rate`, ...).

    Raises:
        ValueError: If `axis` is none of the three; at the call, if images are not
            square and `axis` is `"diagonal"`.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[1.0], [2.0], [3.0]]])
        >>> np.array(Mirror("horizontal")(image)).ravel().tolist()
        [3.0, 2.0, 1.0]
    """

    def __init__(self, axis, *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        axes = ("horizontal", "vertical", "diagonal")
        self.axis = _check.one_of("Mirror", "axis", axis, axes)

    def parameters(self, rng):
        return {}

    def observe(self, canvas):
        if self.axis == "diagonal":
            want_squares(canvas, self.name, "leave the transposition out")
        return {}

    def matrix(self, params, height, width):
        middle = center(height, width)
        if self.axis == "vertical":
            return affine.scaling(1.0, -1.0, middle)
        mirror = affine.scaling(-1.0, 1.0, middle)
        if self.axis == "horizontal":
            return mirror
        quarter = affine.matrix(
            [
                [0.0, 1.0, middle[0] - middle[1]],
                [-1.0, 0.0, middle[0] + middle[1]],
                [0.0, 0.0, 1.0],
            ]
        )
        return affine.compose(affine.scaling(1.0, -1.0, middle), quarter)


@keras.saving.register_keras_serializable(package="perfkit")
class Gain(ColorAugment):
    """Scale the distance of all values from black by one random factor per image.

    Args:
        factor: `(low, high)` of the uniform factor, drawn per sample. At least 0.
        value_range: `(low, high)` of the pixel values, where results are cut off.
        seed: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, ...).

    Raises:
        ValueError: If `factor` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[0.0], [100.0], [200.0]]])
        >>> np.array(Gain((1.5, 1.5))(image)).ravel().tolist()
        [0.0, 150.0, 255.0]

    Reference: PIL's `ImageEnhance.Brightness`.
    """

    def __init__(self, factor, value_range=(0, 255), *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.factor = _check.pair("Gain", "factor", factor, 0.0, 1e6)
        self.value_range = _check.value_range("Gain", value_range)

    def parameters(self, rng):
        return {"factor": rng.uniform(*self.factor)}

    def color(self, params):
        low = self.value_range[0]
        return color.gain(params["factor"], low - low * params["factor"])
