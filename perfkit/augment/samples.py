"""A batch of samples that operations change at once."""

from typing import Any

from perfkit._backend import ops
from perfkit.augment.chosen import change


class Samples:
    """What belongs to a batch, in tensors of one row for each sample.

    Unlike a canvas of images it puts nothing off.

    Args:
        parts: Dict of tensors: what is augmented, at the key `main`, and what lies
            beside it.
        main: Key of what is augmented.
        labels: Of the samples; only operations that mix samples look at them.
    """

    pending = False  # whether there is anything to be done before values can be read

    def __init__(self, parts, main, labels=None):
        self.parts: dict[str, Any] = parts
        self.main = main
        self.labels = labels
        self.samples, *size = ops.shape(parts[main])
        self.size = tuple(size)
        self.rules: list[tuple[str, Any]] = []
        self.fused = True  # whether operations may leave their work to later ones
        self.dealt = True  # whether choices of samples keep to their limits

    def settle(self) -> None:
        """Do all that was asked for: it is done already."""

    def finish(self, dtype) -> None:
        """The same; see `Canvas`."""

    def change(self, function, params, chosen=None) -> None:
        """Replace parts by what `function(parts, params)` makes of them.

        See `perfkit.augment.chosen.change`.
        """
        self.parts = change(function, self.parts, params, chosen, self.dealt)
