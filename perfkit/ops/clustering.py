"""Weights as the nearest of a few centroids."""

from typing import Any

from perfkit._backend import keras_ops as ops


def clustered(weights, centroids, *, averaged=False) -> Any:
    """Return the nearest centroid in place of each weight.

    Gradients go to the centroids, and straight through to the weights, so that these
    can change from one centroid to another.

    Args:
        weights: `(n, units)` or `(n, 1)`, float32.
        centroids: `(units, count)` or `(1, count)` in any order, float32.
        averaged: Whether the gradient of a centroid is the mean of those of its
            members, rather than the sum.
    """
    centroids = ops.sort(centroids, axis=-1)
    places = nearest(weights, ops.stop_gradient(centroids))
    units, count = centroids.shape
    places = places + count * ops.arange(units, dtype="int32")
    centroids = ops.reshape(centroids, (-1,))
    if averaged:
        flat = ops.reshape(places, (-1,))
        ones = ops.ones_like(flat, dtype=centroids.dtype)
        members = ops.segment_sum(ones, flat, num_segments=units * count)
        still = ops.stop_gradient(centroids)
        centroids = still + (centroids - still) / ops.maximum(members, 1.0)
    return ops.take(centroids, places) + (weights - ops.stop_gradient(weights))


def nearest(weights, centroids) -> Any:
    """Return the number of the nearest centroid; of two as near, the lower one.

    It is found by bisection, which needs no table of weights by centroids.

    Args:
        weights: `(n, units)` or `(n, 1)`.
        centroids: `(units, count)` or `(1, count)`, in rising order.
    """
    units, count = centroids.shape
    width = 1 << (count - 1).bit_length()
    borders = (centroids[:, 1:] + centroids[:, :-1]) / 2.0
    rest = ((0, 0), (0, width - count + 1))  # above them is nothing
    borders = ops.pad(borders, rest, constant_values=float("inf"))
    borders = ops.reshape(borders, (-1,))
    row = width * ops.arange(units, dtype="int32")
    places = ops.zeros(weights.shape, "int32")
    for power in reversed(range((count - 1).bit_length())):
        step = 1 << power
        above = weights > ops.take(borders, row + places + (step - 1))
        places = places + ops.cast(above, "int32") * step
    return places
