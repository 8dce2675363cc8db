"""First centroids of weights, on the host.

A centroid is a value that many weights share; each weight gets the nearest.
"""

from collections.abc import Callable

import numpy as np

_ROUNDS = 300  # of Lloyd's; each costs next to nothing on sorted weights


def first(weights, count, method, *, around_zero=False, seed=0) -> np.ndarray:
    """Return centroids in rising order, float64.

    Args:
        weights: Array of any shape.
        count: How many centroids.
        method: One of `METHODS`.
        around_zero: Whether 0 is a further centroid, not returned, that zeros belong
            to. The others are dealt to the two sides of it by the number of weights.
        seed: For "kmeans++" and "random".
    """
    weights = np.ravel(weights).astype("float64")
    rng = np.random.default_rng(seed)
    if not around_zero:
        return METHODS[method](np.sort(weights), count, rng)
    below, above = np.sort(weights[weights < 0]), np.sort(weights[weights > 0])
    if not len(below) + len(above):
        return np.zeros(count)
    share = len(below) / (len(below) + len(above))
    few = round(count * share)
    sides = [(below, few), (above, count - few)]
    return np.concatenate(
        [METHODS[method](x, n, rng) if n else x[:0] for x, n in sides]
    )


def linear(weights, count, rng=None) -> np.ndarray:  # noqa: ARG001
    """Return values that are evenly apart, from the least weight to the greatest."""
    return np.linspace(weights[0], weights[-1], count)


def density(weights, count, rng=None) -> np.ndarray:  # noqa: ARG001
    """Return quantiles of sorted weights, whose shares are evenly apart."""
    return np.quantile(weights, np.linspace(0.01, 1.0, count))


def random(weights, count, rng) -> np.ndarray:
    """Return uniform draws between the least of sorted weights and the greatest."""
    return np.sort(rng.uniform(weights[0], weights[-1], count))


def kmeans(weights, count, rng) -> np.ndarray:
    """Return means of clusters with little squared error, begun by k-means++.

    On a line the members of a cluster are neighbours. So a round moves the borders
    between clusters, and sums of all members are differences of running sums.

    Args:
        weights: Sorted, `(n,)`.
        count: How many.
        rng: NumPy generator.
    """
    line = _Line(weights)
    centroids = line.seeds(count, rng)
    for _ in range(_ROUNDS):
        means = line.means(centroids)
        if np.array_equal(means, centroids):
            break
        centroids = means
    return centroids


METHODS: dict[str, Callable[..., np.ndarray]] = {
    "density": density,
    "kmeans++": kmeans,
    "linear": linear,
    "random": random,
}


class _Line:
    """Sorted weights with their running sums."""

    def __init__(self, weights):
        self._weights = weights
        self._sums = np.concatenate([[0.0], np.cumsum(weights)])

    def means(self, centroids) -> np.ndarray:
        """Mean of the weights that are nearest to each; of none, the centroid."""
        ends = self._ends(centroids)
        members, sums = np.diff(ends), np.diff(self._sums[ends])
        return np.where(members > 0, sums / np.maximum(members, 1), centroids)

    def seeds(self, count, rng) -> np.ndarray:
        """Weights drawn one after the other, by the squared distance to the nearest."""
        found = np.array([rng.choice(self._weights)])
        errors = [self._errors(0, len(self._weights), found[0])]
        while len(found) < count:
            totals = np.array([each.sum() for each in errors])
            if not totals.any():  # no other weights: further ones change nothing
                return np.concatenate([found, np.repeat(found[-1], count - len(found))])
            cell = rng.choice(len(found), p=totals / totals.sum())
            start = self._ends(found)[cell]
            member = rng.choice(len(errors[cell]), p=errors[cell] / totals[cell])
            place = np.searchsorted(found, self._weights[start + member])
            found = np.insert(found, place, self._weights[start + member])
            ends = self._ends(found)
            errors.insert(place, np.empty(0))
            for k in range(max(0, place - 1), min(place + 2, len(found))):
                errors[k] = self._errors(ends[k], ends[k + 1], found[k])
        return found

    def _ends(self, centroids) -> np.ndarray:
        borders = (centroids[1:] + centroids[:-1]) / 2.0
        inner = np.searchsorted(self._weights, borders)
        return np.concatenate([[0], inner, [len(self._weights)]])

    def _errors(self, start, end, centroid) -> np.ndarray:
        return (self._weights[start:end] - centroid) ** 2
