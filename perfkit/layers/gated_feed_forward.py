"""The family of dense layers whose units are multiplied by gates."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured

_MULTIPLE = 8


class GatedFeedForward(Configured, keras.layers.Layer):
    """Pass features through units that gates multiply, and back.

    In place of the two dense layers of a transformer's block. Gates are an activation
    of a projection of their own, so there are three kernels; with two thirds of the
    units it has as many weights.

    Args:
        units: Units between. At least 1; `None` for 8/3 of the channels, rounded up to
            a multiple of 8, as many weights as two dense layers with four times the
            channels between them.
        output_units: Channels out, or `None` for as many as come in. At least 1.
        use_bias: Whether there are biases.
        kernel_initializer: See `keras.layers.Dense`.
        **kwargs: See `keras.layers.Layer`.
    """

    def __init__(
        self,
        units=None,
        *,
        output_units=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        owner = type(self).__name__
        if units is not None:
            units = _check.integer(owner, "units", units)
        if output_units is not None:
            output_units = _check.integer(owner, "output_units", output_units)
        self.units = units
        self.output_units = output_units
        self.use_bias = _check.boolean(owner, "use_bias", use_bias)
        self._initializer: Any = keras.initializers.get(kernel_initializer)
        self.supports_masking = True

    @property
    def kernel_initializer(self) -> Any:
        """What makes the kernels, in a form that can be saved."""
        return keras.initializers.serialize(self._initializer)

    def gate(self, values) -> Any:
        """Operation: what a projection is made into before it multiplies."""
        raise NotImplementedError

    def build(self, input_shape):
        channels = input_shape[-1]
        units = self.units or -(-8 * channels // (3 * _MULTIPLE)) * _MULTIPLE
        # Gates first: one product for both.
        self.expand = self._dense(channels, 2 * units, "expand")
        self.reduce = self._dense(units, self.output_units or channels, "reduce")

    def _dense(self, inputs, outputs, name):
        layer = keras.layers.Dense(
            outputs,
            use_bias=self.use_bias,
            kernel_initializer=self._initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, inputs))
        return layer

    def call(self, inputs):
        gates, values = ops.split(self.expand(inputs), 2, axis=-1)
        return self.reduce(self.gate(gates) * values)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.output_units or input_shape[-1])
