"""The train step of a model, with what its optimizers do around it.

An optimizer sees gradients and trainable weights. One that needs more, a second
gradient or the moving statistics of the model, has a method `around(step)`, which gets
a `Step` and runs it.
"""

import functools
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

import keras

from perfkit import _backend, _check, _replicas
from perfkit._backend import ops


def chain(optimizer):
    """An optimizer and those inside it, from the outside."""
    while optimizer is not None:
        yield optimizer
        optimizer = getattr(optimizer, "inner_optimizer", None)


def attach(model) -> None:
    """Let the train step of a compiled model do all that its optimizer asks for.

    Some optimizers need more of a step than the gradients: `SharpnessAware` a second
    gradient, `WeightAverage` the moving statistics of the model, `Accumulate` these and
    the number of samples. Call this once, after `compile`, and again on a model that
    was loaded; one that is compiled again stays attached. It works on a `train_step`
    of your own too, if that changes weights through `self.optimizer`.

    Args:
        model: A built and compiled `keras.Model`.

    Raises:
        TypeError: If `model` is no model.
        ValueError: If it is not built or not compiled, or its optimizer cannot work
            with it, or was built for other variables.

    Example:
        >>> from perfkit import optimizers
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.compile(optimizers.SharpnessAware("sgd", rho=0.1), "mse")
        >>> optimizers.attach(model)
        >>> history = model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)

    Reference: none (standard).
    """
    _check.instance("attach", "model", model, keras.Model)
    if getattr(model, "optimizer", None) is None:
        _check.fail("attach", "model", "compiled with an optimizer", model)
    _check.built("attach", "model", model)
    known = getattr(model.train_step, "known", None)
    if known is None:
        model.train_step = _train_step(model, model.train_step)
        model.make_train_function = _maker(model, model.make_train_function)
    _tell(model)
    changed = getattr(model.train_step, "known", None) != known
    if changed and getattr(model, "train_function", None) is not None:
        model.make_train_function(force=True)


def fail_unattached(name, why) -> NoReturn:
    """Raise the error of an optimizer that has to know the model."""
    raise ValueError(
        f"{name} {why}: call `perfkit.optimizers.attach(model)` after `compile`, and "
        "after `load_model`. On JAX make or load the model anew before: with any error "
        "in `fit` Keras loses its weights."
    )


def find(model, kind):
    """Find the optimizer of a kind in that of a model, inside of whatever it is.

    After `load_model`, or where Keras scales the loss, it is how to get at it.

    Args:
        model: A compiled `keras.Model`.
        kind: A class, such as `LayerwiseRates`.

    Returns:
        The outermost optimizer of that class.

    Raises:
        ValueError: If there is none.

    Example:
        >>> from perfkit import optimizers
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> rates = optimizers.LayerwiseRates("adam", {"kernel": 0.5})
        >>> model.compile(optimizers.WeightAverage(rates), "mse")
        >>> optimizers.find(model, optimizers.LayerwiseRates) is rates
        True

    Reference: none (standard).
    """
    optimizers = list(chain(getattr(model, "optimizer", None)))
    found = [optimizer for optimizer in optimizers if isinstance(optimizer, kind)]
    if not found:
        names = ", ".join(type(optimizer).__name__ for optimizer in optimizers)
        expected = f"one of those of the model: {names or 'none, it is not compiled'}"
        _check.fail("find", "kind", expected, kind)
    return found[0]


def _tell(model):
    """Let the optimizers know the model, which may be compiled with others by now."""
    optimizers = list(chain(model.optimizer))
    _check_variables(model, optimizers)
    for optimizer in optimizers:
        if hasattr(optimizer, "attached_to"):
            optimizer.attached_to(model)
    shapes = [len(getattr(x, "statistics", ())) for x in optimizers]
    model.train_step.__dict__["known"] = [*map(id, optimizers), *shapes]


def _check_variables(model, optimizers):
    built_for = [x.targets for x in optimizers if x.built and hasattr(x, "targets")]
    for targets in built_for:
        known = {id(variable) for variable in targets}
        new = [v.path for v in model.trainable_variables if id(v) not in known]
        if new:
            more = f" and {len(new) - 2} more" if len(new) > 2 else ""
            expected = "compiled with a new optimizer: the one it has was built for "
            expected += f"other variables and not for {', '.join(new[:2])}{more}"
            _check.fail("attach", "model", expected, model.optimizer)
        fewer = len(model.trainable_variables) < len(targets)
        if fewer and keras.backend.backend() == "jax":
            expected = "compiled with a new optimizer, as this one was built when there"
            expected += " was more to train, which Keras cannot leave out on JAX"
            _check.fail("attach", "model", expected, model.optimizer)


def _train_step(model, plain):
    def train_step(*arguments, due=True):
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        step = _step(model, plain, *arguments)
        step.due = due
        logs = step.run()
        for act in step.afterwards:
            act()
        return step.result(logs)

    train_step.__dict__["known"] = []
    return train_step


def plain_step(model, plain, *arguments) -> "Step":
    """A step for which optimizers do nothing around the plain one.

    For a model that does something around its own train step, inside what optimizers
    do. Its optimizer is built.
    """
    step = _step(model, plain, *arguments)
    step.without_optimizers()
    return step


def _step(model, plain, *arguments):
    kind = _JaxStep if keras.backend.backend() == "jax" else Step
    return kind(model, plain, *arguments)


def _maker(model, plain):
    """Like the model's `make_train_function`, for optimizers with a rhythm too."""

    def make_train_function(force=False):
        if model.train_function is not None and not force:
            return
        _tell(model)
        rhythms = [x for x in chain(model.optimizer) if getattr(x, "every_step", 1) > 1]
        if not rhythms:
            plain(force=True)
            return
        if model.steps_per_execution > 1:
            expected = "compiled with `steps_per_execution=1`, as steps differ"
            _check.fail("attach", "model", expected, model)
        step, functions = model.train_step, {}
        try:
            for due in (True, False):
                model.train_step = functools.partial(step, due=due)
                plain(force=True)
                functions[due] = model.train_function
        finally:
            model.train_step = step
        model.train_function = _Rhythm(rhythms[0], functions, model)

    return make_train_function


class _Rhythm:
    """Run one of two compiled steps.

    A choice within a step would be cheaper to write, but XLA runs convolutions inside a
    condition ten times as slowly on the CPU. Steps are counted here, for to ask the
    optimizer is to wait for the step before; it is asked once for each iterator.
    """

    def __init__(self, optimizer, functions, model):
        self._optimizer = optimizer
        self._functions = functions
        self._model = model
        self._iterator: Any = lambda: None
        self._count = 0

    def __call__(self, *arguments):
        if self._iterator() is not arguments[-1]:
            self._count = self._asked(*arguments)
            self._iterator = weakref.ref(arguments[-1])
        due = self._count % self._optimizer.every_step == 0
        self._count += 1
        return self._functions[due](*arguments)

    def _asked(self, *arguments):
        iterations = self._optimizer.iterations
        if len(arguments) == 1:
            return int(iterations.numpy())
        variables = [id(variable) for variable in self._model.optimizer.variables]
        return int(arguments[0][2][variables.index(id(iterations))])


class Step:
    """One step of a model that is being traced, on variables that hold their values.

    Args:
        model: The model.
        plain: Its own train step.
        data: The batch.

    Attributes:
        due: Whether this is a step of the rhythm that an optimizer has.
        beforehand: Functions to call before the plain step, after what optimizers do
            before it.
        afterwards: Functions to call after what optimizers do after it.
    """

    due = True

    def __init__(self, model, plain, data):
        self.model = model
        self.data = data
        self.beforehand: list[Callable[[], None]] = []
        self.afterwards: list[Callable[[], None]] = []
        self._plain = plain
        self._around = [
            optimizer.around
            for optimizer in chain(model.optimizer)
            if hasattr(optimizer, "around")
        ]

    def run(self):
        """Run the step once and return its logs; optimizers inside come last."""
        if not self._around:
            for act in self.beforehand:
                act()
            return self._run_plain()
        around, *self._around = self._around
        try:
            return around(self)
        finally:
            self._around = [around, *self._around]

    def without_optimizers(self):
        """Leave out what optimizers do around the step."""
        self._around = []

    def _run_plain(self):
        return self._plain(self.data)

    def result(self, logs):
        """What Keras expects of the train step."""
        return logs

    def samples(self):
        """Number of samples in the batch."""
        first = next(x for x in keras.tree.flatten(self.data) if x is not None)
        return ops.shape(first)[0]

    def read(self, variables) -> list[Any]:
        """The values of variables now."""
        return _backend.copies(variables)

    def write(self, variables, values):
        """Give variables of the model, or those of its optimizer, other values."""
        own = {id(variable) for variable in self.model.optimizer.variables}
        if variables and id(variables[0]) in own:
            _replicas.assign(variables, _replicas.mean_of_replicas(values))
            return
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


class _JaxStep(Step):
    """On JAX, where the values of variables travel through the step."""

    def __init__(self, model, plain, state, data):
        super().__init__(model, plain, data)
        self._state = tuple(list(values) for values in state)
        kinds = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        self._places = {
            id(variable): (kind, number)
            for kind, variables in enumerate(kinds)
            for number, variable in enumerate(variables)
        }

    def _run_plain(self):
        logs, state = self._plain(self._state, self.data)
        self._state = tuple(list(values) for values in state)
        return logs

    def result(self, logs):
        return logs, self._state

    def read(self, variables):
        places = [self._places[id(variable)] for variable in variables]
        return [self._state[kind][number] for kind, number in places]

    def write(self, variables, values):
        state = tuple(list(values) for values in self._state)
        for variable, value in zip(variables, values, strict=True):
            kind, number = self._places[id(variable)]
            state[kind][number] = ops.cast(value, variable.dtype)
        self._state = state
