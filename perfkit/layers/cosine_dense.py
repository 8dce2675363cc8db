"""Class scores that are cosines."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import contrastive


@keras.saving.register_keras_serializable(package="perfkit")
class CosineDense(Configured, keras.layers.Layer):
    """Score classes by the cosine of features and class vectors, times a scale.

    Instead of the last `Dense` where classes have few samples or very different
    numbers of them: the length of a class vector, which grows with its samples, does
    not count. The outputs are logits.

    Args:
        units: Classes. At least 1.
        scale: What cosines are multiplied by at first. Above 0. A crossentropy cannot
            become small where it is, the less so the more classes there are.
        learned: Whether the scale is trained.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        `(batch, ..., channels)`; `(batch, ..., units)` out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer = CosineDense(2, scale=10)
        >>> layer.build((None, 2))
        >>> layer.set_weights([np.array([[9.0, 0.0], [0.0, 1.0]]), np.array(10.0)])
        >>> [round(float(x), 4) for x in layer(np.array([[3.0, 4.0]]))[0]]
        [6.0, 8.0]

    Reference: Gidaris and Komodakis, Dynamic Few-Shot Visual Learning without
        Forgetting, 2018, arXiv 1804.09458; Wang et al., NormFace, 2017, arXiv
        1704.06369. Without a margin, which is of the loss.
    """

    def __init__(self, units, *, scale=16.0, learned=True, **kwargs):
        super().__init__(**kwargs)
        self.units = _check.integer("CosineDense", "units", units)
        self.scale = _check.positive("CosineDense", "scale", scale)
        self.learned = _check.boolean("CosineDense", "learned", learned)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer="glorot_uniform",
            name="kernel",
        )
        self.factor = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.scale),
            trainable=self.learned,
            name="factor",
        )

    def call(self, inputs):
        exact = "float64" if self.compute_dtype == "float64" else "float32"
        features = contrastive.directions(ops.cast(inputs, exact), -1)
        vectors = contrastive.directions(ops.cast(self.kernel, exact), 0)
        logits = ops.matmul(features, vectors) * ops.cast(self.factor, exact)
        return ops.cast(logits, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)
