"""Turning pairs of features by angles that grow with the position."""

import math
from typing import Any

from perfkit._backend import ops


def angles(positions, size, base) -> Any:
    """Angle of each pair of features at each position, in radians.

    Args:
        positions: `(..., steps)`, in steps.
        size: Features, an even number.
        base: What the wavelengths, from 2 pi on, grow towards, over 2 pi.

    Returns:
        Float32 `(..., steps, size / 2)`.
    """
    pairs = ops.arange(size // 2, dtype="float32")
    speeds = ops.exp(pairs * (-2.0 * math.log(base) / size))
    return ops.cast(positions, "float32")[..., None] * speeds


def turned(features, angle, interleaved) -> Any:
    """Turn pairs of features, in float32.

    Args:
        features: `(..., size)`.
        angle: `(..., size / 2)`, or what spreads to it, in radians.
        interleaved: Whether the pairs are neighbours; if not, they are half of all
            features apart.
    """
    features = ops.cast(features, "float32")
    size = features.shape[-1]
    if interleaved:
        pairs = ops.reshape(features, (*ops.shape(features)[:-1], size // 2, 2))
        x, y = pairs[..., 0], pairs[..., 1]
    else:
        x, y = features[..., : size // 2], features[..., size // 2 :]
    cosine, sine = ops.cos(angle), ops.sin(angle)
    two = [x * cosine - y * sine, x * sine + y * cosine]
    if interleaved:
        return ops.reshape(ops.stack(two, axis=-1), ops.shape(features))
    return ops.concatenate(two, axis=-1)
