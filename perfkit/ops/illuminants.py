"""Colours of light.

Reference: Planck's law; the colour matching functions of CIE 1931 by Wyman, Sloan and
    Shirley, Simple Analytic Approximations to the CIE XYZ Color Matching Functions,
    2013; the primaries of IEC 61966-2-1 (sRGB).
"""

import numpy as np

from perfkit._backend import ops

NEUTRAL = 6500.0  # kelvin, about the white of sRGB
_SECOND_RADIATION = 1.438776877e7  # nm K
_GAMMA = 2.2
_FROM_XYZ = np.array(
    [
        [3.2406, -1.5372, -0.4986],
        [-0.9689, 1.8758, 0.0415],
        [0.0557, -0.2040, 1.0570],
    ]
)
_WAVELENGTHS = np.arange(380.0, 781.0, 10.0)  # nm


def _lobe(height, peak, below, above):
    width = np.where(peak > _WAVELENGTHS, below, above)
    return height * np.exp(-0.5 * ((_WAVELENGTHS - peak) / width) ** 2)


_MATCHING = np.stack(
    [
        _lobe(1.056, 599.8, 37.9, 31.0)
        + _lobe(0.362, 442.0, 16.0, 26.7)
        + _lobe(-0.065, 501.1, 20.4, 26.2),
        _lobe(0.821, 568.8, 46.9, 40.5) + _lobe(0.286, 530.9, 16.3, 31.1),
        _lobe(1.217, 437.0, 11.8, 36.0) + _lobe(0.681, 459.0, 26.0, 13.8),
    ],
    axis=1,
)
# What each wavelength adds to linear RGB, but for the exponential of Planck's law.
_SEEN = _MATCHING @ _FROM_XYZ.T * (_WAVELENGTHS[:, None] / 560.0) ** -5.0
_EXPONENTS = _SECOND_RADIATION / _WAVELENGTHS
_RELATIVE = _SEEN / (1.0 / np.expm1(_EXPONENTS / NEUTRAL) @ _SEEN)


def planckian_gains(kelvin):
    """What the light of a black body makes of a white pixel, green kept.

    Light scales linear values. Pixels hold their power of 1 / 2.2, and so do the gains.

    Args:
        kelvin: Temperatures `(batch,)`, of at least 1,950 K; below there is no blue.

    Returns:
        Gains of red, green and blue, `(batch, 3)`; all 1 at `NEUTRAL`.
    """
    exponents = ops.convert_to_tensor(_EXPONENTS, "float32") / kelvin[:, None]
    light = 1.0 / (ops.exp(exponents) - 1.0)
    relative = ops.convert_to_tensor(_RELATIVE, "float32")
    linear = ops.sum(light[:, :, None] * relative, axis=1)
    return ops.power(linear / linear[:, 1:2], 1.0 / _GAMMA)
