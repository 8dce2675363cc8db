"""Kernels as a length times a direction."""

import keras

from perfkit import _backend, _check
from perfkit.graph import kernels as known
from perfkit.graph.substituting import call_with
from perfkit.ops import kernels

_KINDS = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)


@keras.saving.register_keras_serializable(package="perfkit")
class WeightNormalization(keras.layers.Wrapper):
    """Train the length and the direction of each unit's weights by themselves.

    The kernel that the wrapped layer uses is `g v / |v|` for each output unit: `v` is
    the layer's own variable, of which only the direction counts, and `g`, the length,
    is a weight of the wrapper. It begins as `|v|`, so that wrapping a layer, trained or
    not, changes nothing at first. `kernel` is the product, to be given to a layer
    without the wrapper: `plain.set_weights([wrapper.kernel, bias])`.

    Penalties and constraints of the layer's kernel act on `v`, where they have little
    meaning. A unit of nothing but zeros has no direction, and stays as it is.

    Args:
        layer: `Dense`, `EinsumDense`, `Conv1D` to `3D`, `DepthwiseConv1D` and `2D`,
            `Conv1DTranspose` to `3D`, or a subclass; without LoRA or quantization.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        As the wrapped layer.

    Raises:
        TypeError: If `layer` is of another kind.
        ValueError: At the first call, if its kernel is not a plain variable.

    Example:
        >>> import numpy as np
        >>> dense = keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)
        >>> layer = WeightNormalization(dense)
        >>> round(float(layer(np.array([[3.0, 4.0]]))[0, 0]), 4)
        7.0
        >>> layer.set_weights([np.array([1.0]), np.array([[30.0], [40.0]])])
        >>> [round(float(weight), 4) for weight in layer.kernel[:, 0]]
        [0.6, 0.8]

    Reference: Salimans and Kingma, Weight Normalization, 2016, arXiv 1602.07868.
        Their initialization from the data of a first batch is left out: within a
        compiled step it would be another program for one batch.
    """

    def __init__(self, layer, **kwargs):
        _check.instance("WeightNormalization", "layer", layer, _KINDS)
        super().__init__(layer, **kwargs)
        self.supports_masking = layer.supports_masking

    def build(self, input_shape=None):
        with _backend.outside_graph():
            super().build(input_shape)
            self._add_length()

    def _add_length(self):
        kernel = self.layer.kernel
        lora = getattr(self.layer, "lora_enabled", False)
        if lora or not isinstance(kernel, keras.Variable) or kernel.dtype == "int8":
            expected = "without LoRA and quantization"
            _check.fail("WeightNormalization", "layer", expected, self.layer)
        axes = self._axes

        def lengths(shape, dtype):
            # Called when variables are given values, which may be later than now.
            norms = kernels.norms(kernels.in_float32(kernel), axes)
            return keras.ops.cast(keras.ops.reshape(norms, shape), dtype)

        self.g = self.add_weight(
            shape=tuple(kernel.shape[axis] for axis in axes),
            initializer=lengths,
            dtype=kernel.dtype,
            name="g",
        )

    @property
    def _axes(self):
        return known.units(self.layer, "kernel")

    @property
    def kernel(self):
        """What the wrapped layer multiplies by, float32."""
        return kernels.with_norms(self.layer.kernel, self.g, self._axes)

    def call(self, inputs):
        values = [(self.layer.kernel, self.kernel)]
        return call_with(self, self.layer, values, lambda: self.layer(inputs))

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)
