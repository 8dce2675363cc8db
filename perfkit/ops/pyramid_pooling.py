"""Pooling of images of any size to numbers of bins."""

from typing import Any

from perfkit._backend import ops


def binned(features, bins, reduce) -> Any:
    """Pool the places of `bins` rows of `bins` bins each.

    A bin reaches to whole places, so that bins overlap where the size is no multiple.

    Args:
        features: `(batch, height, width, channels)`.
        bins: Bins along each axis.
        reduce: `ops.max` or `ops.mean`.

    Returns:
        `(batch, bins, bins, channels)`.
    """
    _, height, width, _ = ops.shape(features)
    rows = [
        reduce(features[:, start:stop], axis=1) for start, stop in _edges(height, bins)
    ]
    features = ops.stack(rows, axis=1)
    columns = [
        reduce(features[:, :, start:stop], axis=2)
        for start, stop in _edges(width, bins)
    ]
    return ops.stack(columns, axis=2)


def _edges(size, bins):
    for k in range(bins):
        yield (k * size) // bins, -(-((k + 1) * size) // bins)
