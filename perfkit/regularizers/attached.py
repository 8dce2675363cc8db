"""The report of what was put on kernels or taken off them."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras


@dataclasses.dataclass(frozen=True)
class Attached:
    """Report what `attach`, `constrain` or `detach` touched, and undo it.

    Attributes:
        kernels: Path of each variable in the model, such as `block/dense/kernel`.
        placed: What each of `kernels` has now, in the same order: a regularizer, a
            constraint, or `None` where it was taken off.
        replaced: What a kernel had before, by path, where it had another one.
        frozen: Those of `kernels` that are not trainable. Keras leaves their penalties
            out of the loss until they are.
        unsaved: Those of `kernels` whose layer has no argument that says the same, so
            that a clone or a file of the model does not have it.
        penalty: What `kernels` add to the loss now, at least 0.
    """

    kernels: tuple[str, ...]
    placed: tuple[Any, ...]
    replaced: Mapping[str, str]
    frozen: tuple[str, ...]
    unsaved: tuple[str, ...]
    penalty: float
    _undo: Callable[[], None] = dataclasses.field(repr=False, compare=False)

    def undo(self) -> None:
        """Give the model back what it had before, penalties and layers' arguments.

        On the model itself: a clone or a loaded file has none of it to give back; take
        it off there with `detach`. What was put on later has to be undone first.

        Raises:
            ValueError: If a kernel has something else by now. Nothing is changed.
        """
        self._undo()

    def __str__(self):
        kinds = list(dict.fromkeys(described(value) for value in self.placed))
        noun = "kernel" if len(self.kernels) == 1 else "kernels"
        header = f"{kinds[0] if len(kinds) == 1 else 'Several kinds'} on "
        header += f"{len(self.kernels)} {noun}"
        if isinstance(self.placed[0], keras.Regularizer):
            header += f", adds {self.penalty:.4g} to the loss"
        lines = [header]
        for path, value in zip(self.kernels, self.placed, strict=True):
            own = f": {described(value)}" if len(kinds) > 1 else ""
            former = f", was {self.replaced[path]}" if path in self.replaced else ""
            frozen = ", frozen" if path in self.frozen else ""
            unsaved = ", not saved" if path in self.unsaved else ""
            lines.append(f"  {path}{own}{former}{frozen}{unsaved}")
        return "\n".join(lines)


def described(value) -> str:
    """Name a regularizer or a constraint and its arguments."""
    if value is None:
        return "nothing"
    try:
        config = value.get_config()
    except (AttributeError, NotImplementedError):
        return getattr(value, "__name__", type(value).__name__)
    values = ", ".join(
        f"{key}={item:.6g}" if isinstance(item, float) else f"{key}={item}"
        for key, item in config.items()
        if item is not None
    )
    return f"{type(value).__name__}({values})"
