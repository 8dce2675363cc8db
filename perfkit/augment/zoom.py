"""Random zoom."""

import keras

from perfkit import _check
from perfkit.augment.geometric import WarpAugment, center
from perfkit.ops import affine


@keras.saving.register_keras_serializable(package="perfkit")
class RandomZoom(WarpAugment):
    """Zoom each image in or out about its centre.

    Args:
        height_factor: Half-width, or `(low, high)`, of the uniform change of what
            is seen vertically, drawn per sample: 0.2 zooms out so that the image
            shows 1.2 times its height, -0.2 zooms in to 0.8 of it. Within
            [-0.99, 1].
        width_factor: The same horizontally; `None` keeps the aspect ratio.
        fill_mode, interpolation, fill_value: See `WarpAugment`.
        seed, data_format: See `Augment`.
        **kwargs: See `WarpAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If a factor is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[1.0], [2.0], [3.0], [4.0]]])
        >>> closer = RandomZoom((-0.5, -0.5), interpolation="nearest")(image)
        >>> keras.ops.convert_to_numpy(closer)[0, :, 0].tolist()
        [2.0, 2.0, 3.0, 3.0]

    Reference: none (standard).
    """

    def __init__(
        self,
        height_factor,
        width_factor=None,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            fill_mode=fill_mode,
            interpolation=interpolation,
            seed=seed,
            fill_value=fill_value,
            data_format=data_format,
            **kwargs,
        )
        self.height_factor = _check.span(
            "RandomZoom", "height_factor", height_factor, -0.99, 1.0
        )
        if width_factor is not None:
            width_factor = _check.span(
                "RandomZoom", "width_factor", width_factor, -0.99, 1.0
            )
        self.width_factor = width_factor

    def parameters(self, rng):
        height = rng.uniform(*self.height_factor)
        width = height if self.width_factor is None else rng.uniform(*self.width_factor)
        return {"height": height, "width": width}

    def matrix(self, params, height, width):
        return affine.scaling(
            1.0 / (1.0 + params["width"]),
            1.0 / (1.0 + params["height"]),
            center(height, width),
        )
