"""The statistics of batch normalization, for other data or other weights."""

from typing import Any

import keras

from perfkit import _check
from perfkit.graph import batch_norm


def recalibrate_batch_norm(model, data, *, verbose=True) -> None:
    """Compute the moving statistics of batch normalization anew from data.

    For weights that were averaged or pruned, and for data unlike what the model was
    trained with. Batch after batch goes through the model, in which batch normalization
    uses the statistics of the batch and everything else does what it does at inference.
    A moving mean becomes the mean over all samples, a moving variance the mean of the
    variances within batches plus the variance of their means. Some thousand samples are
    enough; weights stay as they are, and so does what is trainable.

    Args:
        model: A built `keras.Model`.
        data: Batches of inputs, or of tuples that begin with inputs: a list, such as
            `[images[:64], images[64:128]]`, a `tf.data.Dataset` or a `PyDataset`.
        verbose: Whether to show a progress bar.

    Raises:
        TypeError: If `model` is no model or `data` no batches.
        ValueError: If there are no batches, or no batch normalization.

    Example:
        >>> import numpy as np
        >>> norm = keras.layers.BatchNormalization()
        >>> model = keras.Sequential([keras.Input((1,)), norm])
        >>> batch = np.array([[1.0], [3.0]], "float32")
        >>> recalibrate_batch_norm(model, [batch], verbose=False)
        >>> float(norm.moving_mean[0]), float(norm.moving_variance[0])
        (2.0, 1.0)

    Reference: Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021, arXiv 2105.07576;
        Li et al., Revisiting Batch Normalization For Practical Domain Adaptation, 2016,
        arXiv 1603.04779.
    """
    owner = "recalibrate_batch_norm"
    _check.instance(owner, "model", model, keras.Model)
    if hasattr(data, "shape") or isinstance(data, (tuple, str, dict)):
        expected = "batches: a list such as `[images[:64], images[64:128]]`, or a data "
        expected += "set of them"
        _check.fail(owner, "data", expected, data, TypeError)
    norms: list[Any] = batch_norm.layers_of(model)
    if not norms:
        _check.fail(owner, "model", "one with batch normalization", model.name)
    batch_norm.recalibrate(model, data, verbose=verbose)
