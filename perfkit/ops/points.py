"""Maps of single values; images are float32 `(batch, height, width, channels)`.

Parameters are one per image, `(batch, 1, 1, 1)`, or one per channel.
"""

from perfkit._backend import ops

_LEVELS = 255.0
_FINE = 4096.0


def nearest(levels):
    """Round; halfway between two levels, rounding errors do not decide."""
    return ops.round(ops.round(levels * _FINE) * (1.0 / _FINE))


def whole_levels(images, value_range=(0.0, 255.0)):
    """Move values to the nearest of 256 levels."""
    low, high = value_range
    levels = nearest((images - low) * (_LEVELS / (high - low)))
    return low + ops.clip(levels, 0.0, _LEVELS) * ((high - low) / _LEVELS)


def posterize(images, bits, value_range=(0.0, 255.0)):
    """Keep the upper `bits`, int32 within [1, 8], of values in 256 levels."""
    low, high = value_range
    # A power of floats need not be a whole number.
    step = ops.cast(ops.left_shift(ops.ones_like(bits), 8 - bits), "float32")
    levels = ops.round((images - low) * (_LEVELS / (high - low)))
    levels = ops.floor(ops.clip(levels, 0.0, _LEVELS) / step) * step
    return low + levels * ((high - low) / _LEVELS)


def solarize(images, threshold, addition=0.0, value_range=(0.0, 255.0)):
    """Mirror the values from `threshold` on, after adding `addition`.

    The threshold is moved up between two of 256 levels: to bytes that is the same, and
    what was rounded before goes the same way as what was not.
    """
    low, high = value_range
    unit = (high - low) / _LEVELS
    threshold = low + unit * (-ops.floor((low - threshold) / unit) - 0.5)
    images = ops.clip(images + addition, low, high)
    return ops.where(images < threshold, images, (low + high) - images)


def tone_curve(images, dark, light, value_range=(0.0, 255.0)):
    """Bend values along a cubic Bezier curve from end to end of the range.

    `dark` and `light` within [0, 1] are the heights of the control points; 1/3 and
    2/3 change nothing, and `dark <= light` keeps the order of values.
    """
    low, high = value_range
    x = ops.clip((images - low) / (high - low), 0.0, 1.0)
    rest = 1.0 - x
    bent = 3.0 * rest * (rest * dark + x * light) + x * x
    return low + (high - low) * (x * bent)
