"""Which channels go, by their scores."""

import numpy as np

from perfkit.graph.channels import Group

SCOPES = ("local", "global", "isomorphic")


def cut(groups: list[Group], scores, keep, *, scope, round_to, sizes) -> np.ndarray:
    """Return the channels to take out.

    Args:
        groups: Groups of layers.
        scores: A score for each of their channels.
        keep: Share of channels to keep.
        scope: Whether each group keeps this share ("local"), or all together
            ("global"), or those of the same kinds of layers ("isomorphic").
        round_to: The number of channels that are left is a multiple of it.
        sizes: How many channels the groups had at first, by the first of their paths.
    """
    counts = {
        id(group): count
        for bucket in _buckets(groups, scores, scope)
        for group, count in _counts(bucket, keep, sizes, alone=scope == "local")
    }
    gone = []
    for group, values in zip(groups, scores, strict=True):
        free = group.channels[group.free]
        locked = len(group.channels) - len(free)
        least = rounded(counts[id(group)], round_to, len(group.channels))
        order = np.argsort(values[group.free], kind="stable")
        gone.append(free[order[: len(free) - max(least - locked, 0)]])
    return np.concatenate(gone) if gone else np.empty(0, "int64")


def rounded(count, multiple, most) -> int:
    """Return the nearest multiple of a number, at least that number, at most `most`.

    Example:
        >>> rounded(19.0, 8, 32), rounded(2.0, 8, 32), rounded(2.0, 8, 5)
        (16, 8, 5)
    """
    nearest = int(np.floor(count / multiple + 0.5)) * multiple
    return min(max(nearest, multiple), most)


def _buckets(groups, scores, scope):
    found: dict = {}
    for number, (group, values) in enumerate(zip(groups, scores, strict=True)):
        kinds = tuple(type(use.layer).__name__ for use in group.makers)
        key = {"local": number, "global": 0, "isomorphic": kinds}[scope]
        found.setdefault(key, []).append((group, values))
    return found.values()


def _counts(bucket, keep, sizes, alone):
    """Yield how many channels each group keeps, before that is rounded."""
    totals = [sizes.get(g.paths[0], len(g.channels)) for g, _ in bucket]
    if alone:
        for (group, _), total in zip(bucket, totals, strict=True):
            yield group, keep * total
        return
    every = np.concatenate([values for _, values in bucket])
    many = min(round(keep * sum(totals)), len(every))
    line = np.sort(every)[len(every) - many] if many else np.inf
    for group, values in bucket:
        yield group, int((values >= line).sum())
