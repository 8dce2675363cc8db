"""Learned weights of the losses of several outputs."""

from typing import Any

import keras

from perfkit import _check, _replicas
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.fusion._task_loss import TaskLoss


@keras.saving.register_keras_serializable(package="perfkit")
class UncertaintyWeighting(Configured, keras.Model):
    """Train a model of several outputs with losses that are weighted by uncertainty.

    Each task has a log-variance s, learned with the weights. Its loss L counts as
    exp(-s) L + s / 2: a task whose loss stays large gets less weight, and one that is
    nearly solved gets more, whatever the units of the losses. At rest the weighted
    losses are all equal to 1/2. Compile it as the model itself, with a loss for each
    output, then `fit`. Losses in the logs by output are without weight; the total may
    become negative.

    Args:
        model: A Functional `keras.Model` of several outputs. It is what to save, or
            export, after training.
        regression: Names of outputs whose loss is a squared error, which counts as
            exp(-s) L / 2 + s / 2 in the paper. At rest it has the same weight.
        **kwargs: See `keras.Model`.

    Shape:
        Inputs and outputs of `model`.

    Raises:
        TypeError: If `model` is not a `keras.Model`.
        ValueError: If it has one output, or `regression` names none of them; in
            `compile`, if there are no losses by output, or `loss_weights`.

    Example:
        >>> import numpy as np
        >>> inputs = keras.Input((3,))
        >>> ends = [keras.layers.Dense(1, name=name)(inputs) for name in ("a", "b")]
        >>> model = UncertaintyWeighting(keras.Model(inputs, ends))
        >>> model.compile("sgd", loss={"a": "mse", "b": "mae"})
        >>> y = {"a": np.ones((4, 1)), "b": np.full((4, 1), 9.0)}
        >>> history = model.fit(np.zeros((4, 3)), y, verbose=0)
        >>> model.task_weights["a"] > model.task_weights["b"]
        True

    Reference: Kendall et al., Multi-Task Learning Using Uncertainty to Weigh Losses,
        2017, arXiv 1705.07115.
    """

    def __init__(self, model, *, regression=(), **kwargs):
        owner = "UncertaintyWeighting"
        _check.instance(owner, "model", model, keras.Model)
        outputs = getattr(model, "output", None) if model.built else None
        if len(keras.tree.flatten(outputs)) < 2:
            expected = "a Functional model of several outputs"
            _check.fail(owner, "model", expected, model)
        super().__init__(**kwargs)
        self.model = model
        keys = sorted(outputs) if isinstance(outputs, dict) else model.output_names
        self._names = [str(key) for key in keys]
        self.regression = [regression] if isinstance(regression, str) else regression
        self.regression = list(self.regression)
        unknown = set(self.regression) - set(self._names)
        if unknown:
            expected = f"names of outputs, which are {', '.join(self._names)}"
            _check.fail(owner, "regression", expected, sorted(unknown))
        self.log_variances = self.add_weight(
            shape=(len(self._names),),
            initializer="zeros",
            dtype="float32",
            name="log_variances",
        )
        self._tasks: dict[str, TaskLoss] = {}
        self.built = True

    @property
    def output_names(self):
        """Names by which losses and metrics go."""
        return self.model.output_names

    @property
    def task_weights(self) -> dict[str, float]:
        """What the loss of each output is multiplied by at the moment."""
        values: Any = keras.ops.convert_to_numpy(self.log_variances)
        pairs = zip(self._names, values, strict=True)
        return {
            name: self._factor(name) * float(ops.exp(-value)) for name, value in pairs
        }

    def _factor(self, name):
        return 0.5 if name in self.regression else 1.0

    def call(self, inputs, training=None):
        return self.model(inputs, training=training)

    def compile(self, optimizer="rmsprop", loss=None, loss_weights=None, **kwargs):
        """Compile with a loss for each output; see `keras.Model.compile`."""
        owner = "compile"
        if loss_weights is not None:
            expected = "left out, as the weights are learned"
            _check.fail(owner, "loss_weights", expected, loss_weights)
        names = list(loss) if isinstance(loss, dict) else self._names
        fits = isinstance(loss, (dict, list, tuple)) and len(loss) == len(names)
        if not fits or not set(names) <= set(self._names):
            expected = f"a dictionary or list of losses of {', '.join(self._names)}"
            _check.fail(owner, "loss", expected, loss)
        losses: Any = loss.values() if isinstance(loss, dict) else loss
        tasks = {
            name: one if isinstance(one, TaskLoss) else TaskLoss(one)
            for name, one in zip(names, losses, strict=True)
            if one is not None
        }
        if len(tasks) < 2:
            _check.fail(owner, "loss", "losses of at least two outputs", loss)
        by_name = {name: tasks.get(name) for name in names}
        wrapped: Any = by_name if isinstance(loss, dict) else list(by_name.values())
        super().compile(optimizer=optimizer, loss=wrapped, **kwargs)
        self._tasks = tasks

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        super().compute_loss(x, y, y_pred, sample_weight, training)
        replicas = _replicas.replicas()  # Keras has divided the losses by as many
        total: Any = sum(self.losses) / replicas
        variances = ops.convert_to_tensor(self.log_variances)
        for name, task in self._tasks.items():
            log = variances[self._names.index(name)]
            value = ops.cast(task.take(), "float32")
            total = total + self._factor(name) * ops.exp(-log) * value
            total = total + 0.5 * log / replicas
        return total

    @classmethod
    def from_config(cls, config, custom_objects=None):
        model = keras.saving.deserialize_keras_object(config["model"], custom_objects)
        return cls(**{**config, "model": model})
