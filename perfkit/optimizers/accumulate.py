"""Large batches in small parts."""

from typing import Any

import keras

from perfkit import _backend, _check, _replicas
from perfkit._backend import ops
from perfkit._train_step import chain
from perfkit.graph import batch_norm
from perfkit.optimizers.weight_average import WeightAverage
from perfkit.optimizers.with_statistics import WithStatistics


@keras.saving.register_keras_serializable(package="perfkit")
class Accumulate(WithStatistics):
    """Take one step for several batches, as if they were one large batch.

    The optimizer inside, averages of weights included, sees the mean gradient once in
    `micro_steps` batches; its schedule counts these steps. What is left over at the end
    of `fit` is a step too, or wherever `flush` is called.

    Call `perfkit.optimizers.attach(model)` after `compile`: then batches count by their
    samples, so that a smaller last one weighs less, and the moving statistics of batch
    normalization move once a step, to those of all its samples. In a step each part is
    still normalized by itself. A loss that averages over fewer places than there are
    samples, because of a mask or of an ignored class, is still averaged by samples.

    It goes outermost, around other wrappers.

    Args:
        inner_optimizer: What takes the steps: an optimizer or its Keras name.
        micro_steps: Batches for a step. At least 1.
        statistics: See `WithStatistics`.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If `micro_steps` is out of bounds, or `inner_optimizer` accumulates
            gradients too, takes two gradients a step or scales the loss.

    Example:
        >>> import numpy as np
        >>> bias = keras.Variable(np.array([8.0]))
        >>> optimizer = Accumulate(keras.optimizers.SGD(1.0), micro_steps=2)
        >>> optimizer.apply([keras.ops.array([2.0])], [bias])
        >>> keras.ops.convert_to_numpy(bias).tolist()
        [8.0]
        >>> optimizer.apply([keras.ops.array([4.0])], [bias])
        >>> keras.ops.convert_to_numpy(bias).tolist()
        [5.0]

    Reference: none (standard).
    """

    level = 4

    def __init__(self, inner_optimizer, micro_steps, *, statistics=None, name=None):
        owner = "Accumulate"
        super().__init__(inner_optimizer, statistics=statistics, name=name)
        for inner in chain(self.inner_optimizer):
            if getattr(inner, "gradient_accumulation_steps", None):
                expected = "an optimizer without `gradient_accumulation_steps`"
                _check.fail(owner, "inner_optimizer", expected, inner)
        self.micro_steps = _check.integer(owner, "micro_steps", micro_steps)
        self._samples: Any = 1.0
        self._trained: set[int] = set()  # those that ever had a gradient
        self._moving: set[int] = set()  # places of layers whose statistics move

    def make_state(self):
        self.sums = self.slots("sum")
        self.total = self.add_variable((), dtype="float32", name="total")
        self.count: Any = self.add_variable((), dtype="int32", name="count")
        self._strategy = _replicas.strategy()
        super().make_state()

    def step(self, gradients, variables):
        gradients, replicas = _replicas.of_all_replicas(gradients)
        total, count = _backend.copies([self.total, self.count])
        samples = ops.cast(self._samples, "float32")
        (samples,) = _replicas.mean_of_replicas([samples])
        total, count = total + samples, count + 1
        full = count == self.micro_steps
        present = [
            (g, v) for g, v in zip(gradients, variables, strict=True) if g is not None
        ]
        variables = [variable for _, variable in present]
        slots = self.slots_of(self.sums, variables)
        sums = [
            old + ops.cast(samples, old.dtype) * ops.cast(gradient, old.dtype)
            for old, (gradient, _) in zip(_backend.copies(slots), present, strict=True)
        ]
        means = [
            ops.cast(x / ops.cast(total * replicas, x.dtype), variable.dtype)
            for x, variable in zip(sums, variables, strict=True)
        ]
        self._trained |= {id(variable) for variable in variables}
        _replicas.apply_if(full, self.inner_optimizer, means, variables)
        kept = [ops.where(full, ops.zeros_like(x), x) for x in [*sums, total, count]]
        _replicas.assign([*slots, self.total, self.count], kept)

    def flush(self):
        """Take the step for what was gathered so far, if anything was."""
        if self.built and int(self.count.numpy()):
            # Averages that the model holds are not what is trained.
            swapped = [x for x in chain(self) if getattr(x, "averaged", False)]
            for optimizer in swapped:
                optimizer.swap()
            averaging = [x for x in chain(self) if isinstance(x, WeightAverage)]
            counts = [_backend.copies([x.count])[0] for x in averaging]
            if self.watched:
                self._flush_statistics()
            _replicas.on_replicas(self._strategy, self._flush)
            for optimizer, count in zip(averaging, counts, strict=True):
                optimizer.average_statistics(count)
            for optimizer in swapped:
                optimizer.swap()

    def _flush(self):
        total = _backend.copies([self.total])[0] * _replicas.replicas()
        variables = [
            v for v in self.targets if id(v) in self._trained or not self._trained
        ]
        sums = _backend.copies(self.slots_of(self.sums, variables))
        means = [
            ops.cast(x / ops.cast(total, x.dtype), variable.dtype)
            for x, variable in zip(sums, variables, strict=True)
        ]
        self.inner_optimizer.apply(means, variables)
        kept = [*self.sums, self.total, self.count]
        _replicas.assign(kept, [ops.zeros_like(x) for x in _backend.copies(kept)])

    def finalize_variable_values(self, var_list):
        if self.built and not _backend.has_value(self.count):
            return  # or the error that `fit` broke off with would not be seen
        self.flush()
        super().finalize_variable_values(var_list)

    def around(self, step):
        """Count samples, and move the moving statistics once in a window."""
        self._samples = step.samples()
        try:
            return self._with_statistics(step) if self.watched else step.run()
        finally:
            self._samples = 1.0

    def _with_statistics(self, step):
        starts, moves = [], [None] * len(self.watched_layers)
        step.beforehand.append(lambda: starts.extend(step.read(self.watched)))
        counters = [self.count, self.iterations]
        (total,) = step.read([self.total])
        before = step.read(counters)

        def count_moves(place, inputs):
            layer = self.watched_layers[place]
            if layer.momentum < 1.0:
                many = batch_norm.parts(layer, ops.shape(inputs)[0])
                moves[place] = many if moves[place] is None else moves[place] + many

        with batch_norm.after_calls(self.watched_layers, count_moves):
            logs = step.run()
        self._moving |= {place for place, many in enumerate(moves) if many is not None}
        count, iterations = step.read(counters)
        # A step whose scaled loss overflowed is left out.
        taken = (count != before[0]) | (iterations != before[1])
        nows, old = step.read(self.watched), step.read(self.statistic_slots)
        samples = ops.cast(self._samples, "float32")
        found = self._with_batch(moves, starts, nows, total, old, samples)
        found = [
            ops.where(taken, new, was) for new, was in zip(found, old, strict=True)
        ]
        full = taken & (count == 0)
        kept = [
            now if moves[k // 2] is None else ops.where(full, end, start)
            for k, (start, now, end) in enumerate(
                zip(starts, nows, self._ends(starts, found), strict=True)
            )
        ]
        step.write(self.watched, kept)
        step.write(
            self.statistic_slots,
            [ops.where(full, ops.zeros_like(x), x) for x in found],
        )
        return logs

    def _with_batch(self, moves, starts, nows, total, old, samples):
        """Statistics of the window so far and of a batch, together."""
        found = []
        for k, (layer, many) in enumerate(zip(self.watched_layers, moves, strict=True)):
            pair = slice(2 * k, 2 * k + 2)
            if many is None:
                found += old[pair]
                continue
            exponent = ops.cast(many, "float32")
            mean, variance = batch_norm.of_calls(
                layer.momentum, exponent, starts[pair], nows[pair]
            )
            of_batch = [mean, ops.maximum(variance, 0.0)]  # rounding may go below
            found += batch_norm.pooled(total, old[pair], samples, of_batch)
        return found

    def _flush_statistics(self):
        starts = _backend.copies(self.watched)
        ends = self._ends(starts, _backend.copies(self.statistic_slots))
        places = self._moving or range(len(self.watched_layers))
        for k in places:
            for number in (2 * k, 2 * k + 1):
                self.watched[number].assign(ends[number])
        for slot in self.statistic_slots:
            slot.assign(ops.zeros(slot.shape))

    def _ends(self, starts, of_step):
        """Moving statistics after a step, from those of all its samples."""
        return [
            start + (1.0 - self.watched_layers[k // 2].momentum) * (x - start)
            for k, (start, x) in enumerate(zip(starts, of_step, strict=True))
        ]
