"""Adam that finds its rate."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import moments
from perfkit.optimizers._rule import Rule


@keras.saving.register_keras_serializable(package="perfkit")
class Prodigy(Rule):
    """Take steps of Adam at a rate estimated from the way gone so far.

    The rate is an estimate of the distance from the start to a solution, which only
    grows. `learning_rate` multiplies it and is left at 1, or follows a schedule that
    begins at 1. What a model was trained with is in `distance`.

    Args:
        learning_rate: Factor of the estimate. At least 0; a number, a schedule or a
            function.
        beta_1: Forgetting of the mean of gradients. Within [0, 1).
        beta_2: Forgetting of the mean of their squares; that of the estimate is its
            root. Within [0, 1).
        epsilon: Added to the root of the latter, times the estimate. Above 0.
        weight_decay: Decoupled weight decay, multiplied by the rate, or `None`. At
            least 0.
        initial_distance: The estimate at first, to be less than the truth. Above 0.
        **kwargs: `no_decay=True` spares biases and normalization from weight decay,
            a list of patterns what they match; and those of
            `keras.optimizers.Optimizer`: `clipnorm`, `name`, ...

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> weights = keras.Variable([4.0])
        >>> optimizer = Prodigy()
        >>> for _ in range(200):
        ...     optimizer.apply([keras.ops.sign(weights)], [weights])
        >>> optimizer.distance > 0.1
        True

    Reference: Mishchenko and Defazio, Prodigy, 2023, arXiv 2306.06101, algorithm 4.
        As there, means are not made unbiased, and a step has the estimate of the step
        before. With decay the way gone is counted as all that moved the weights.
    """

    slots = ("mean", "square", "sum", "way")

    def __init__(
        self,
        learning_rate=1.0,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        weight_decay=None,
        *,
        initial_distance=1e-6,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.beta_1 = _check.below_one("Prodigy", "beta_1", beta_1)
        self.beta_2 = _check.below_one("Prodigy", "beta_2", beta_2)
        self.epsilon = _check.positive("Prodigy", "epsilon", epsilon)
        self.initial_distance = _check.positive(
            "Prodigy", "initial_distance", initial_distance
        )
        self.common = {"distance": self.initial_distance, "over": 0.0, "under": 0.0}

    @property
    def distance(self) -> float:
        """The estimate that the last step was taken with."""
        if not self.built:
            return self.initial_distance
        return float(self._common["distance"].numpy())

    def begin(self, now):
        over, under = now.common["over"], now.common["under"]
        some = under > 0.0
        estimate = ops.where(some, over / ops.where(some, under, 1.0), 0.0)
        return {
            "distance": ops.maximum(now.common["distance"], estimate),
            "over": self.beta_2**0.5 * over,
            "under": 0.0 * under,
        }

    def step(self, gradient, weights, slots, now):
        # All but the rate is in units of the initial distance, whose square would
        # vanish in float32 beside small gradients.
        distance = ops.cast(now.common["distance"], weights.dtype)
        scale = distance / self.initial_distance
        mean = moments.mean(slots["mean"], scale * gradient, self.beta_1)
        square = ops.square(scale * gradient)
        square = moments.mean(slots["square"], square, self.beta_2)

        forgetting = self.beta_2**0.5
        weight = now.rate * ops.square(scale)
        total = moments.mean(slots["sum"], weight * gradient, forgetting)
        along = ops.sum(gradient * slots["way"])
        now.common["over"] += ops.cast((1.0 - forgetting) * weight * along, "float32")
        now.common["under"] += ops.cast(ops.sum(ops.abs(total)), "float32")

        direction = mean / (ops.sqrt(square) + scale * self.epsilon)
        move = now.rate * distance * (direction + now.decay * weights)
        kept = {"mean": mean, "square": square, "sum": total}
        return weights - move, {**kept, "way": slots["way"] + move}
