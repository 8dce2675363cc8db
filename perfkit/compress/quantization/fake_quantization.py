"""A tensor as a quantized file will have it."""

import math

import keras

from perfkit import _check, _replicas
from perfkit._backend import keras_ops as ops
from perfkit.ops import fake_quantization


@keras.saving.register_keras_serializable(package="perfkit")
class FakeQuantization(keras.layers.Layer):
    """Round a tensor to the levels of an integer type, within a range that it learns.

    There are `2 ** bits` levels, evenly apart within the range; 0 is one of them. In
    training the range is a moving mean of the least and greatest values of batches,
    begun with those of the first one. At inference, and when the layer is frozen, it
    stays. Gradients pass the rounding within the range, and are 0 outside.

    Args:
        bits: Bits of a value, within [2, 16].
        momentum: How much of the range stays at each batch, within [0, 1].
        fixed: The range `(low, high)`, if it shall never move. It has to contain 0.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        A tensor of any shape; the same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer = FakeQuantization(2, fixed=(0.0, 3.0))
        >>> keras.ops.convert_to_numpy(layer(np.array([-1.0, 0.7, 2.4, 9.0]))).tolist()
        [0.0, 1.0, 2.0, 3.0]

    Reference: Jacob et al., Quantization and Training of Neural Networks, 2018, arXiv
        1712.05877.
    """

    def __init__(self, bits=8, *, momentum=0.99, fixed=None, **kwargs):
        super().__init__(**kwargs)
        owner = "FakeQuantization"
        self.bits = _check.integer(owner, "bits", bits, 2, 16)
        self.momentum = _check.unit(owner, "momentum", momentum)
        self.fixed = None if fixed is None else _range(owner, fixed)
        self.supports_masking = True

    def build(self, input_shape=None):  # noqa: ARG002
        low, high = self.fixed or (0.0, 0.0)
        self.low, self.high = self._state("low", low), self._state("high", high)
        self.seen = self._state("seen", 0.0 if self.fixed is None else 1.0)

    def call(self, inputs, training=None):
        if training and self.trainable and self.fixed is None:
            stays = ops.where(self.seen > 0.0, self.momentum, 0.0)
            moves = 1.0 - stays
            values = ops.cast(inputs, "float32")
            low = ops.min(_replicas.gathered(ops.min(values)))
            high = ops.max(_replicas.gathered(ops.max(values)))
            self.low.assign(stays * self.low + moves * ops.minimum(low, 0.0))
            self.high.assign(stays * self.high + moves * ops.maximum(high, 0.0))
            self.seen.assign(ops.ones(()))
        return fake_quantization.activations(inputs, self.low, self.high, self.bits)

    def set_range(self, low, high) -> None:
        """Set the range, made to contain 0; training goes on from there."""
        if not math.isfinite(low) or not math.isfinite(high):
            where = f"two finite numbers; what {self.name!r} rounds is not finite"
            _check.fail("FakeQuantization.set_range", "low, high", where, (low, high))
        self.low.assign(min(low, 0.0))
        self.high.assign(max(high, 0.0))
        self.seen.assign(1.0)

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs, training=None):  # noqa: ARG002
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def get_config(self):
        own = {"bits": self.bits, "momentum": self.momentum, "fixed": self.fixed}
        return {**super().get_config(), **own}

    def _state(self, name, value):
        return self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(value),
            trainable=False,
            autocast=False,  # a moving mean moves by less than half precision holds
            dtype="float32",
            name=name,
        )


def _range(owner, value) -> tuple[float, float]:
    low, high = _check.span(owner, "fixed", tuple(value), -1e30, 1e30)
    if not low <= 0.0 <= high or low == high:
        _check.fail(owner, "fixed", "a range (low, high) that contains 0", value)
    return low, high
