"""Plain layers in place of those that compute with a function of their kernel."""

import keras
import numpy as np

from perfkit import _check
from perfkit.compress.quantization.fake_quantization import FakeQuantization
from perfkit.compress.quantization.quantized_kernel import QuantizedKernel
from perfkit.compress.reparameterized import Reparameterized
from perfkit.graph.absorbing import absorbed
from perfkit.graph.arrays import array
from perfkit.graph.calls import read
from perfkit.graph.rebuilding import copy_values, like, rebuilt
from perfkit.graph.trails import trails

_LEAST = 1e-6  # of a range that means something


def strip(model) -> keras.Model:
    """Return a plain model of one that was made with fake quantization or clusters.

    Kernels are what the layers computed with, rounded or clustered; tensors are no
    longer rounded. Layers that computed in another type, such as half precision,
    compute in float32. No perfkit is needed to load it.

    Args:
        model: What `quantize`, `quantize_aware` or `cluster` returned. It stays as it
            is.

    Returns:
        A new model of the same kind with weights of its own, not compiled.

    Raises:
        TypeError: If it is no `keras.Model`.
        ValueError: If the model is neither Functional nor Sequential, or not built.

    Example:
        >>> import numpy as np
        >>> from perfkit import compress
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.set_weights([np.array([[0.5], [1.0]]), np.zeros(1)])
        >>> plain = strip(compress.quantize_aware(model, bits=4))
        >>> [round(float(weight), 3) for weight in plain.get_weights()[0][:, 0]]
        [0.571, 1.0]

    Reference: none (standard).
    """
    _check.instance("strip", "model", model, keras.Model)
    return _plain(model, _none, _none)


def baked(model) -> keras.Model:
    """Return a model for the converter, which rounds weights of 8 bits by itself.

    The converter cannot read a range per channel for every kind of kernel. So kernels
    of 8 bits per channel are stored as floats that are rounded already, and it finds
    the same levels again. Others keep their rounding. A factor per channel in front
    of a layer, such as that of `Rescaling`, becomes part of the layer.
    """

    def needed(layer):
        last = layer.transforms[-1]
        by_itself = not isinstance(last, QuantizedKernel)
        return () if by_itself or (last.bits == 8 and last.per_channel) else (last,)

    plain = _plain(model, _float32, needed)
    plain = absorbed("export_tflite", plain, FakeQuantization)
    _vary_biases(plain)
    _widen_ranges(plain)
    return plain


def _widen_ranges(model) -> None:
    """Give what is never active a range to which a runtime can scale."""
    for layer in (trail[-1] for trail in trails(model)):
        if isinstance(layer, FakeQuantization):
            low, high = float(array(layer.low)), float(array(layer.high))
            if high - low < _LEAST:
                layer.set_range(low, low + 1.0)


def _vary_biases(model) -> None:
    """Where all biases of a layer are equal, change the first in its last digit.

    TensorFlow 2.21 stores equal ones as one number, and rounds it by the scale of the
    first channel for all channels.
    """
    for layer in (trail[-1] for trail in trails(model)):
        bias = getattr(layer, "bias", None)
        if bias is not None and len(bias.shape) == 1:
            values = array(bias)
            if len(values) > 1 and (values == values[0]).all() and values[0]:
                values[0] = np.nextafter(values[0], np.float32(0.0))
                bias.assign(values)


def _none(layer) -> None:
    """Return nothing: no rounding of tensors, no transforms that are left."""


def _plain(model, ranges, transforms):
    def make(layer):
        if isinstance(layer, FakeQuantization):
            return ranges(layer)
        if not isinstance(layer, Reparameterized):
            return _float32(layer)
        inner, left = _float32(layer.layer), transforms(layer)
        inner.name = layer.name
        if left:
            return Reparameterized(inner, list(map(_float32, left)), name=layer.name)
        return inner

    def fill(new, old):
        if not isinstance(old, Reparameterized):
            copy_values(new, old)
            return
        inner = new.layer if isinstance(new, Reparameterized) else new
        copy_values(inner, old.layer)
        (kernel,) = [v for v in inner.weights if v.name == old.variable.name]
        kernel.assign(array(old.kernel_before(*(transforms(old) or ()))))

    return rebuilt(read("strip", model), make, fill)


def _float32(layer):
    other = getattr(layer, "compute_dtype", "float32") != "float32"
    return like(layer, **({"dtype": "float32"} if other else {}))
