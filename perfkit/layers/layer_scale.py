"""A learned factor for each channel."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured


@keras.saving.register_keras_serializable(package="perfkit")
class LayerScale(Configured, keras.layers.Layer):
    """Multiply each channel by a learned factor that begins small.

    At the end of the branch of a residual block, which then begins as next to nothing.

    Args:
        initial: Factor at first. Within [0, 1]: 0.1 up to 18 layers, 1e-5 up to 24,
            1e-6 beyond, says the paper.
        axis: Axis of the channels.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        `(batch, ..., channels)`; same shape out.

    Raises:
        ValueError: If `initial` is out of bounds.

    Example:
        >>> import numpy as np
        >>> scaled = LayerScale(0.25)(np.full((1, 2), 3.0))
        >>> keras.ops.convert_to_numpy(scaled).tolist()
        [[0.75, 0.75]]

    Reference: Touvron et al., Going Deeper with Image Transformers, 2021, arXiv
        2103.17239.
    """

    def __init__(self, initial=1e-5, *, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.initial = _check.unit("LayerScale", "initial", initial)
        self.axis = _check.integer("LayerScale", "axis", axis, -100, 100)
        self.supports_masking = True

    def build(self, input_shape):
        channels = input_shape[self.axis]
        self.factor = self.add_weight(
            shape=(channels,),
            initializer=keras.initializers.Constant(self.initial),
            name="factor",
        )

    def call(self, inputs):
        rank = len(inputs.shape)
        shape = [1] * rank
        shape[self.axis] = -1
        return inputs * ops.reshape(self.factor, shape)

    def compute_output_shape(self, input_shape):
        return input_shape
