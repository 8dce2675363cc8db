"""Batches that lack modalities, as a model takes them."""

import keras
import numpy as np

from perfkit import _check


def complete(model, data) -> dict:
    """Add to a data set the modalities it lacks, and say which ones it has.

    Args:
        model: A model of `multimodal`.
        data: Dictionary of arrays `(samples, ...)` by the names of the model's inputs,
            of which some may be left out. It may hold `present`, a boolean
            `(samples, modalities)`, of which columns of what is left out become false.

    Returns:
        Dictionary of arrays for `fit`, `predict` and `evaluate`. What was left out is
        ones, which the model does not see.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If names or numbers of samples do not fit, or something was left out
            and the model has no input `present`.

    Example:
        >>> from perfkit import fusion
        >>> def encoder(size):
        ...     return keras.Sequential([keras.Input((size,)), keras.layers.Dense(4)])
        >>> model = fusion.multimodal(
        ...     {"image": encoder(2), "text": encoder(3)}, present=True
        ... )
        >>> data = complete(model, {"text": np.zeros((1, 3))})
        >>> data["present"].tolist()
        [[False, True]]

    Reference: none (standard).
    """
    owner = "complete"
    _check.instance(owner, "model", model, keras.Model)
    tensors = {x.name: x for x in model.inputs if x.name != "present"}
    asked = len(tensors) < len(model.inputs)
    known = {*tensors, "present"} if asked else set(tensors)
    given = set(data) - {"present"} if isinstance(data, dict) else set()
    if not given or not set(data) <= known or (len(given) < len(tensors) and not asked):
        expected = f"a dictionary of arrays named {sorted(known)}"
        if not asked:
            expected += ", all of them, as the model has no input 'present'"
        _check.fail(owner, "data", expected, data)
    counts = {len(x) for x in data.values()}
    if len(counts) > 1:
        _check.fail(owner, "data", "arrays of one number of samples", sorted(counts))
    (count,) = counts
    full = dict(data)
    for name, tensor in tensors.items():
        if name not in given:
            sizes = [size or 1 for size in tensor.shape[1:]]
            full[name] = np.ones(
                (count, *sizes), keras.backend.standardize_dtype(tensor.dtype)
            )
    if asked:
        here = np.array([name in given for name in tensors])
        full["present"] = here & np.asarray(data.get("present", True), bool)
        full["present"] = np.broadcast_to(full["present"], (count, len(tensors)))
    return full
