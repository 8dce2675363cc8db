"""The abstract base of wrappers that keep something for each moving statistic."""

import dataclasses
from typing import Any

from perfkit import _check
from perfkit._train_step import fail_unattached
from perfkit.graph import batch_norm
from perfkit.optimizers.wrapper import Wrapper


@dataclasses.dataclass
class _Watched:
    """Variables of the model, in an object of its own, which Keras does not track."""

    shapes: list[list[int]]
    layers: list[Any]
    variables: list[Any]


class WithStatistics(Wrapper):
    """Abstract: a wrapper with a variable for each moving mean and variance of a model.

    Args:
        inner_optimizer: See `Wrapper`.
        statistics: Shapes of the moving statistics. `perfkit.optimizers.attach` fills
            this in, and so it is saved; leave it out.
        name: See `Wrapper`.
    """

    def __init__(self, inner_optimizer, *, statistics=None, name=None):
        super().__init__(inner_optimizer, name=name)
        shapes = [list(map(int, shape)) for shape in statistics or ()]
        self._watched = _Watched(shapes, [], [])
        self.statistic_slots: list[Any] = []

    @property
    def statistics(self) -> list[list[int]]:
        """Shapes of the moving statistics."""
        return self._watched.shapes

    @property
    def watched(self) -> list[Any]:
        """Moving statistics of the model this is attached to."""
        return self._watched.variables

    @property
    def watched_layers(self) -> list[Any]:
        """The batch normalizations that these are of, in the same order."""
        return self._watched.layers

    def make_state(self):
        if self.statistics:
            self._add_statistics()

    def _add_statistics(self):
        self.statistic_slots = [
            self.add_variable(tuple(shape), dtype="float32", name="statistic")
            for shape in self.statistics
        ]

    def attached_to(self, model):
        """Take note of the moving statistics of a model."""
        layers = batch_norm.layers_of(model)
        variables = batch_norm.statistics_of(model)
        shapes = [list(variable.shape) for variable in variables]
        if self.statistics and self.statistics != shapes:
            expected = f"a model with moving statistics of shapes {self.statistics}"
            _check.fail("attach", "model", expected, shapes)
        new = not self.statistics
        self._watched = _Watched(shapes, layers, variables)
        if new and self.built and shapes:
            self._add_statistics()
            self.begin_statistics()

    def begin_statistics(self):
        """Operation: give the slots values where training has begun already."""

    def check_ready(self):
        """Raise if a model was loaded and not attached again."""
        if self.statistics and not self.watched:
            fail_unattached(self.name, "keeps moving statistics of the model")
