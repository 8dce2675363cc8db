"""When masks are due, and for what sparsity."""

from typing import Any

import keras

from perfkit import _check


class Timing:
    """A schedule of any kind, asked step by step.

    Args:
        owner: Whose arguments these are, for errors.
        schedule: A number, or a function of the step that returns one or a pair of
            whether masks are due and a number.
        every: Number of steps between masks, where the schedule does not say.
        limit: The highest sparsity.
    """

    def __init__(self, owner, schedule, every, limit):
        self._owner, self._limit = owner, limit
        self.every = _check.integer(owner, "every", every)
        self.schedule = schedule
        if isinstance(schedule, keras.Layer):
            expected = "a sparsity or a schedule; `fit` says which model it is"
            _check.fail(owner, "schedule", expected, schedule, TypeError)
        if not callable(schedule):
            expected = "a sparsity within [0, 1), or a schedule, a function of the step"
            try:
                _check.below_one(owner, "schedule", schedule)
            except ValueError:
                _check.fail(owner, "schedule", expected, schedule)
            self._checked(schedule)
        self._next: int | None = None

    def begin(self):
        """Forget the steps of another run."""
        self._next = None

    @property
    def is_first(self) -> bool:
        """Whether no step was asked about in this run."""
        return self._next is None

    def is_due(self, step) -> bool:
        """Whether masks are due, at this step or since the one asked about before."""
        begin = step if self._next is None else self._next
        self._next = step + 1
        return any(self._says(number)[0] for number in range(begin, step + 1))

    def is_asking(self, step) -> bool:
        """Whether the schedule asks for masks after the last step."""
        due, _ = self._says(step)
        return due or not self._is_pair(step)

    def sparsity(self, step) -> float:
        """The sparsity at a step."""
        return self._checked(self._says(step)[1])

    def missing(self, step) -> str:
        """Return what the schedule would have come to after a step, or nothing."""
        end = getattr(self.schedule, "end_step", None)
        if end is None or step >= end or self.sparsity(end) <= self.sparsity(step):
            return ""
        return f"{self.sparsity(end):g} at step {end}"

    def _is_pair(self, step):
        return callable(self.schedule) and isinstance(self.schedule(step), tuple)

    def _says(self, step) -> tuple[bool, Any]:
        said: Any = self.schedule(step) if callable(self.schedule) else self.schedule
        if isinstance(said, tuple) and len(said) == 2:
            return bool(said[0]), said[1]
        return step % self.every == 0, said

    def _checked(self, said):
        try:
            value = round(float(said), 7)  # of what may have been float32
        except (TypeError, ValueError):
            value = float("nan")
        if not 0.0 <= value < 1.0 or value > self._limit + 1e-6:
            bounds = "[0, 1)" if self._limit == 1.0 else f"[0, {self._limit:g}]"
            expected = f"a schedule of sparsities within {bounds}, where it gave one"
            _check.fail(self._owner, "schedule", expected, said)
        return value
