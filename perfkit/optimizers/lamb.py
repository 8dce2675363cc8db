"""Layer-wise adaptive moments for large batches."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import moments
from perfkit.optimizers._rule import Rule


@keras.saving.register_keras_serializable(package="perfkit")
class LAMB(Rule):
    """Take steps of Adam, each as long as a share of the variable's own norm.

    Made for very large batches. `keras.optimizers.Lamb` leaves weight decay out of
    the norm that it divides by, and so is another algorithm where there is decay.

    Args:
        learning_rate: Length of a step as a share of the norm of the weights. At
            least 0; a number, a schedule or a function.
        beta_1: Forgetting of the mean of gradients. Within [0, 1).
        beta_2: Forgetting of the mean of their squares. Within [0, 1).
        epsilon: Added to the root of the latter. Above 0.
        weight_decay: Share of the weights that is added to the direction, or `None`.
            At least 0.
        **kwargs: `no_decay=True` spares biases and normalization from weight decay,
            a list of patterns what they match; and those of
            `keras.optimizers.Optimizer`: `clipnorm`, `name`, ...

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> weights = keras.Variable([3.0, 4.0])
        >>> gradient = keras.ops.convert_to_tensor([1.0, 1.0])
        >>> LAMB(0.1, weight_decay=0.0).apply([gradient], [weights])
        >>> [round(float(weight), 3) for weight in weights.numpy()]
        [2.646, 3.646]

    Reference: You et al., Large Batch Optimization for Deep Learning, 2019, arXiv
        1904.00962, with their phi the identity. As there, every variable has a ratio
        of its own; it is 1 where a norm is 0.
    """

    slots = ("mean", "square")

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        weight_decay=0.01,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.beta_1 = _check.below_one("LAMB", "beta_1", beta_1)
        self.beta_2 = _check.below_one("LAMB", "beta_2", beta_2)
        self.epsilon = _check.positive("LAMB", "epsilon", epsilon)

    def step(self, gradient, weights, slots, now):
        mean = moments.mean(slots["mean"], gradient, self.beta_1)
        square = moments.mean(slots["square"], ops.square(gradient), self.beta_2)
        length = ops.sqrt(moments.unbiased(square, self.beta_2, now.count))
        direction = moments.unbiased(mean, self.beta_1, now.count)
        direction = direction / (length + self.epsilon) + now.decay * weights
        trust = moments.ratio(moments.norm(weights), moments.norm(direction))
        weights = weights - now.rate * trust * direction
        return weights, {"mean": mean, "square": square}
