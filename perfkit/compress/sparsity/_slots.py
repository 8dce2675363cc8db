"""Variables that an optimizer keeps while a model is pruned.

On JAX only what belongs to the optimizer reaches the place within a step where a
constraint is applied. TensorFlow refuses to save an optimizer that a variable was taken
off, so there it does not get them. Files are as without them: the optimizer's own part
has its own variables, and these are a part of their own, which a file may lack.
"""

import dataclasses
from typing import Any

import keras

from perfkit import _backend, _check
from perfkit._train_step import chain

_ATTRIBUTE = "perfkit_pruning"


class Slots:
    """The variables of one callback in the optimizer of a model.

    Args:
        owner: Name of the callback, for errors.
        model: A compiled model. Its optimizer is built if it is not.
    """

    def __init__(self, owner, model):
        *_, self._optimizer = chain(model.optimizer)
        kind = keras.optimizers.Optimizer
        _check.instance(owner, "optimizer", self._optimizer, kind)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        self._replicas = getattr(model, "distribute_strategy", None)
        self._added: list[Any] = []

    def add(self, like, name, dtype, initializer) -> Any:
        """Add a variable of the shape of another one."""
        if self._replicas is None:
            variable = self._made(like, name, dtype, initializer)
        else:
            with self._replicas.scope():
                variable = self._made(like, name, dtype, initializer)
        self._added.append(variable)
        _saved(self._optimizer).kept.append(variable)
        return variable

    def _made(self, like, name, dtype, initializer):
        name = f"{like.path.replace('/', '_')}_{name}"
        if _backend.engine() == "jax":
            add = self._optimizer.add_variable
            return add(like.shape, initializer, dtype, name=name)
        options = {"shape": like.shape, "dtype": dtype, "trainable": False}
        return keras.Variable(initializer, name=name, **options)

    def remove(self):
        """Take all of them out of the optimizer again."""
        for variable in self._added:
            if _backend.engine() == "jax":
                _backend.take_off_variable(self._optimizer, variable)
        if self._added:
            _forget(self._optimizer, self._added)
        self._added = []


@dataclasses.dataclass
class _Kept:
    """In an object of its own, which Keras does not track."""

    variables: list[Any]


class _Saved(keras.Layer):
    """What files of the optimizer have besides its own variables.

    A layer, for Keras saves those that it finds in what it saves.
    """

    def __init__(self):
        super().__init__(name=_ATTRIBUTE)
        self._kept = _Kept([])

    @property
    def kept(self) -> list[Any]:
        """The variables."""
        return self._kept.variables

    def save_own_variables(self, store):
        for number, variable in enumerate(self.kept):
            store[str(number)] = variable

    def load_own_variables(self, store):
        found = [store[str(number)] for number in range(len(store.keys()))]
        shapes = [tuple(value.shape) for value in found]
        if not found:  # made without
            return
        if shapes != [tuple(variable.shape) for variable in self.kept]:
            raise ValueError(
                "The file is of a run that pruned other kernels, or by another "
                "criterion: go on with the same `Pruning` callback."
            )
        for variable, value in zip(self.kept, found, strict=True):
            variable.assign(value)


def _saved(optimizer):
    if _ATTRIBUTE not in vars(optimizer):
        saved = vars(optimizer)[_ATTRIBUTE] = _Saved()

        def own():
            kept = {id(variable) for variable in saved.kept}
            every = enumerate(optimizer.variables)
            return [str(k) for k, variable in every if id(variable) not in kept]

        def save_own_variables(store):
            entries: dict[str, Any] = {}
            type(optimizer).save_own_variables(optimizer, entries)
            for number, place in enumerate(own()):
                store[str(number)] = entries[place]

        def load_own_variables(store):
            places = own()
            if len(store.keys()) != len(places):  # Keras words the warning
                type(optimizer).load_own_variables(optimizer, store)
                return
            entries = {str(k): v.numpy() for k, v in enumerate(optimizer.variables)}
            for number, place in enumerate(places):
                entries[place] = store[str(number)]
            type(optimizer).load_own_variables(optimizer, entries)

        vars(optimizer)["save_own_variables"] = save_own_variables
        vars(optimizer)["load_own_variables"] = load_own_variables
    return vars(optimizer)[_ATTRIBUTE]


def _forget(optimizer, variables):
    saved = vars(optimizer)[_ATTRIBUTE]
    gone = set(map(id, variables))
    saved.kept[:] = [v for v in saved.kept if id(v) not in gone]
    if not saved.kept:
        for name in (_ATTRIBUTE, "save_own_variables", "load_own_variables"):
            del vars(optimizer)[name]
