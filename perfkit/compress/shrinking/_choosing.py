"""Which channels go, by their scores."""

import dataclasses

import numpy as np

from perfkit.graph.channels import Group

SCOPES = ("local", "global", "isomorphic")


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """Channels that the same layers of a group make.

    Where layers are concatenated in front of a sum, each makes some of the channels of
    the group. They keep their numbers of channels in bounds part by part.
    """

    group: Group
    channels: np.ndarray
    free: np.ndarray
    scores: np.ndarray


def cut(groups: list[Group], scores, keep, *, scope, round_to, sizes) -> np.ndarray:
    """Return the channels to take out.

    Args:
        groups: Groups of layers.
        scores: A score for each of their channels.
        keep: Share of channels to keep.
        scope: Whether each group keeps this share ("local"), or all together
            ("global"), or those of the same kinds of layers ("isomorphic").
        round_to: What the number of channels of a part is a multiple of afterwards.
        sizes: How many channels the groups had at first, by the first of their paths.
    """
    gone = [np.empty(0, "int64")]
    for bucket in _buckets(groups, scores, scope):
        for part, count in zip(bucket, _counts(bucket, keep, sizes), strict=True):
            free = part.channels[part.free]
            locked = len(part.channels) - len(free)
            least = rounded(count, round_to, len(part.channels))
            order = np.argsort(part.scores[part.free], kind="stable")
            gone.append(free[order[: len(free) - max(least - locked, 0)]])
    return np.concatenate(gone)


def rounded(count, multiple, most) -> int:
    """Return the nearest multiple of a number, at least that number, at most `most`.

    Example:
        >>> rounded(19.0, 8, 32), rounded(2.0, 8, 32), rounded(2.0, 8, 5)
        (16, 8, 5)
    """
    nearest = int(np.floor(count / multiple + 0.5)) * multiple
    return min(max(nearest, multiple), most)


def _buckets(groups, scores, scope) -> list[list[_Part]]:
    """Parts of groups whose scores are compared."""
    found: dict = {}
    for number, (group, values) in enumerate(zip(groups, scores, strict=True)):
        kinds = tuple(type(use.layer).__name__ for use in group.makers)
        key = {"local": number, "global": 0, "isomorphic": kinds}[scope]
        found.setdefault(key, []).extend(
            _Part(group, group.channels[part], group.free[part], values[part])
            for part in group.parts
        )
    return list(found.values())


def _counts(bucket: list[_Part], keep, sizes) -> list[float]:
    """How many channels each part keeps, before that is rounded."""
    groups = {id(part.group): part.group for part in bucket}.values()
    many = keep * sum(sizes.get(g.paths[0], len(g.channels)) for g in groups)
    if len(bucket) == 1:
        return [many]
    scores = np.concatenate([part.scores for part in bucket])
    # Of channels with the same score each part keeps the same share.
    shares = np.concatenate([_ranks(part.scores) for part in bucket])
    best = np.lexsort([shares, -scores])[: round(many)]
    owner = np.repeat(np.arange(len(bucket)), [len(part.scores) for part in bucket])
    return np.bincount(owner[best], minlength=len(bucket)).tolist()


def _ranks(scores) -> np.ndarray:
    """Which share of the scores is better."""
    order = np.argsort(-scores, kind="stable")
    return np.argsort(order) / len(scores)
