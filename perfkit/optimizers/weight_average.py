"""An average of the weights, along the way."""

from typing import Any

import keras

from perfkit import _backend, _check, _replicas
from perfkit._backend import ops
from perfkit.optimizers.averaging import Averaging
from perfkit.optimizers.with_statistics import WithStatistics


@keras.saving.register_keras_serializable(package="perfkit")
class WeightAverage(Averaging, WithStatistics):
    """Keep an average of the weights beside those that are trained.

    An exponential moving average (EMA) with a warm-up by default. An equal average
    (SWA) is `decay=1.0, warm_up=1.0` with `start=` and `every=` of some epochs' steps.

    The average moves once for each step that the optimizer inside takes. Have
    `perfkit.callbacks.SwapWeights` put it into the model for validation, for saving and
    at the end, or call `swap`. That callback attaches it to the model too, so that the
    moving statistics of batch normalization are averaged as the weights are; without
    it call `perfkit.optimizers.attach(model)`.

    Args:
        inner_optimizer: What trains: an optimizer or its Keras name.
        decay: Share of the average that stays at each step, in the end. Within [0, 1].
        warm_up: How fast it gets there: after n averages the share is at most
            `1 - (1 + n) ** -warm_up`. Above 0: 2/3 reaches 0.999 after 31,600 steps,
            0.75 after 10,000; 1 is the equal average of all until `decay` is reached.
            None for `decay` from the second step on.
        start: Optimizer steps before the first average, at least 0. Until then the
            average is the weights.
        every: Steps from one average to the next. At least 1.
        statistics: See `WithStatistics`.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If an argument is out of bounds, or `inner_optimizer` averages
            weights too or scales the loss.

    Example:
        >>> bias = keras.Variable([0.0])
        >>> optimizer = WeightAverage(keras.optimizers.SGD(1.0), 1.0, warm_up=1.0)
        >>> for _ in range(3):
        ...     optimizer.apply([keras.ops.array([-1.0])], [bias])
        >>> optimizer.swap()
        >>> keras.ops.convert_to_numpy(bias).tolist()
        [2.0]

    Reference: Polyak and Juditsky, Acceleration of Stochastic Approximation by
        Averaging, 1992; Izmailov et al., Averaging Weights Leads to Wider Optima, 2018,
        arXiv 1803.05407. They compute moving statistics anew; `SwapWeights` can.
    """

    level = 3
    moves_weights = True

    def __init__(
        self,
        inner_optimizer,
        decay=0.999,
        *,
        warm_up=2 / 3,
        start=0,
        every=1,
        statistics=None,
        name=None,
    ):
        owner = "WeightAverage"
        super().__init__(inner_optimizer, statistics=statistics, name=name)
        self.decay = _check.unit(owner, "decay", decay)
        self.warm_up = warm_up
        if warm_up is not None:
            self.warm_up = _check.positive(owner, "warm_up", warm_up)
        if self.decay == 1.0 and self.warm_up is None:
            expected = "given where `decay` is 1, or the average would stay the first"
            _check.fail(owner, "warm_up", expected, warm_up)
        self.start = _check.integer(owner, "start", start, 0)
        self.every = _check.integer(owner, "every", every)

    def make_state(self):
        self.averages = self.slots("average")
        self.steps: Any = self.add_variable((), dtype="int32", name="steps")
        self.count = self.add_variable((), dtype="int32", name="count")
        self.swapped = self.add_variable((), dtype="int32", name="swapped")
        super().make_state()

    def exchanged(self):
        # Before the first step the averages are the weights.
        if not self.built or not int(self.steps.numpy()):
            return [], None
        variables = [*self.targets, *self.watched]
        slots = [*self.averages, *self.statistic_slots]
        return list(zip(variables, slots, strict=False)), self.swapped

    def swap(self):
        self.check_ready()
        super().swap()

    def begin_statistics(self):
        for slot, variable in zip(self.statistic_slots, self.watched, strict=True):
            slot.assign(_backend.read(variable))

    def _moved(self, averages, values, count):
        """Averages one further, or the values themselves before the first."""
        many = ops.cast(count, "float32")
        stays = self.decay
        if self.warm_up is not None:
            bound = 1.0 - ops.power(1.0 + many, -self.warm_up)
            stays = ops.minimum(bound, self.decay)
        stays = ops.where(count == 0, 0.0, stays)
        moved = []
        for average, value in zip(averages, values, strict=True):
            share = ops.cast(1.0 - stays, average.dtype)
            value = ops.cast(value, average.dtype)
            further = average + share * (value - average)
            moved.append(ops.where(count == 0, value, further))
        return moved

    def step(self, gradients, variables):
        slots = self.slots_of(self.averages, variables)
        steps, count, swapped = _backend.copies([self.steps, self.count, self.swapped])
        averages = _backend.copies(slots)
        held = _backend.copies(variables)
        # Training goes on from where it was, if it was left with the averages.
        pairs = list(zip(held, averages, strict=True))
        away = swapped == 1
        _replicas.assign(variables, [_either(away, a, w) for w, a in pairs])
        averages = [_either(away, w, a) for w, a in pairs]

        stepped = self.inner_step(gradients, variables)
        steps = steps + ops.cast(stepped, "int32")
        since = steps - self.start
        due = stepped & (since > 0) & (since % self.every == 0)
        moves = due | (count == 0)
        further = self._moved(averages, _backend.copies(variables), count)
        averages = [
            ops.where(moves, new, old)
            for new, old in zip(further, averages, strict=True)
        ]
        counts = [steps, count + ops.cast(due, "int32"), ops.zeros_like(swapped)]
        _replicas.assign(
            [*slots, self.steps, self.count, self.swapped], [*averages, *counts]
        )

    def around(self, step):
        """Average the moving statistics after a step."""
        counters = [self.count, self.swapped]
        before, swapped = step.read(counters)
        variables = [*self.targets, *self.watched]
        slots = [*self.averages, *self.statistic_slots]
        held, kept = step.read(variables), step.read(slots)
        pairs, away = list(zip(held, kept, strict=True)), swapped == 1
        step.write(variables, [_either(away, k, h) for h, k in pairs])
        step.write(slots, [_either(away, h, k) for h, k in pairs])
        step.write([self.swapped], [ops.zeros_like(swapped)])
        # After all that goes around this one, which may have a say in the statistics.
        step.afterwards.append(
            lambda: self.average_statistics(before, step.read, step.write)
        )
        return step.run()

    def average_statistics(self, before, read=_backend.copies, write=None):
        """Average the moving statistics, if the weights were.

        Args:
            before: What `count` was before that step.
            read: Function of variables that gives their values.
            write: Function of variables and values; None to assign them.
        """
        if not self.watched:
            return
        averages, (after,) = read(self.statistic_slots), read([self.count])
        further = self._moved(averages, read(self.watched), before)
        moves = (after != before) | (before == 0)
        pairs = zip(further, averages, strict=True)
        values = [ops.where(moves, new, old) for new, old in pairs]
        (write or _assign)(self.statistic_slots, values)


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _either(flag, first, second):
    """One of two values, in the dtype of the second."""
    return ops.where(flag, ops.cast(first, second.dtype), second)
