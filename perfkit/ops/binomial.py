"""Blurs by binomial filters, of which only every so many places are wanted."""

import math
from typing import Any

from perfkit._backend import ops
from perfkit.ops import borders


def weights(size) -> list[float]:
    """Weights of `size` neighbours, which sum to 1."""
    last = size - 1
    return [math.comb(last, k) / 2.0**last for k in range(size)]


def downsampled(features, size, strides) -> Any:
    """Blur features along rows and columns, and keep every so many of both.

    Beyond the edge they go on mirrored.

    Args:
        features: `(batch, height, width, channels)`.
        size: Places that the filter spans.
        strides: Rows, and columns, from one that is kept to the next.

    Returns:
        `(batch, ceil(height / strides), ceil(width / strides), channels)`.
    """
    reach = ((size - 1) // 2, size // 2)
    padded = _padded(features, reach)
    for axis in (1, 2):
        rows = -(-ops.shape(features)[axis] // strides)
        span = (rows - 1) * strides + 1
        total: Any = 0.0
        for k, weight in enumerate(weights(size)):
            here = slice(k, k + span, strides)
            kept = padded[:, here] if axis == 1 else padded[:, :, here]
            total = total + weight * kept
        padded = total
    return padded


def _padded(features, reach):
    # The slope of mirroring by slices costs a fraction of that of picking rows.
    if all(size is not None and size > reach[1] for size in features.shape[1:3]):
        return ops.pad(features, ((0, 0), reach, reach, (0, 0)), mode="reflect")
    return borders.pad(features, reach, reach)
