"""A penalty towards the weights that training starts from."""

from typing import Any

import keras

from perfkit import _backend, _check
from perfkit._backend import ops
from perfkit.ops import variables as names
from perfkit.optimizers import Wrapper


@keras.saving.register_keras_serializable(package="perfkit")
class L2SP(Wrapper):
    """Pull weights towards where they started, and new ones towards zero.

    As if half of `strength` times the squared distance from the pretrained weights were
    a part of the loss; its gradient is added to that of the loss, whose value shows
    nothing of it. The start is what the variables hold when the optimizer is built, in
    `fit`; it is kept, and saved, among the optimizer's variables.

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
        >>> optimizer.build([weight])
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
        for start, variable, hit in zip(self.starts, self.targets, hits, strict=True):
            if not hit:
                start.assign(_backend.read(variable, start.dtype))

    def step(self, gradients, variables):
        pulled = []
        starts = self.slots_of(self.starts, variables)
        for gradient, variable, start in zip(gradients, variables, starts, strict=True):
            if gradient is None:
                pulled.append(None)
                continue
            gradient: Any = _backend.dense(gradient)
            is_new = self._is_new[self.place_of(variable)]
            strength = self.new_strength if is_new else self.strength
            apart = ops.cast(variable, start.dtype) - start
            pulled.append(gradient + ops.cast(strength * apart, gradient.dtype))
        self.inner_step(pulled, variables)
