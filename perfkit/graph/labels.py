"""Labels of channels, some of which are tied together."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """The axis of a tensor on which its channels lie, and their labels.

    Attributes:
        axis: Axis, counted from the batch, which is 0.
        labels: A label for each channel, int64.
    """

    axis: int
    labels: np.ndarray


class Labels:
    """Labels that can be tied, to stay or go together, and locked, to stay.

    Example:
        >>> labels = Labels()
        >>> left, right = labels.new(2), labels.new(2)
        >>> labels.tie(left, right)
        >>> labels.roots(np.concatenate([left, right])).tolist()
        [0, 1, 0, 1]
        >>> labels.lock(right[:1], "an output")
        >>> labels.reasons()
        {0: ['an output']}
    """

    def __init__(self):
        self._parents: list[int] = []
        self._locked: list[tuple[np.ndarray, str]] = []

    def new(self, count) -> np.ndarray:
        """Return labels that nothing is tied to."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count)

    def tie(self, left, right) -> None:
        """Tie labels of one array to those of another, one by one."""
        pairs = np.stack([left, right], axis=1)[np.not_equal(left, right)]
        for one, other in np.unique(pairs, axis=0):
            one, other = self._root(int(one)), self._root(int(other))
            self._parents[max(one, other)] = min(one, other)

    def lock(self, labels, reason) -> None:
        """Note that channels have to stay, and why."""
        self._locked.append((labels, reason))

    def roots(self, labels) -> np.ndarray:
        """Return the least label that each is tied to."""
        return np.array([self._root(int(label)) for label in labels], "int64")

    def reasons(self) -> dict[int, list[str]]:
        """Return why channels are locked, by their roots."""
        found: dict[int, list[str]] = {}
        for labels, reason in self._locked:
            for root in np.unique(self.roots(labels)):
                found.setdefault(int(root), []).append(reason)
        return found

    def __len__(self):
        return len(self._parents)

    def _root(self, label):
        parents = self._parents
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label


def channel_axis(layer, rank) -> int:
    """Return the axis of the channels by the layer's data format."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return 1 if first else rank - 1
