"""Several dropout masks at once."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.dropping import Dropping


@keras.saving.register_keras_serializable(package="perfkit")
class MultiSampleDropout(Dropping, keras.layers.Wrapper):
    """Average what a layer makes of its inputs under several dropout masks.

    Around the last layer, or a `Sequential` of the last ones. While training the batch
    goes through it under `samples` masks at once, and the outputs are averaged; at
    inference it goes once, and nothing is dropped.

    A layer that is linear, such as a `Dense` of logits, makes of the average of masks
    the average of outputs: by itself that is but a weaker dropout. `loss` adds what the
    average of the losses is above the loss of the average, which needs no labels, so
    that what is trained is the average of the losses.

    Args:
        layer: A `keras.Layer` of one output.
        samples: Masks. At least 1.
        rate: Share of the inputs that is dropped. Within [0, 1).
        loss: What the model's loss makes of the outputs: `"softmax"` for a categorical
            and `"sigmoid"` for a binary crossentropy, each of logits; or `None` for
            any other, to average outputs alone.
        **kwargs: See `Dropping` (`seed`, ...).

    Shape:
        As the wrapped layer.

    Raises:
        TypeError: If `layer` is none.
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> dense = keras.layers.Dense(1, kernel_initializer="ones")
        >>> layer = MultiSampleDropout(dense, samples=1000, seed=1)
        >>> ones = np.ones((1, 4))
        >>> float(layer(ones)[0, 0]), round(float(layer(ones, training=True)[0, 0]))
        (4.0, 4)

    Reference: Inoue, Multi-Sample Dropout, 2019, arXiv 1905.09788, which averages the
        losses; so does this with `loss`, but for weights of samples or classes, which
        do not reach what is added.
    """

    def __init__(self, layer, samples=8, rate=0.5, *, loss=None, **kwargs):
        _check.instance("MultiSampleDropout", "layer", layer, keras.Layer)
        super().__init__(rate, layer=layer, **kwargs)
        owner = "MultiSampleDropout"
        self.samples = _check.integer(owner, "samples", samples)
        if loss is not None:
            _check.one_of(owner, "loss", loss, ("sigmoid", "softmax"))
        self.loss = loss
        self.supports_masking = layer.supports_masking

    def arguments(self):
        own = super().arguments()
        del own["layer"]  # which Keras writes
        return own

    def drop(self, inputs):
        return self.enlarged(inputs, 1.0 - self.hits(ops.shape(inputs), self.rate))

    def call(self, inputs, training=False):
        if not training or self.rate == 0.0:
            return self.layer(inputs)
        ones = (1,) * (len(inputs.shape) - 1)
        outputs = self.layer(self.drop(ops.tile(inputs, (self.samples, *ones))))
        exact = "float64" if self.compute_dtype == "float64" else "float32"
        each = ops.cast(outputs, exact)
        each = ops.reshape(each, (self.samples, -1, *ops.shape(outputs)[1:]))
        mean = ops.mean(each, axis=0)
        if self.loss is not None:
            curve = ops.softplus if self.loss == "sigmoid" else _log_of_sum
            self.add_loss(ops.mean(curve(each)) - ops.mean(curve(mean)))
        return ops.cast(mean, outputs.dtype)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)


def _log_of_sum(logits):
    return ops.logsumexp(logits, axis=-1)
