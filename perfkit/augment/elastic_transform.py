"""Random elastic transform."""

import math

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.field import FieldAugment
from perfkit.ops import fields

# Deviation of Keras's displacements, as a share of the longer side: a tenth of it
# times sigma, smoothed by a Gaussian of that sigma.
_DEVIATION = 0.1 / (2.0 * math.sqrt(math.pi))


@keras.saving.register_keras_serializable(package="perfkit")
class RandomElasticTransform(FieldAugment):
    """Bend each image by smooth random displacements, as if it were of rubber.

    Args:
        factor: Probability that a sample is changed, or `(low, high)` to draw that
            probability from, per sample. Within [0, 1]. Keras takes a number as
            `(0, factor)`, so that its 1.0 changes every second image.
        scale: Strength, `(low, high)`, uniform, drawn per sample; a number is the
            upper end. At 1 the displacements have a deviation of 2.8 % of the longer
            side. Within [0, 1].
        interpolation, fill_mode, fill_value: See `WarpAugment`.
        value_range: `(low, high)` of the pixel values. Not used: no value leaves the
            range of those it is read from.
        seed, data_format: See `Augment`.
        steps: Cells of the control grid along each side: more of them make smaller
            waves. Whole number within [1, 64].
        **kwargs: See `FieldAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor`, `scale` or `steps` is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.zeros((32, 32, 1))
        >>> image[:, 16:] = 1.0
        >>> bent = np.array(RandomElasticTransform(seed=3)(image))[:, :, 0]
        >>> edge = (bent > 0.5).argmax(axis=1)
        >>> bool(np.ptp(edge) > 1), bool((np.diff(edge) ** 2 <= 4).all())
        (True, True)

    Reference: Simard et al., Best Practices for Convolutional Neural Networks
        Applied to Visual Document Analysis, 2003. The displacements are a cubic
        spline of random numbers on a control grid; those of Keras, whose waves are
        half as wide, fold the image.
    """

    def __init__(
        self,
        factor=1.0,
        scale=1.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        *,
        steps=6,
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
        owner = "RandomElasticTransform"
        self.factor = _check.fixed_or_span(owner, "factor", factor, 0.0, 1.0)
        self.scale = _check.reach(owner, "scale", scale, 0.0, 1.0)
        self.value_range = _check.value_range(owner, value_range)
        self.steps = _check.integer(owner, "steps", steps, 1, 64)

    def parameters(self, rng):
        moved = ops.cast(rng.bernoulli(rng.uniform(*self.factor)), "float32")
        return {"scale": moved * rng.uniform(*self.scale), "bits": rng.bits()}

    def field(self, params, height, width):
        strength = params["scale"] * ops.maximum(height, width) * _DEVIATION
        waves = fields.waves(params["bits"], self.steps)
        return waves * strength[:, None, None, None]
