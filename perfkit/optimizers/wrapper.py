"""The abstract base of optimizers around another optimizer."""

import dataclasses
from typing import Any, ClassVar

import keras

from perfkit import _backend, _check
from perfkit._config import Configured
from perfkit._train_step import chain
from perfkit.optimizers.averaging import Averaging


@dataclasses.dataclass
class _Targets:
    """What is trained; in an object of its own, which Keras does not track."""

    variables: list[Any]
    places: dict[int, int]


class Wrapper(Configured, keras.optimizers.Optimizer):
    """Abstract: an optimizer around another one.

    Learning rate, iterations, clipping and weight decay are those of the optimizer
    inside. Wrappers nest. A subclass overrides `step`, and `make_state` where it has
    state.

    In mixed precision with float16 Keras puts its `LossScaleOptimizer` around all of
    it; inside it would have the wrapper see scaled gradients.

    Args:
        inner_optimizer: A `keras.optimizers.Optimizer` or its Keras name, `"adam"`.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If it scales the loss.
    """

    # A wrapper goes around those of its own level or below; from 2 on only below.
    level: ClassVar[int] = 0
    # Whether it moves weights itself, and so not those that are kept elsewhere.
    moves_weights: ClassVar[bool] = False

    def __init__(self, inner_optimizer, *, name=None):
        owner = type(self).__name__
        if isinstance(inner_optimizer, str):
            inner_optimizer = _named(owner, inner_optimizer)
        kind = keras.optimizers.Optimizer
        _check.instance(owner, "inner_optimizer", inner_optimizer, kind)
        for inner in chain(inner_optimizer):
            scaled = getattr(inner, "loss_scale_factor", None) is not None
            if scaled or isinstance(inner, keras.optimizers.LossScaleOptimizer):
                expected = (
                    "an optimizer that does not scale the loss; put "
                    "`keras.optimizers.LossScaleOptimizer` around the wrapper"
                )
                _check.fail(owner, "inner_optimizer", expected, inner)
            self._check_order(inner)
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer: Any = inner_optimizer
        self._targets = _Targets([], {})

    def _check_order(self, inner):
        own, other = type(self).__name__, type(inner).__name__
        if {self.level, getattr(inner, "level", 0)} == {2, 4}:
            expected = f"without `{other}`: it and `{own}` exclude each other"
            _check.fail(own, "inner_optimizer", expected, inner)
        level = getattr(inner, "level", 0)
        if level > self.level or level == self.level >= 2:
            expected = f"without `{other}`, which goes around: `{other}({own}(...))`"
            if own == other:
                expected = f"without another `{own}`"
            _check.fail(own, "inner_optimizer", expected, inner)
        averages = isinstance(inner, Averaging) or getattr(inner, "use_ema", False)
        if self.moves_weights and averages:
            expected = "an optimizer that does not average weights"
            _check.fail(own, "inner_optimizer", expected, inner)

    def before_build(self, variables):
        """Operation: what is to be done before the optimizer inside is built."""

    def make_state(self):
        """Operation: add variables of its own for `targets`."""

    def check_ready(self):
        """Operation: raise if a step cannot be taken; before anything is built."""

    def step(self, gradients, variables):
        """Operation: change variables by their gradients, some of which may be None."""
        raise NotImplementedError

    def build(self, variables):
        if self.built:
            return
        variables = list(variables)
        places = {id(variable): place for place, variable in enumerate(variables)}
        self._targets = _Targets(variables, places)
        self.before_build(variables)
        if not self.inner_optimizer.built:
            self.inner_optimizer.build(variables)
        self.make_state()
        super().build(variables)

    @property
    def targets(self) -> list[Any]:
        """The variables that the optimizer was built with."""
        return self._targets.variables

    def place_of(self, variable) -> int:
        """Number of one of the targets among them."""
        return self._targets.places[id(variable)]

    def slots(self, name) -> list[Any]:
        """Add a variable of zeros like each target, of float32 at least."""
        return [self._slot(variable, name) for variable in self.targets]

    def _slot(self, variable, name):
        if _backend.dtype_of(variable) in ("float16", "bfloat16"):
            return self.add_variable(variable.shape, dtype="float32", name=name)
        return self.add_variable_from_reference(variable, name=name)

    def slots_of(self, slots, variables) -> list[Any]:
        """Those of `slots` that belong to some of the targets."""
        return [slots[self.place_of(variable)] for variable in variables]

    @property
    def variables(self):
        return [*super().variables, *self.inner_optimizer.variables]

    def apply(self, grads, trainable_variables=None):
        if trainable_variables is None:
            if not self.built:
                raise ValueError(f"{self.name}: call `build(variables)` first.")
            trainable_variables = self.targets
        variables = list(trainable_variables)
        for optimizer in chain(self):
            if isinstance(optimizer, Wrapper):
                optimizer.check_ready()
        self.build(variables)
        unknown = [v.path for v in variables if id(v) not in self._targets.places]
        if unknown:
            raise ValueError(
                f"{self.name} was built with other variables than {unknown}."
            )
        self.step(list(grads), variables)

    def constrained(self, variable, value) -> Any:
        """A value for a variable, within its constraint if it has one."""
        constraint = getattr(variable, "constraint", None)
        return value if constraint is None else constraint(value)

    def inner_step(self, gradients, variables):
        """Have the optimizer inside change the variables.

        Returns:
            Whether it did, as a boolean tensor: one that accumulates gradients or
            skips a step does not.
        """
        before = _backend.copies([self.iterations])[0]
        self.inner_optimizer.apply(gradients, variables)
        return before != _backend.copies([self.iterations])[0]

    @property
    def iterations(self):
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.inner_optimizer.learning_rate = learning_rate

    def scale_loss(self, loss):
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list):
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self):
        config = {"name": self.name, **self.arguments()}
        inner = keras.saving.serialize_keras_object(self.inner_optimizer)
        return {**config, "inner_optimizer": inner}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        inner = keras.saving.deserialize_keras_object(
            config["inner_optimizer"], custom_objects=custom_objects
        )
        return cls(**{**config, "inner_optimizer": inner})


def _named(owner, name):
    try:
        return keras.optimizers.get(name)
    except ValueError:
        expected = "an optimizer, such as `perfkit.optimizers.LAMB()`, or the name of "
        expected += 'one of Keras\'s, such as "adam"'
        _check.fail(owner, "inner_optimizer", expected, name)
