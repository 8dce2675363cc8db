"""Batch normalization as part of the layer before it."""

import keras

from perfkit import _check
from perfkit.graph.folding import folded


def fold_batch_norm(model) -> keras.Model:
    """Fold batch normalization into the layers before it: return a plain model.

    Where a dense layer or a convolution without an activation is followed by nothing
    but BatchNormalization, its kernel and bias do the work of both at inference. The
    new model returns the same but for rounding errors, and has fewer layers. It can be
    trained, but no longer follows the statistics of batches. `quantize` and TFLite do
    this by themselves.

    Args:
        model: A built Functional or Sequential model; models may be nested in it. It
            stays as it is.

    Returns:
        A new model of the same kind, not compiled.

    Raises:
        TypeError: If it is no `keras.Model`.
        ValueError: If the model is neither Functional nor Sequential, or not built.

    Example:
        >>> layers = [keras.layers.Dense(4), keras.layers.BatchNormalization()]
        >>> model = keras.Sequential([keras.Input((2,)), *layers])
        >>> [type(layer).__name__ for layer in fold_batch_norm(model).layers]
        ['Dense']

    Reference: Jacob et al., Quantization and Training of Neural Networks, 2018, arXiv
        1712.05877, section 3.2.
    """
    _check.instance("fold_batch_norm", "model", model, keras.Model)
    return folded("fold_batch_norm", model)
