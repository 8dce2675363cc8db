"""Adam that trusts gradients which are as expected."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import moments
from perfkit.optimizers._rule import Rule


@keras.saving.register_keras_serializable(package="perfkit")
class AdaBelief(Rule):
    """Take steps of Adam, long ones where gradients are as their mean foretells.

    The mean gradient is divided by the root of the mean squared deviation from it,
    where Adam takes the mean square.

    Args:
        learning_rate: At least 0; a number, a schedule or a function.
        beta_1: Forgetting of the mean of gradients. Within [0, 1).
        beta_2: Forgetting of the mean of squared deviations. Within [0, 1).
        epsilon: Added to the latter at each step, and to its root. Above 0.
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
        >>> AdaBelief(0.1).apply([gradient], [weights])
        >>> [round(float(weight), 3) for weight in weights.numpy()]
        [3.0, 3.889]

    Reference: Zhuang et al., AdaBelief Optimizer, 2020, arXiv 2010.07468. `epsilon`
        is that of the authors' code.
    """

    slots = ("mean", "deviation")

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-16,
        weight_decay=None,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.beta_1 = _check.below_one("AdaBelief", "beta_1", beta_1)
        self.beta_2 = _check.below_one("AdaBelief", "beta_2", beta_2)
        self.epsilon = _check.positive("AdaBelief", "epsilon", epsilon)

    def step(self, gradient, weights, slots, now):
        mean = moments.mean(slots["mean"], gradient, self.beta_1)
        surprise = ops.square(gradient - mean)
        deviation = moments.mean(slots["deviation"], surprise, self.beta_2)
        deviation = deviation + self.epsilon
        length = ops.sqrt(moments.unbiased(deviation, self.beta_2, now.count))
        direction = moments.unbiased(mean, self.beta_1, now.count)
        direction = direction / (length + self.epsilon) + now.decay * weights
        weights = weights - now.rate * direction
        return weights, {"mean": mean, "deviation": deviation}
