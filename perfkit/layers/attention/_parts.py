"""Layers inside of layers."""

EPSILON = 1e-5  # of normalizations: what the papers' code has


def part(layer, kind, shape, **arguments):
    """Make and build an inner layer for samples of `shape`, of the dtype of `layer`."""
    inner = kind(dtype=layer.dtype_policy, **arguments)
    inner.build((None, *shape))
    return inner
