"""Adam with a rectified start."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import moments
from perfkit.optimizers._rule import Rule


@keras.saving.register_keras_serializable(package="perfkit")
class RAdam(Rule):
    """Take steps of Adam, short ones while the mean of squares is of few gradients.

    In place of a warm-up. In the first few steps, five with `beta_2=0.999`, the
    gradients are not scaled at all.

    Args:
        learning_rate: At least 0; a number, a schedule or a function.
        beta_1: Forgetting of the mean of gradients. Within [0, 1).
        beta_2: Forgetting of the mean of their squares. Within [0, 1).
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
        >>> RAdam(0.1).apply([gradient], [weights])
        >>> [round(float(weight), 3) for weight in weights.numpy()]
        [3.0, 3.8]

    Reference: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond,
        2019, arXiv 1908.03265. `epsilon` is not in the paper; as there, steps are
        scaled where the length is above 4, in the authors' code from 5 on.
    """

    slots = ("mean", "square")

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        weight_decay=None,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.beta_1 = _check.below_one("RAdam", "beta_1", beta_1)
        self.beta_2 = _check.below_one("RAdam", "beta_2", beta_2)
        self.epsilon = _check.positive("RAdam", "epsilon", epsilon)

    def step(self, gradient, weights, slots, now):
        mean = moments.mean(slots["mean"], gradient, self.beta_1)
        square = moments.mean(slots["square"], ops.square(gradient), self.beta_2)
        length = ops.sqrt(moments.unbiased(square, self.beta_2, now.count))
        finite, factor = moments.rectification(self.beta_2, now.count)
        scale = ops.where(finite, factor / (length + self.epsilon), 1.0)
        direction = scale * moments.unbiased(mean, self.beta_1, now.count)
        weights = weights - now.rate * (direction + now.decay * weights)
        return weights, {"mean": mean, "square": square}
