"""The loss of one output, which can be asked for what it was."""

from typing import Any

import keras

from perfkit._backend import ops


@keras.saving.register_keras_serializable(package="perfkit")
class TaskLoss(keras.losses.Loss):
    """Compute a loss and keep its value until it is taken.

    Args:
        loss: A `keras.losses.Loss`, or the name of one, or a function.
    """

    def __init__(self, loss):
        self.loss: Any = keras.losses.get(loss)
        super().__init__(name=getattr(self.loss, "name", None) or "task_loss")
        self._values = []

    def __call__(self, y_true, y_pred, sample_weight=None):
        if isinstance(self.loss, keras.losses.Loss):
            value = self.loss(y_true, y_pred, sample_weight)
        else:
            value = super().__call__(y_true, y_pred, sample_weight)
        self._values = [value]
        return value

    def call(self, y_true, y_pred):
        ranks = len(y_true.shape), len(y_pred.shape)
        if ranks[1] == ranks[0] + 1 and y_pred.shape[-1] == 1:
            y_true = ops.expand_dims(y_true, axis=-1)
        return self.loss(y_true, y_pred)

    def take(self):
        """The value at the last call, which is forgotten."""
        return self._values.pop()

    def get_config(self):
        return {"loss": keras.losses.serialize(self.loss)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.losses.deserialize(config["loss"]))
