"""What the optimizers without a schedule share."""

from typing import Any

from perfkit import _backend, _check
from perfkit._backend import ops
from perfkit.optimizers._rule import Rule
from perfkit.optimizers.averaging import Averaging


class ScheduleFree(Averaging, Rule):
    """Step from one point, average those points, take gradients in between.

    With the fast point z, the average x of all z, and gradients at
    y = (1 - beta) z + beta x. The variables of the model hold y while training, and
    x while they are swapped.

    An optimizer says in `inner` what its beta is, and in `direction` what it makes of
    the gradient; here nothing.

    Args:
        learning_rate: See `Rule`.
        weight_decay: See `Rule`.
        warmup_steps: For so many steps the rate grows along a line. At least 0.
        step_power: Power of the step's number in the weight it has in the average. At
            least 0.
        lr_power: Power of the largest rate so far in that weight. At least 0.
        **kwargs: See `Rule`; without `use_ema`.
    """

    # `held` is `averaged` as it was when the update began.
    common = {  # noqa: RUF012
        "total": 0.0,
        "peak": 0.0,
        "share": 0.0,
        "averaged": 0.0,
        "held": 0.0,
    }

    def __init__(
        self,
        learning_rate,
        weight_decay=None,
        *,
        warmup_steps=0,
        step_power=0.0,
        lr_power=2.0,
        **kwargs,
    ):
        owner = type(self).__name__
        if kwargs.get("use_ema"):
            expected = "False: the average of the weights is kept already"
            _check.fail(owner, "use_ema", expected, True)
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.warmup_steps = _check.integer(owner, "warmup_steps", warmup_steps, 0)
        self.step_power = _check.number(owner, "step_power", step_power, 0.0)
        self.lr_power = _check.number(owner, "lr_power", lr_power, 0.0)

    def inner(self) -> float:
        """Optimizer: return beta, how far gradients are taken towards the average."""
        raise NotImplementedError

    def direction(self, gradient, slots, now) -> tuple[Any, dict[str, Any]]:  # noqa: ARG002
        """Return the direction of the fast point, and what it keeps."""
        return gradient, {}

    def factor(self, now) -> Any:
        """What the rate is multiplied by at this step."""
        if self.warmup_steps == 0:
            return 1.0
        return ops.minimum(now.count / self.warmup_steps, 1.0)

    def begin(self, now):
        common = now.common
        peak = ops.maximum(common["peak"], now.rate * self.factor(now))
        weight = ops.power(peak, self.lr_power) * ops.power(now.count, self.step_power)
        total = common["total"] + weight
        some = total > 0.0
        return {
            "total": total,
            "peak": peak,
            "share": ops.where(some, weight / ops.where(some, total, 1.0), 0.0),
            "averaged": 0.0 * peak,
            "held": common["averaged"],
        }

    def step(self, gradient, weights, slots, now):
        held = now.common["held"] > 0.0  # a step was asked for while swapped
        point = ops.where(held, slots["average"], weights)
        average = ops.where(held, weights, slots["average"])
        # Weights may have been set since the slots were made.
        first = now.count < 1.5
        average = ops.where(first, point, average)
        fast = ops.where(first, point, slots["fast"])

        direction, kept = self.direction(gradient, slots, now)
        rate = now.rate * self.factor(now)
        fast = fast - rate * (direction + now.decay * point)
        share = ops.cast(now.common["share"], fast.dtype)
        average = (1.0 - share) * average + share * fast
        beta = self.inner()
        weights = (1.0 - beta) * fast + beta * average
        return weights, {**kept, "fast": fast, "average": average}

    def make_slots(self, variable):
        """Begin at the weights, also those whose first gradient comes later."""

        def copy(_, dtype=None):
            return _backend.read(variable, dtype)

        begin: Any = copy
        make = self.add_variable_from_reference
        with _backend.outside_graph():
            points = {name: make(variable, name, begin) for name in ("fast", "average")}
        return {**super().make_slots(variable), **points}

    def exchanged(self):
        if not self.built:
            return [], None
        pairs = [
            (known.variable, known.slots["average"])
            for known in self._known
            if known.slots
        ]
        return pairs, self._common["averaged"]
