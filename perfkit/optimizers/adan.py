"""Adaptive Nesterov momentum."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import moments
from perfkit.optimizers._rule import Rule


@keras.saving.register_keras_serializable(package="perfkit")
class Adan(Rule):
    """Take adaptive steps along the mean gradient and the mean of its changes.

    Takes larger rates than Adam, and keeps four numbers a weight.

    Args:
        learning_rate: At least 0; a number, a schedule or a function.
        beta_1: Forgetting of the mean of gradients. Within [0, 1).
        beta_2: Forgetting of the mean of their changes. Within [0, 1).
        beta_3: Forgetting of the mean of squares. Within [0, 1).
        epsilon: Added to the root of the latter. Above 0.
        weight_decay: Decoupled weight decay, multiplied by the rate, or `None`. At
            least 0.
        **kwargs: `no_decay=True` spares biases and normalization from weight decay,
            a list of patterns what they match; and those of
            `keras.optimizers.Optimizer`: `clipnorm`, `name`, ...

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> weights = keras.Variable([3.0, 4.0])
        >>> gradient = keras.ops.convert_to_tensor([0.0, 2.0])
        >>> Adan(0.1, weight_decay=0.0).apply([gradient], [weights])
        >>> [round(float(weight), 3) for weight in weights.numpy()]
        [3.0, 3.9]

    Reference: Xie et al., Adan: Adaptive Nesterov Momentum Algorithm, 2022, arXiv
        2208.06677, without restarts. Our `beta` is 1 minus theirs, and means begin at
        0 and are made unbiased, as in the authors' code; decay divides by 1 +
        `learning_rate * weight_decay`, as there.
    """

    slots = ("mean", "change", "square", "gradient")

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.98,
        beta_2=0.92,
        beta_3=0.99,
        epsilon=1e-8,
        weight_decay=0.02,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.beta_1 = _check.below_one("Adan", "beta_1", beta_1)
        self.beta_2 = _check.below_one("Adan", "beta_2", beta_2)
        self.beta_3 = _check.below_one("Adan", "beta_3", beta_3)
        self.epsilon = _check.positive("Adan", "epsilon", epsilon)

    def step(self, gradient, weights, slots, now):
        difference = ops.where(now.count > 1.0, gradient - slots["gradient"], 0.0)
        ahead = gradient + self.beta_2 * difference
        mean = moments.mean(slots["mean"], gradient, self.beta_1)
        change = moments.mean(slots["change"], difference, self.beta_2)
        square = moments.mean(slots["square"], ops.square(ahead), self.beta_3)
        length = ops.sqrt(moments.unbiased(square, self.beta_3, now.count))
        direction = moments.unbiased(mean, self.beta_1, now.count)
        change_now = moments.unbiased(change, self.beta_2, now.count)
        direction = (direction + self.beta_2 * change_now) / (length + self.epsilon)
        weights = (weights - now.rate * direction) / (1.0 + now.rate * now.decay)
        kept = {"mean": mean, "change": change, "square": square}
        return weights, {**kept, "gradient": gradient}
