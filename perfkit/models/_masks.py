"""Layers that say which steps count, and keep the others out."""

import keras

from perfkit._backend import dtype_of, ops


@keras.saving.register_keras_serializable(package="perfkit")
class SeenSteps(keras.layers.Layer):
    """Say which steps are not padding: tokens, or features, that are not all 0."""

    def call(self, inputs):
        seen = ops.not_equal(inputs, ops.zeros((), dtype=dtype_of(inputs)))
        return ops.any(seen, axis=-1) if len(inputs.shape) == 3 else seen

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape[:2], dtype="bool")


@keras.saving.register_keras_serializable(package="perfkit")
class HideSteps(keras.layers.Layer):
    """Put zeros where steps do not count.

    A mask of Keras ends here: layers behind that know none would warn of it.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, previous_mask=None):  # noqa: ARG002  Keras fixes them
        return None

    def call(self, inputs, seen):
        return ops.where(ops.expand_dims(seen, -1), inputs, ops.zeros_like(inputs))

    def compute_output_shape(self, inputs_shape, seen_shape):  # noqa: ARG002  Keras fixes them
        return inputs_shape


@keras.saving.register_keras_serializable(package="perfkit")
class EverySecond(keras.layers.Layer):
    """Keep every second step of a mask."""

    def call(self, inputs):
        return inputs[:, ::2]

    def compute_output_spec(self, inputs):
        batch, steps = inputs.shape
        steps = None if steps is None else -(-steps // 2)
        return keras.KerasTensor((batch, steps), dtype="bool")


@keras.saving.register_keras_serializable(package="perfkit")
class CarryMask(keras.layers.Layer):
    """Hand a mask on as that of Keras, so that losses and metrics leave steps out."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return ops.copy(inputs[0])

    def compute_mask(self, inputs, previous_mask=None):  # noqa: ARG002  Keras fixes them
        return inputs[1]

    def compute_output_shape(self, input_shape):
        return input_shape[0]
