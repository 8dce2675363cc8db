"""Random thin plate splines."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.field import FieldAugment
from perfkit.ops import fields


@keras.saving.register_keras_serializable(package="perfkit")
class ThinPlateSpline(FieldAugment):
    """Bend each image like a thin plate, pulled at a few control points.

    Args:
        scale: `(low, high)` of the deviation of a control point's normal shift, times
            a tenth of the height and of the width, uniform, drawn per sample. Within
            [0, 1].
        points: Control points along each side, evenly over the image. Whole number
            within [2, 16].
        interpolation, fill_mode, fill_value: See `WarpAugment`.
        seed, data_format: See `Augment`.
        **kwargs: See `FieldAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `scale` or `points` is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.zeros((32, 32, 1))
        >>> image[:, 16:] = 1.0
        >>> bent = np.array(ThinPlateSpline(seed=1)(image))[:, :, 0]
        >>> edge = (bent > 0.5).argmax(axis=1)
        >>> bool(np.ptp(edge) > 1), bool((np.diff(edge) ** 2 <= 4).all())
        (True, True)

    Reference: Bookstein, Principal Warps: Thin-Plate Splines and the Decomposition
        of Deformations, 1989. The plate is that of the unit square, stretched over
        the image, and is read between 8 nodes to a control point.
    """

    def __init__(
        self,
        scale=(0.2, 0.4),
        points=4,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        seed=None,
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
        self.scale = _check.reach("ThinPlateSpline", "scale", scale, 0.0, 1.0)
        self.points = _check.integer("ThinPlateSpline", "points", points, 2, 16)

    def parameters(self, rng):
        return {"scale": rng.uniform(*self.scale), "bits": rng.bits()}

    def field(self, params, height, width):
        shift = fields.plate(params["bits"], self.points)
        x, y = shift[..., 0] * width, shift[..., 1] * height
        return ops.stack([x, y], axis=-1) * (0.1 * params["scale"][:, None, None, None])
