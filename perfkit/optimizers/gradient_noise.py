"""Noise on gradients, less with every step."""

from typing import Any

import keras

from perfkit import _check, _random
from perfkit._backend import ops
from perfkit.ops import noise
from perfkit.optimizers.gradient_transform import GradientTransform


@keras.saving.register_keras_serializable(package="perfkit")
class GradientNoise(GradientTransform):
    """Add normal noise to gradients, of a variance that falls from step to step.

    At step t, from 0, the variance is `eta / (1 + t) ** gamma`. Draws depend on `seed`,
    the step and the variable alone, so that a resumed run draws the same ones.

    Args:
        inner_optimizer: What is applied afterwards: an optimizer or its Keras name.
        eta: Variance at the first step. At least 0; the paper takes 0.01, 0.3 and 1.
        gamma: How fast the variance falls. At least 0.
        seed: Whole number from 0 on.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> bias = keras.Variable(np.zeros(10_000))
        >>> optimizer = GradientNoise(keras.optimizers.SGD(1.0), eta=0.04)
        >>> optimizer.apply([keras.ops.zeros(10_000)], [bias])
        >>> round(float(keras.ops.std(bias)), 2)
        0.2

    Reference: Neelakantan et al., Adding Gradient Noise Improves Learning for Very Deep
        Networks, 2015, arXiv 1511.06807.
    """

    def __init__(self, inner_optimizer, eta=0.01, *, gamma=0.55, seed=0, name=None):
        super().__init__(inner_optimizer, name=name)
        self.eta = _check.number("GradientNoise", "eta", eta, 0.0)
        self.gamma = _check.number("GradientNoise", "gamma", gamma, 0.0)
        self.seed = _check.integer("GradientNoise", "seed", seed, 0, 2**31 - 1)

    def step(self, gradients, variables):
        iterations: Any = self.iterations
        key = (ops.cast(iterations, "int32"), ops.convert_to_tensor(self.seed, "int32"))
        self._bits = _random.Sampler(len(self.targets), key).bits()
        self._past = ops.cast(iterations, "float32")
        super().step(gradients, variables)

    def transform(self, gradient, variable):
        place = self.place_of(variable)
        deviation = ops.sqrt(self.eta / ops.power(1.0 + self._past, self.gamma))
        drawn = noise.nearly_normal(self._bits[place : place + 1], *gradient.shape)[0]
        return gradient + ops.cast(deviation * drawn, gradient.dtype)
