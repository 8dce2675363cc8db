"""Channels scaled and shifted by what another modality says."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.fusion import _maps
from perfkit.fusion.fusion import Fusion, in_order


@keras.saving.register_keras_serializable(package="perfkit")
class FiLM(Fusion):
    """Scale and shift the channels of the first modality by what the others say.

    It begins as the identity, and is the identity where the others are absent. What
    several of them say is added up.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` for Keras's own
            setting.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, ..., channels)`, or channels first, and `(batch, features)` of the
        others; the shape of the first one out.

    Raises:
        ValueError: If `data_format` is none, or another modality is no vector.

    Example:
        >>> import numpy as np
        >>> layer, inputs = FiLM(), [np.array([[3.0]]), np.array([[1.0]])]
        >>> float(layer(inputs)[0, 0])
        3.0
        >>> layer.set_weights([np.array([[0.5, -1.0]]), np.zeros(2)])
        >>> float(layer(inputs)[0, 0])
        3.5

    Reference: Perez et al., FiLM: Visual Reasoning with a General Conditioning Layer,
        2017, arXiv 1709.07871. Factors are learned as their difference to 1.
    """

    def __init__(self, *, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = _check.data_format("FiLM", data_format)

    def build_of(self, shapes):
        if any(len(shape) != 2 for shape in shapes[1:]):
            expected = "features and then vectors (batch, channels)"
            _check.fail("FiLM", "inputs", expected, shapes)
        channels = shapes[0][_maps.channel_axis(self.data_format)]
        self.sayings = [
            self.dense(2 * channels, f"saying_{n}", shape, kernel_initializer="zeros")
            for n, shape in enumerate(shapes[1:])
        ]

    def fuse(self, parts, seen):
        x, *others = parts
        said = sum(
            seen.hide(number, saying(other))
            for number, (saying, other) in enumerate(
                zip(self.sayings, others, strict=True), start=1
            )
        )
        scale, shift = ops.split(said, 2, axis=-1)
        scale = _maps.per_channel(scale, x, self.data_format)
        return x + x * scale + _maps.per_channel(shift, x, self.data_format)

    def compute_mask(self, inputs, previous_mask=None):
        return None if previous_mask is None else in_order(previous_mask)[0]

    def shape_of(self, shapes):
        return shapes[0]
