"""Positions told by turning features."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import rotary


@keras.saving.register_keras_serializable(package="perfkit")
class RotaryEmbedding(Configured, keras.layers.Layer):
    """Turn pairs of features by angles that grow with the step.

    For queries and keys of attention, each by itself: their products then depend on how
    many steps they are apart. It has no weights. Angles are made in float32.

    Args:
        base: The longest wavelength, about, over 2 pi, in steps. Above 1.
        interleaved: Whether pairs are of neighbours, as in the paper; if not, of
            features half of all of them apart, as in GPT-NeoX and LLaMA.
        **kwargs: See `keras.layers.Layer`.

    Call arguments:
        inputs: Queries or keys.
        positions: Positions, in steps, `(steps,)` or `(batch, steps)`; `None` for 0, 1,
            2, ...

    Shape:
        `(batch, steps, heads, size)` or `(batch, steps, size)`, of an even size; same
        shape out.

    Raises:
        ValueError: If an argument is out of bounds; at the first call, if the size is
            odd.

    Example:
        >>> import numpy as np
        >>> query = np.array([[[1.0, 0.0], [1.0, 0.0]]])
        >>> turned = RotaryEmbedding()(query, positions=np.array([0.0, np.pi]))
        >>> np.abs(np.round(keras.ops.convert_to_numpy(turned)[0, :, 0], 3)).tolist()
        [1.0, 1.0]

    Reference: Su et al., RoFormer, 2021, arXiv 2104.09864.
    """

    def __init__(self, base=10000.0, *, interleaved=True, **kwargs):
        super().__init__(**kwargs)
        owner = "RotaryEmbedding"
        self.base = _check.number(owner, "base", base, 1.0)
        if self.base == 1.0:
            _check.fail(owner, "base", "a finite number above 1", base)
        self.interleaved = _check.boolean(owner, "interleaved", interleaved)
        self.input_spec = [keras.layers.InputSpec(min_ndim=3, max_ndim=4)]
        self.supports_masking = True

    def build(self, input_shape):
        if input_shape[-1] is None or input_shape[-1] % 2:
            expected = "an even size of the last axis"
            _check.fail("RotaryEmbedding", "inputs", expected, tuple(input_shape))

    def call(self, inputs, positions=None):
        if positions is None:
            positions = ops.arange(ops.shape(inputs)[1], dtype="float32")
        angles = rotary.angles(positions, inputs.shape[-1], self.base)
        if len(inputs.shape) == 4:
            angles = ops.expand_dims(angles, -2)
        outputs = rotary.turned(inputs, angles, self.interleaved)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, inputs_shape, positions_shape=None):  # noqa: ARG002
        return inputs_shape
