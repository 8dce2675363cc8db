"""Dense layers gated by GELU."""

import keras

from perfkit.layers.gated_feed_forward import GatedFeedForward


@keras.saving.register_keras_serializable(package="perfkit")
class GEGLU(GatedFeedForward):
    """Pass features through units that GELU gates multiply, and back.

    Args:
        units: See `GatedFeedForward`.
        **kwargs: See `GatedFeedForward` (`output_units`, `use_bias`, ...).

    Shape:
        `(batch, ..., channels)`; the same shape out, or `output_units` channels.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer = GEGLU(12)
        >>> tuple(layer(np.ones((1, 5, 4))).shape), layer.count_params()
        ((1, 5, 4), 172)

    Reference: Shazeer, GLU Variants Improve Transformer, 2020, arXiv 2002.05202. The
        paper's have no biases (`use_bias=False`). GELU is exact,
        not the approximation by tanh.
    """

    def __init__(self, units=None, **kwargs):
        super().__init__(units, **kwargs)

    def gate(self, values):
        return keras.activations.gelu(values)
