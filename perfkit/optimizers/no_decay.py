"""Weight decay for weights only."""

from typing import Any

import keras

from perfkit import _check
from perfkit._train_step import chain
from perfkit.ops import variables as names
from perfkit.optimizers.wrapper import Wrapper


@keras.saving.register_keras_serializable(package="perfkit")
class NoDecay(Wrapper):
    """Spare biases and the scales and shifts of normalization from weight decay.

    For Keras's optimizers, which decay everything, and which forget what they were told
    to leave out when a model is saved. Those of perfkit take `no_decay=` themselves.

    Args:
        inner_optimizer: An optimizer with `weight_decay`, such as
            `keras.optimizers.AdamW()`.
        no_decay: True, or shell-style patterns for stretches of the paths of the
            variables to spare, such as `["bias", "embeddings", "head/*"]`.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If it does not decay weights, or a pattern matches nothing.

    Example:
        >>> import numpy as np
        >>> kernel = keras.Variable(np.ones((1, 1)), name="kernel")
        >>> bias = keras.Variable(np.ones(1), name="bias")
        >>> inner = keras.optimizers.SGD(0.5, weight_decay=0.5)
        >>> zeros = [keras.ops.zeros((1, 1)), keras.ops.zeros(1)]
        >>> NoDecay(inner).apply(zeros, [kernel, bias])
        >>> float(kernel[0, 0]), float(bias[0])
        (0.75, 1.0)

    Reference: none (standard).
    """

    def __init__(self, inner_optimizer, no_decay=True, *, name=None):
        owner = "NoDecay"
        super().__init__(inner_optimizer, name=name)
        *_, self._decaying = chain(self.inner_optimizer)
        decaying: Any = self._decaying
        if hasattr(decaying, "no_decay"):
            expected = "an optimizer of Keras; give `no_decay=` to this one"
            _check.fail(owner, "inner_optimizer", expected, decaying)
        if not decaying.weight_decay:
            expected = "an optimizer with `weight_decay`"
            _check.fail(owner, "inner_optimizer", expected, decaying)
        if no_decay is False:
            _check.fail(owner, "no_decay", "True or a list of name patterns", no_decay)
        self.no_decay = names.no_decay_choice(owner, no_decay)

    def before_build(self, variables):
        flags = names.decayed("NoDecay", self.no_decay, variables)
        spared = [v for v, flag in zip(variables, flags, strict=True) if not flag]
        self._decaying.exclude_from_weight_decay(var_list=spared)

    def step(self, gradients, variables):
        self.inner_step(gradients, variables)
