"""Slow weights that follow fast ones."""

import keras

from perfkit import _backend, _check, _replicas
from perfkit._backend import ops
from perfkit.optimizers.wrapper import Wrapper


@keras.saving.register_keras_serializable(package="perfkit")
class Lookahead(Wrapper):
    """Go some steps ahead, then go back a part of the way.

    After every `every` steps of the optimizer inside, the weights go to a point between
    where they were at the last such moment and where they are, and go on from there.

    Args:
        inner_optimizer: What goes ahead: an optimizer or its Keras name.
        every: Steps ahead. At least 1.
        step_size: Share of the way that is kept. Within [0, 1].
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> bias = keras.Variable(np.array([8.0]))
        >>> optimizer = Lookahead(keras.optimizers.SGD(1.0), every=2)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.array([2.0])], [bias])
        >>> keras.ops.convert_to_numpy(bias).tolist()
        [6.0]

    Reference: Zhang et al., Lookahead Optimizer: k steps forward, 1 step back, 2019,
        arXiv 1907.08610.
    """

    level = 1
    moves_weights = True

    def __init__(self, inner_optimizer, every=6, step_size=0.5, *, name=None):
        super().__init__(inner_optimizer, name=name)
        self.every = _check.integer("Lookahead", "every", every)
        self.step_size = _check.unit("Lookahead", "step_size", step_size)

    def make_state(self):
        self.slow = self.slots("slow")
        self.steps = self.add_variable((), dtype="int32", name="steps")

    def step(self, gradients, variables):
        slots = self.slots_of(self.slow, variables)
        (steps,) = _backend.copies([self.steps])
        starts = [
            ops.where(steps == 0, ops.cast(weights, slow.dtype), slow)
            for weights, slow in zip(
                _backend.copies(variables), _backend.copies(slots), strict=True
            )
        ]
        moved = self.inner_step(gradients, variables)
        steps = steps + ops.cast(moved, "int32")
        back = moved & (steps % self.every == 0)
        ends = [
            ops.cast(end, start.dtype)
            for start, end in zip(starts, _backend.copies(variables), strict=True)
        ]
        slow, fast = [], []
        for variable, start, end in zip(variables, starts, ends, strict=True):
            between = start + self.step_size * (end - start)
            between = self.constrained(variable, between)
            slow.append(ops.where(back, between, start))
            fast.append(ops.where(back, between, end))
        _replicas.assign([*slots, *variables, self.steps], [*slow, *fast, steps])
