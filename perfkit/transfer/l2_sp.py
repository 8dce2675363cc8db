"""A penalty towards the weights that training starts from."""

from typing import Any

import keras

from perfkit import _backend, _check, _replicas
from perfkit._backend import ops
from perfkit.ops import variables as names
from perfkit.optimizers import Wrapper


@keras.saving.register_keras_serializable(package="perfkit")
class L2SP(Wrapper):
    """Pull weights towards where they started, and new ones towards zero.

    As if half of `strength` times the squared distance from the pretrained weights were
    a part of the loss; its gradient is added to that of the loss, whose value shows
    nothing of it. The start is what the variables hold at the first step; it is kept,
    and saved, among the optimizer's variables.

    Args:
        inner_optimizer: What moves the variables: an optimizer or its Keras name. Its
            own weight decay, which pulls towards zero, is better off.
        strength: Factor of the distance from the start, at least 0. The paper found 0.1
            and 0.01 best.
        new: Shell-style patterns for stretches of the paths of variables that were not
            pretrained. Each has to match something.
        new_strength: Factor of their distance from zero, at least 0.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If an argument is out of bounds, or, when variables are known, if a
            pattern matches none.

    Example:
        >>> weight = keras.Variable([1.0], name="weight")
        >>> optimizer = L2SP(keras.optimizers.SGD(0.1), 1.0, new=())
        >>> optimizer.apply([keras.ops.zeros(1)], [weight])  # starts at 1
        >>> moved = weight.assign([3.0])  # as if by training
        >>> optimizer.apply([keras.ops.zeros(1)])
        >>> round(float(weight[0]), 3)
        2.8

    Reference: Li et al., Explicit Inductive Bias for Transfer Learning with
        Convolutional Networks, 2018, arXiv 1802.01483.
    """

    def __init__(
        self,
        inner_optimizer,
        strength=0.01,
        *,
        new=("head*",),
        new_strength=0.01,
        name=None,
    ):
        owner = "L2SP"
        super().__init__(inner_optimizer, name=name)
        self.strength = _check.number(owner, "strength", strength, 0.0)
        patterns = list(new) if isinstance(new, (list, tuple)) else [new]
        if not all(isinstance(pattern, str) for pattern in patterns):
            _check.fail(owner, "new", "a list of name patterns", new, TypeError)
        self.new = patterns
        self.new_strength = _check.number(owner, "new_strength", new_strength, 0.0)

    def make_state(self):
        hits = names.matched("L2SP", "new", self.new, self.targets)
        self._is_new = tuple(hits)
        self.starts = self.slots("start")
        self.steps = self.add_variable((), dtype="int32", name="steps")

    def step(self, gradients, variables):
        slots = self.slots_of(self.starts, variables)
        (steps,) = _backend.copies([self.steps])
        starts, pulled, together = [], [], _replicas.replicas()
        for gradient, variable, slot in zip(gradients, variables, slots, strict=True):
            is_new = self._is_new[self.place_of(variable)]
            now = ops.cast(_backend.read(variable), slot.dtype)
            start = _backend.read(slot)
            if not is_new:
                start = ops.where(steps == 0, now, start)
            starts.append(start)
            strength = self.new_strength if is_new else self.strength
            pull = (strength / together) * (now - start)  # replicas add theirs up
            pulled.append(_added(gradient, pull))
        _replicas.assign([*slots, self.steps], [*starts, steps + 1])
        self.inner_step(pulled, variables)


def _added(gradient, pull) -> Any:
    if gradient is None:
        return None
    dense = _backend.dense(gradient)
    return dense + ops.cast(pull, dense.dtype)
