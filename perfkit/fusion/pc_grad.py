"""Gradients of tasks that do not work against each other."""

import dataclasses
import threading
from typing import Any

import keras

from perfkit import _check, _random, _replicas
from perfkit._backend import ops
from perfkit._train_step import fail_unattached
from perfkit.fusion.uncertainty_weighting import UncertaintyWeighting
from perfkit.ops import balance
from perfkit.optimizers import Wrapper


@dataclasses.dataclass
class _Passes:
    """Where a step has got to."""

    task: int = 0
    tasks: int = 0  # known once the first has been through the model
    penalized: bool = False
    gradients: list[Any] = dataclasses.field(default_factory=list)

    @property
    def many(self):
        return self.tasks + self.penalized


class _Running:
    """Steps by thread, of which each replica of `tf.distribute` has one.

    They take turns, wherever replicas meet. Keras would track a dictionary.
    """

    def __init__(self):
        self._passes = {}

    def here(self) -> Any:
        """The step of this replica, or None."""
        return self._passes.get(threading.get_ident())

    def begin(self, model):
        """Begin a step, for all replicas if it is the first."""
        if not self._passes:
            model.compute_loss = _of_one_task(model, self)
        passes = self._passes[threading.get_ident()] = _Passes()
        return passes

    def end(self, model):
        """End the step, for all replicas if it is the last."""
        del self._passes[threading.get_ident()]
        if not self._passes:
            _put_back(model)


@keras.saving.register_keras_serializable(package="perfkit")
class PCGrad(Wrapper):
    """Take from the gradient of each task what works against another task.

    The tasks are the outputs of the model, each with a loss of its own in `compile`.
    Where the gradients of two point apart, over the variables that both have, each is
    projected onto the plane at right angles to the other; the sum of all is applied.
    Where none do, that is a step without it. Penalties of weights are added as they
    are. Losses and metrics in the logs stay those of the model.

    A step goes once through the model for each task, and once more if there are
    penalties. All see the same dropout, and moving statistics move once.

    It needs a train step: call `perfkit.optimizers.attach(model)` after `compile`. The
    loss may not be scaled: use `mixed_bfloat16`, or with `mixed_float16` compile with
    `auto_scale_loss=False`.

    Args:
        inner_optimizer: What is applied afterwards: an optimizer or its Keras name.
        seed: Whole number from 0 on, for the order of the tasks, which is drawn for
            each of them in each step.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If `seed` is out of bounds, or, while training, without `attach`,
            with a scaled loss, or with a model of one output.

    Example:
        >>> import numpy as np
        >>> from perfkit import optimizers
        >>> inputs = keras.Input((3,))
        >>> hidden = keras.layers.Dense(4)(inputs)
        >>> ends = [keras.layers.Dense(1, name=name)(hidden) for name in ("a", "b")]
        >>> model = keras.Model(inputs, ends)
        >>> model.compile(PCGrad("sgd"), loss={"a": "mse", "b": "mae"})
        >>> optimizers.attach(model)
        >>> y = {"a": np.ones((4, 1)), "b": np.zeros((4, 1))}
        >>> history = model.fit(np.ones((4, 3)), y, verbose=0)

    Reference: Yu et al., Gradient Surgery for Multi-Task Learning, 2020, arXiv
        2001.06782. With `tf.distribute` the gradients are those of the whole batch.
    """

    level = 2

    def __init__(self, inner_optimizer, *, seed=0, name=None):
        super().__init__(inner_optimizer, name=name)
        self.seed = _check.integer("PCGrad", "seed", seed, 0, 2**31 - 1)
        self._running = _Running()

    def check_ready(self):
        if self._running.here() is None:
            fail_unattached(self.name, "takes a gradient for each task")

    def attached_to(self, model):
        """Refuse a model whose loss is scaled, or which has one task."""
        if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
            raise ValueError(
                f"{self.name} cannot work on a scaled loss, of which some steps are "
                "left out. Compile with `auto_scale_loss=False`, or use the policy "
                "`mixed_bfloat16`."
            )
        if isinstance(model, UncertaintyWeighting):
            expected = "another model: the weights of `UncertaintyWeighting` are "
            expected += "learned from all tasks at once"
            _check.fail("attach", "model", expected, model)
        outputs = getattr(model, "output", None)
        if outputs is not None and len(keras.tree.flatten(outputs)) < 2:
            _check.fail("attach", "model", "one of several outputs", model)

    def around(self, step):
        """Run a step for each task, and apply in the last what all say."""
        model = step.model
        kept = [*model.non_trainable_variables, *model.metrics_variables]
        before = step.read(kept)
        passes = self._running.begin(model)
        try:
            logs = step.run()
            while passes.task + 1 < passes.many:
                passes.task += 1
                step.write(kept, before)
                logs = step.run()
        finally:
            self._running.end(model)
        return logs

    def step(self, gradients, variables):
        passes = self._running.here()
        found, replicas = _replicas.of_all_replicas(list(gradients))
        passes.gradients.append(found)
        if len(passes.gradients) < passes.many:
            return
        tasks, penalties = passes.gradients[: passes.tasks], passes.gradients[-1]
        combined = self._combined(tasks)
        if passes.penalized:
            combined = [_sum(pair) for pair in zip(combined, penalties, strict=True)]
        combined = [
            None if total is None else ops.cast(total, variable.dtype) / replicas
            for total, variable in zip(combined, variables, strict=True)
        ]
        self.inner_step(combined, variables)

    def _order(self, tasks):
        iterations: Any = self.iterations
        key = (ops.cast(iterations, "int32"), ops.convert_to_tensor(self.seed, "int32"))
        drawn = ops.reshape(_random.Sampler(tasks * tasks, key).uniform(), (tasks, -1))
        return ops.cast(ops.argsort(drawn, axis=1), "int32")

    def _combined(self, tasks):
        """The sum of what is left of the gradients of each variable."""
        many = len(tasks)
        columns, products = [], ops.zeros((many, many, many), "float32")
        for gradients in zip(*tasks, strict=True):
            present = [g for g in gradients if g is not None]
            if not present:
                columns.append(None)
                continue
            zeros = ops.zeros_like(present[0])
            stacked = ops.stack([zeros if g is None else g for g in gradients])
            rows = ops.cast(ops.reshape(stacked, (many, -1)), "float32")
            # On JAX a task without the variable has zeros for a gradient.
            has = ops.cast(ops.any(rows != 0, axis=1), "float32")
            products = products + has[:, None, None] * _products(rows)
            columns.append((stacked, has))
        shares = balance.without_conflicts(products, self._order(many))
        changes = shares - ops.eye(many, dtype="float32")
        combined = []
        for column in columns:
            if column is None:
                combined.append(None)
                continue
            stacked, has = column
            factors = 1.0 + ops.sum(has[:, None] * changes, axis=0)
            shape = (many, *[1] * (len(stacked.shape) - 1))
            factors = ops.cast(ops.reshape(factors, shape), stacked.dtype)
            combined.append(ops.sum(factors * stacked, axis=0))
        return combined


def _products(rows):
    """Inner products of all rows, exact where a matrix product may not be."""
    return ops.sum(rows[:, None] * rows[None, :], axis=2)


def _sum(values):
    present = [value for value in values if value is not None]
    return sum(present) if present else None


def _of_one_task(model, running):
    """The loss of a model, of which only that of one output has a gradient.

    After the outputs there are the penalties, whose gradient is that of no task.
    """
    plain = model.compute_loss

    def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
        passes = running.here()
        outputs = keras.tree.flatten(y_pred)
        if len(outputs) < 2:
            raise ValueError(
                "PCGrad is for models of several outputs, each of which is a task. "
                f"Received: {len(outputs)}"
            )
        penalties = list(model.losses)
        passes.tasks, passes.penalized = len(outputs), bool(penalties)
        cut = [
            output if number == passes.task else ops.stop_gradient(output)
            for number, output in enumerate(outputs)
        ]
        cut = keras.tree.pack_sequence_as(y_pred, cut)
        total = plain(x, y, cut, sample_weight, training=training)
        if penalties and passes.task < len(outputs):
            added = sum(penalties) / _replicas.replicas()  # as Keras adds them
            total = total - added + ops.stop_gradient(added)
        return total

    compute_loss.__dict__["own"] = vars(model).get("compute_loss")
    return compute_loss


def _put_back(model):
    """Give a model the `compute_loss` that it had, its own or that of its class."""
    own = model.compute_loss.own
    if own is None:
        del model.compute_loss
    else:
        model.compute_loss = own
