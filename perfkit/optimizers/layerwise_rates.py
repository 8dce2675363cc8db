"""A learning rate for each part of a model."""

import itertools
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from perfkit import _backend, _check, _replicas
from perfkit._backend import ops
from perfkit.ops import variables as names
from perfkit.optimizers.wrapper import Wrapper


@keras.saving.register_keras_serializable(package="perfkit")
class LayerwiseRates(Wrapper):
    """Multiply what each variable moves by a factor of its own.

    The factor counts for all that the optimizer inside does, weight decay included: a
    variable with 0 stays exactly as it is, and goes on when it is set to more. Moving
    statistics are not trained, and move until their layer is frozen itself. Factors
    live among the optimizer's variables, so `set` changes them between steps, in a
    callback too (there by `self.model`, which has JAX give values back), without
    another `compile`. `multipliers` says what each variable got.

    Args:
        inner_optimizer: What moves the variables: an optimizer or its Keras name.
        rates: Factors of at least 0 by shell-style patterns for a stretch of a
            variable's path, such as `{"backbone": 0.1, "*/bias": 2.0}`; where several
            match, the last. Each has to match something.
        by_depth: Factor of each layer for the next one, as seen from the input: the
            last layer with weights has 1, the one before it `by_depth`, the one before
            that its square. A layer inside of another one, as in attention, counts too.
            Above 0, at most 1. It is multiplied by that of `rates`.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer or a pattern no string.
        ValueError: If an argument is out of bounds, if neither factor is given, if
            `inner_optimizer` is one that keeps a second copy of the weights, or, when
            variables are known, if a pattern matches none.

    Example:
        >>> layers = [keras.layers.Dense(2, name=name) for name in ("body", "head")]
        >>> model = keras.Sequential([keras.Input((3,)), *layers], name="net")
        >>> optimizer = LayerwiseRates("adam", {"bias": 2.0}, by_depth=0.5)
        >>> optimizer.build(model.trainable_variables)
        >>> for path, factor in optimizer.multipliers.items():
        ...     print(path, factor)
        net/body/kernel 0.5
        net/body/bias 1.0
        net/head/kernel 1.0
        net/head/bias 2.0

    Reference: Howard and Ruder, Universal Language Model Fine-tuning for Text
        Classification, 2018, arXiv 1801.06146. They divide rates by 2.6 from layer to
        layer, which is `by_depth=0.385`.
    """

    moves_weights = True

    def __init__(self, inner_optimizer, rates=None, *, by_depth=None, name=None):
        owner = "LayerwiseRates"
        super().__init__(inner_optimizer, name=name)
        if not rates and by_depth is None:
            _check.fail(owner, "rates", "given where `by_depth` is not", rates)
        if not isinstance(rates, (Mapping, type(None))):
            expected = "a mapping of patterns to factors; `by_depth=` takes a number"
            _check.fail(owner, "rates", expected, rates)
        if not all(isinstance(pattern, str) for pattern in rates or ()):
            expected = "a mapping of name patterns, such as 'backbone', to factors"
            _check.fail(owner, "rates", expected, rates, TypeError)
        self._rates = _Rates(
            {
                pattern: _check.number(owner, "rates", factor, 0.0)
                for pattern, factor in (rates or {}).items()
            }
        )
        self.by_depth = by_depth
        if by_depth is not None:
            self.by_depth = _check.positive(owner, "by_depth", by_depth, 1.0)

    @property
    def rates(self) -> dict[str, float]:
        """Factors by pattern."""
        return dict(self._rates.factors)

    def make_state(self):
        variables = self.targets
        factors = self._of_depth(variables)
        for pattern in self.rates:
            hits = names.matched("LayerwiseRates", "rates", [pattern], variables)
            self._rates.by_pattern[pattern] = hits
        for place in range(len(variables)):
            hits = [p for p, hit in self._rates.by_pattern.items() if hit[place]]
            if hits:
                factors[place] *= self.rates[hits[-1]]
        begin: Any = lambda _, dtype: ops.convert_to_tensor(factors, dtype)  # noqa: E731
        self.factors = self.add_variable(
            (len(variables),),
            initializer=begin,
            dtype="float32",
            name="factors",
        )

    def _of_depth(self, variables):
        if self.by_depth is None:
            return [1.0] * len(variables)
        layers = [names.path(variable).rpartition("/")[0] for variable in variables]
        # Layers in other models may have the same path: a change is another layer.
        changes = [a != b for a, b in itertools.pairwise(layers)]
        depths = list(itertools.accumulate(changes, initial=0))
        return [self.by_depth ** (depths[-1] - depth) for depth in depths]

    @property
    def multipliers(self) -> dict[str, float]:
        """Factor of each variable, by its path."""
        values: Any = keras.ops.convert_to_numpy(self._known_factors())
        paths = [names.path(variable) for variable in self.targets]
        return dict(zip(paths, map(float, values), strict=True))

    def _known_factors(self):
        if not self.built:
            raise ValueError(
                f"{self.name}: call `build(model.trainable_variables)` first."
            )
        return self.factors

    def set(self, pattern, factor):
        """Change the factor of variables from the next step on.

        Args:
            pattern: Shell-style pattern for a stretch of their paths.
            factor: Their new factor, whatever they had. At least 0.

        Raises:
            ValueError: If the pattern matches nothing, `factor` is below 0, or the
                optimizer has not been built.
        """
        known = self._known_factors()
        hits = names.matched("set", "pattern", [pattern], self.targets)
        self._assign(known, {place: factor for place, hit in enumerate(hits) if hit})

    def set_each(self, pairs):
        """Change the factors of variables that are at hand from the next step on.

        Args:
            pairs: Pairs of a variable and its new factor, which is at least 0.

        Raises:
            ValueError: If the optimizer does not train a variable, a factor is below
                0, or the optimizer has not been built.
        """
        known, places = self._known_factors(), {}
        for variable, factor in pairs:
            if id(variable) not in self._targets.places:
                expected = "variables that the optimizer was built with"
                _check.fail("set_each", "pairs", expected, names.path(variable))
            places[self.place_of(variable)] = factor
        self._assign(known, places)

    def _assign(self, known, factors):
        values = np.array(keras.ops.convert_to_numpy(known))
        for place, factor in factors.items():
            values[place] = _check.number("set", "factor", factor, 0.0)
        self.factors.assign(values)

    def step(self, gradients, variables):
        before = _backend.copies(variables)
        (factors,) = _backend.copies([self.factors])
        self.inner_step(gradients, variables)
        moved = []
        for variable, old, new in zip(
            variables, before, _backend.copies(variables), strict=True
        ):
            factor = ops.cast(factors[self.place_of(variable)], new.dtype)
            between = self.constrained(variable, old + factor * (new - old))
            between = ops.where(factor == 0, old, between)
            moved.append(ops.where(factor == 1, new, between))
        _replicas.assign(variables, moved)


class _Rates:
    """Dictionaries in an object of their own, which Keras does not track."""

    def __init__(self, factors):
        self.factors = factors
        self.by_pattern = {}
