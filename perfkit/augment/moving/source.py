"""What the translations from other libraries have in common."""

from typing import Any, NoReturn

from perfkit import _check
from perfkit.augment.apply import RandomApply
from perfkit.augment.base import Augment
from perfkit.augment.pipeline import Pipeline
from perfkit.augment.rescaling import Rescaling

# A class and its arguments: a layer to be.
Recipe = tuple[type[Augment], dict[str, Any]]


class Source:
    """An operation of another library, to be read argument by argument.

    An argument that nobody read is one that nobody translated.

    Args:
        owner: Name of the function that translates.
        operation: How an error names the operation: its class and its place.
        values: Its arguments by name.
        p: Probability that it is applied.
        version: Of the other library, for errors.
    """

    def __init__(self, owner, operation, values, p=1.0, version=""):
        self.owner, self.operation, self.version = owner, operation, version
        self.values = dict(values)
        self.p = p

    def refuse(self, reason) -> NoReturn:
        """Raise the error that there is no equivalent."""
        _check.untranslated(self.owner, self.operation, reason)

    def take(self, name) -> Any:
        """Read an argument."""
        if name not in self.values:
            self.refuse(f"it lacks the argument `{name}`{self.version}.")
        return self.values.pop(name)

    def neutral(self, name, *allowed) -> None:
        """Read an argument that may have but a few values."""
        value = self.take(name)
        if value not in allowed:
            names = " or ".join(map(repr, allowed))
            self.refuse(f"`{name}` has to be {names}. Received: {name}={value!r}")

    def one_of(self, name, table) -> Any:
        """Read an argument and look it up."""
        value = self.take(name)
        if value not in table:
            self.refuse(f"there is no `{name}` like it. Received: {name}={value!r}")
        return table[value]

    def number(self, name) -> float:
        """Read an argument that may be one number for each channel, but all alike."""
        value = self.take(name)
        numbers = value if isinstance(value, (list, tuple)) else [value]
        if len(set(numbers)) != 1:
            reason = f"`{name}` has to be one number for all channels."
            self.refuse(f"{reason} Received: {name}={value!r}")
        return float(numbers[0])

    def size(self, name, size, value) -> tuple[int, int]:
        """Height and width, which an argument in pixels needs."""
        if size is None:
            reason = f"`{name}` is in pixels. Pass `image_size=(height, width)` too."
            self.refuse(f"{reason} Received: {name}={value!r}")
        return size

    def done(self) -> None:
        """Raise an error if an argument was not read."""
        for name, value in self.values.items():
            self.refuse(f"`{name}` is not known{self.version}. Received: {value!r}")

    def make(self, cls, arguments) -> Augment:
        """Make a layer; an error of its own names the operation too."""
        try:
            return cls(**arguments)
        except (TypeError, ValueError) as error:
            self.refuse(str(error))

    def layers(self, recipes: list[Recipe]) -> list[Augment]:
        """The layers of an operation, all of them applied with its probability."""
        self.done()
        if self.p == 1.0 or not recipes:
            return [self.make(*recipe) for recipe in recipes]
        if not all(cls.random for cls, _ in recipes):
            self.refuse(f"it has to be applied to every image. Received: p={self.p}")
        if len(recipes) == 1:
            ((cls, arguments),) = recipes
            return [self.make(cls, {**arguments, "rate": self.p})]
        return [RandomApply([self.make(*recipe) for recipe in recipes], rate=self.p)]


def nothing() -> Augment:
    """A layer that changes nothing."""
    return Rescaling(1.0)


def as_one(layers: list[Augment]) -> Augment:
    """One layer that stands for several, or for none."""
    if len(layers) == 1:
        return layers[0]
    return Pipeline(layers) if layers else nothing()


def pipeline(layers: list[Augment], seed, arguments) -> Pipeline:
    """The result of a translation."""
    layers = layers or [nothing()]
    if seed is None or not any(layer.random for layer in layers):
        return Pipeline(layers, **arguments)
    return Pipeline(layers, seed=seed, **arguments)


def reciprocal(low, high):
    """`RandomZoom`'s factor for images enlarged by `low` to `high`."""
    return 1.0 / high - 1.0, 1.0 / low - 1.0


def symmetric(source, name, pair) -> float:
    """Half the width of a range around 0, if that is what it is."""
    low, high = pair
    if abs(low + high) > 1e-9 * max(1.0, abs(high)):
        source.refuse(f"`{name}` has to be as far either way. Received: {name}={pair}")
    return float(high)
