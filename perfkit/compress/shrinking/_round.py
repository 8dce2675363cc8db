"""One round of taking channels out of a model."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from perfkit import _check
from perfkit.compress.reparameterized import Reparameterized
from perfkit.compress.shrinking import _choosing, _scores
from perfkit.graph import selection
from perfkit.graph.altered import altered
from perfkit.graph.channels import Group, Reading, read_channels
from perfkit.graph.cutting import without

TRIALS = 8  # a share is met to within a hundredth


@dataclasses.dataclass(frozen=True)
class Options:
    """The arguments of `shrink` except how much to keep: see there."""

    importance: str | Callable
    scope: str
    round_to: int
    where: Any
    strict: bool
    data: Any
    loss: Any
    seed: int


class Round:
    """A model whose channels have scores.

    Attributes:
        sizes: How many channels each group had in the first round, by its first path.
    """

    def __init__(self, model, options: Options, sizes: Mapping | None):
        self._options = options
        self._reading = read_channels("shrink", model)
        self._groups = _chosen(self._reading, options)
        data, loss, seed = options.data, options.loss, options.seed
        self._scores = _scores.scores(
            self._reading,
            self._groups,
            options.importance,
            data=data,
            loss=loss,
            seed=seed,
        )
        found = {group.paths[0]: len(group.channels) for group in self._groups}
        self.sizes = found if sizes is None else sizes

    def keeping(self, share) -> Any:
        """Return a model with a share of the channels of the first round's model."""
        return without(self._reading, self._cut(share))

    def reaching(self, share, measure: Callable[[Any], float], bar: Callable) -> Any:
        """Return the largest model of which a measure is at most a share.

        And which share that is.

        Args:
            share: Within (0, 1].
            measure: Function of a model.
            bar: Function without arguments, called `TRIALS` times.
        """
        first = 1.0 if share == 1.0 else 0.0
        model = self.keeping(first)
        reached = measure(model)
        bar()
        if not first and reached > share:
            expected = f"at least {reached:.3g}, which is left with the fewest channels"
            _check.fail("shrink", "keep", expected, share)
        low, high, tried = first, 1.0, {self._cut(first).tobytes()}
        for _ in range(TRIALS - 1):
            middle = (low + high) / 2
            cut = self._cut(middle)
            if cut.tobytes() in tried:
                low = middle
            else:
                small = without(self._reading, cut)
                found = measure(small)
                if found <= share:
                    model, reached, low = small, found, middle
                    tried.add(cut.tobytes())
                else:
                    high = middle
            bar()
        return model, reached

    def _cut(self, share) -> np.ndarray:
        options = self._options
        return _choosing.cut(
            self._groups,
            self._scores,
            share,
            scope=options.scope,
            round_to=options.round_to,
            sizes=self.sizes,
        )


def _chosen(reading: Reading, options: Options) -> list[Group]:
    """The groups that lose channels; an error if one was meant that cannot."""
    groups, where = reading.groups(), options.where
    layers = [call.operation for _, _, call in reading.graph.trails()]
    hint = _strip_first(layers)
    selection.check("shrink", where)
    for choice in selection.needed(where):
        if choice is not None and not any(_of(g, choice, any) for g in groups):
            paths = ", ".join(path for group in groups for path in group.paths)
            expected = f"a choice from the layers that make channels: {paths}"
            _check.fail("shrink", "where", expected + hint, choice)
    meant = [group for group in groups if where is None or _of(group, where, all)]
    refused = [
        group
        for group in meant
        if not group.free.all() and (where is not None or not group.is_bound)
    ]
    got = ("model", reading.graph.model.name) if where is None else ("where", where)
    if refused and options.strict:
        whys = "; ".join(f"{', '.join(g.paths)} ({g.reasons[0]})" for g in refused)
        expected = f"without layers that cannot lose channels: {whys}. With strict="
        expected += "False these keep theirs"
        _fail(got, expected + hint)
    if not meant and groups:
        partly = [", ".join(g.paths) for g in groups if _of(g, where, any)]
        expected = "all of the layers that lose the same channels, or none of them: "
        _fail(got, expected + "; ".join(partly))
    free = [group for group in meant if group.free.any()]
    if not free:
        expected = "with channels that can be cut; see `channel_groups(model)`" + hint
        whys = {layer.name: altered(layer) for layer in layers}
        expected += "".join(f"; {name}: {why}" for name, why in whys.items() if why)
        _fail(got, expected)
    return free


def _fail(got, expected) -> NoReturn:
    name, value = got
    _check.fail("shrink", name, expected, value)


def _strip_first(layers) -> str:
    if any(isinstance(layer, Reparameterized) for layer in layers):
        return ". Before, `strip(model)` makes plain layers of what is quantized"
    return ""


def _of(group, where, many) -> bool:
    return many(selection.selects(where, use.trail, None) for use in group.makers)
