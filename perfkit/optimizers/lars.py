"""Layer-wise adaptive rates for large batches."""

import keras

from perfkit import _check
from perfkit.ops import moments
from perfkit.optimizers._rule import Rule


@keras.saving.register_keras_serializable(package="perfkit")
class LARS(Rule):
    """Take steps of SGD with momentum, each as long as a share of the variable's norm.

    Made for very large batches of images.

    Args:
        learning_rate: Rate of all layers. At least 0; a number, a schedule or a
            function. It is multiplied by the small `trust_coefficient`, so that it is
            of the order of 1 to 10.
        momentum: Share of the last step that is taken again. Within [0, 1).
        trust_coefficient: Length of a step as a share of the norm of the weights,
            at the rate 1. Above 0.
        weight_decay: Share of the weights that is added to the gradient, or `None`.
            At least 0.
        **kwargs: `no_decay=True` spares biases and normalization from weight decay,
            a list of patterns what they match; and those of
            `keras.optimizers.Optimizer`: `clipnorm`, `name`, ...

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> weights = keras.Variable([3.0, 4.0])
        >>> gradient = keras.ops.convert_to_tensor([0.0, 2.0])
        >>> optimizer = LARS(1.0, trust_coefficient=0.1, weight_decay=0.0)
        >>> optimizer.apply([gradient], [weights])
        >>> [round(float(weight), 3) for weight in weights.numpy()]
        [3.0, 3.5]

    Reference: You et al., Large Batch Training of Convolutional Networks, 2017, arXiv
        1708.03888. The rate has no default there. A variable whose weights or whose
        gradient is 0, of which the paper says nothing, takes a plain step.
    """

    slots = ("velocity",)

    def __init__(
        self,
        learning_rate=1.0,
        momentum=0.9,
        trust_coefficient=0.001,
        weight_decay=0.0005,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.momentum = _check.below_one("LARS", "momentum", momentum)
        self.trust_coefficient = _check.positive(
            "LARS", "trust_coefficient", trust_coefficient
        )

    def step(self, gradient, weights, slots, now):
        size = moments.norm(weights)
        trust = moments.ratio(
            self.trust_coefficient * size, moments.norm(gradient) + now.decay * size
        )
        move = now.rate * trust * (gradient + now.decay * weights)
        velocity = self.momentum * slots["velocity"] + move
        return weights - velocity, {"velocity": velocity}
