"""What an optimizer needs but its rule."""

import dataclasses
import numbers
import types
from collections.abc import Mapping
from typing import Any, ClassVar

import keras

from perfkit import _backend, _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import variables as names


@dataclasses.dataclass
class Now:
    """What a rule is told about the update and the variable.

    Attributes:
        rate: Learning rate, a scalar tensor.
        count: Number of the update, from 1, a scalar tensor.
        decay: Weight decay of this variable, a number.
        common: Scalar tensors by the names in `Rule.common`; what a rule puts there
            is kept.
    """

    rate: Any
    count: Any
    decay: float
    common: dict[str, Any]


@dataclasses.dataclass
class _Known:
    """What is known of a variable. Not a list, which Keras would look through."""

    variable: Any
    slots: dict[str, Any]
    decayed: bool


class Rule(Configured, keras.optimizers.Optimizer):
    """Update each variable by a pure function of its gradient and of its slots.

    An optimizer says in `slots` what it keeps of each variable, in `common` the
    scalars it keeps of all together, and in `step` how they go on. Values are read
    before anything is assigned, and the maths is done in float32 at least.

    Args:
        learning_rate: A number of at least 0, a `LearningRateSchedule` or a
            function without arguments.
        weight_decay: Decoupled weight decay, or `None`. At least 0.
        no_decay: True spares biases and the scales and shifts of normalization
            from weight decay; a list of shell-style patterns spares the variables
            with a stretch of their path that matches, such as `"head/*"`,
            `"embeddings"`; False spares none.
        clipnorm: Largest norm of the gradient of each variable, or `None`. Above 0.
        clipvalue: Largest entry of a gradient, or `None`. Above 0.
        global_clipnorm: Largest norm of all gradients together, or `None`. Above 0.
        **kwargs: Those of `keras.optimizers.Optimizer`: `use_ema`, `ema_momentum`,
            `ema_overwrite_frequency`, `loss_scale_factor`,
            `gradient_accumulation_steps`, `name`.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    common: Mapping[str, float] = types.MappingProxyType({})

    def __init__(
        self,
        learning_rate,
        weight_decay=None,
        *,
        no_decay=False,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        **kwargs,
    ):
        owner = type(self).__name__
        clips = {
            "clipnorm": clipnorm,
            "clipvalue": clipvalue,
            "global_clipnorm": global_clipnorm,
        }
        for name, value in clips.items():
            if value is not None:
                clips[name] = _check.positive(owner, name, value)
        # Keras's own decay stays off: where it belongs is the rule's business.
        super().__init__(_rate(owner, learning_rate), **clips, **kwargs)
        if weight_decay is not None:
            weight_decay = _check.number(owner, "weight_decay", weight_decay, 0.0)
        self.weight_decay = weight_decay
        self.no_decay = names.no_decay_choice(owner, no_decay)

    def step(self, gradient, weights, slots, now):
        """Optimizer: return the new weights and the new slots."""
        raise NotImplementedError

    def begin(self, now):
        """Return `now.common` as an update begins, before its first variable."""
        return now.common

    def make_slots(self, variable):
        """Make the slots of a variable."""
        make = self.add_variable_from_reference
        return {name: make(variable, name) for name in self.slots}

    def build(self, variables):
        """Make the slots. Keras calls it with the variables to train."""
        if self.built:
            return
        owner = type(self).__name__
        decayed = names.decayed(owner, self.no_decay, variables)
        super().exclude_from_weight_decay(var_list=variables)
        super().build(variables)
        self._known = tuple(
            _Known(
                variable,
                {} if _is_overwritten(variable) else self.make_slots(variable),
                flag,
            )
            for variable, flag in zip(variables, decayed, strict=True)
        )
        if self.common:
            self._clock = self.add_variable((), dtype="int", name="clock")
        self._common = {}
        for name, value in self.common.items():
            begin: Any = keras.initializers.Constant(value)
            self._common[name] = self.add_variable((), begin, "float32", name=name)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Raise an error: a saved optimizer would forget what was left out."""
        expected = "given instead of a call of `exclude_from_weight_decay`"
        got = var_names or [names.path(variable) for variable in var_list or []]
        _check.fail(type(self).__name__, "no_decay", expected, got)

    def update_step(self, gradient, variable, learning_rate):
        """Take the step of one variable. Keras calls it for all with a gradient."""
        known = self._known[_backend.index_of(self, variable)]
        dtype = keras.backend.result_type(_backend.dtype_of(variable), "float32")
        done: Any = self.iterations
        count = done + 1
        decay: Any = self.weight_decay
        if decay is None or not known.decayed:
            decay = 0.0
        elif not isinstance(decay, float):  # it follows a schedule
            decay = ops.cast(decay, dtype)
        now = Now(
            rate=ops.cast(learning_rate, dtype),
            count=ops.cast(count, dtype),
            decay=decay,
            common={name: _backend.read(v) for name, v in self._common.items()},
        )
        if self.common:
            first = ops.not_equal(_backend.read(self._clock), count)
            begun = self.begin(now)
            now.common = {
                name: ops.where(first, begun[name], value)
                for name, value in now.common.items()
            }
        weights, slots = self.step(
            ops.cast(_backend.dense(gradient), dtype),
            _backend.read(variable, dtype),
            {name: _backend.read(slot, dtype) for name, slot in known.slots.items()},
            now,
        )
        for name, slot in known.slots.items():
            self.assign(slot, slots[name])
        if self.common:
            self.assign(self._clock, count)
            for name, scalar in self._common.items():
                self.assign(scalar, now.common[name])
        self.assign(variable, weights)

    def get_config(self):
        """Return the arguments. Keras knows how to write down its own."""
        return {**super().get_config(), **keras.optimizers.Optimizer.get_config(self)}


def _rate(owner, value):
    if isinstance(value, numbers.Real):
        return _check.number(owner, "learning_rate", value, 0.0)
    if not callable(value):
        expected = "a number of at least 0, a schedule or a function"
        _check.fail(owner, "learning_rate", expected, value)
    return value


def _is_overwritten(variable):
    """Whether Keras replaces a variable by its gradient, as scales of float8."""
    return getattr(variable, "overwrite_with_gradient", False)
