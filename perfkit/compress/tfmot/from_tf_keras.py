"""The weights of a Keras 2 model, back in a Keras 3 model."""

import keras

from perfkit import _check
from perfkit.compress import _tfmot
from perfkit.compress.tfmot import _pairing
from perfkit.graph.copying import copied
from perfkit.graph.functional import functional

_OWNER = "from_tf_keras"


def from_tf_keras(tf_keras_model, *, like) -> keras.Model:
    """Return a copy of a Keras 3 model with the weights of a Keras 2 model.

    Layers are found by their names, those of nested models too. Values are copied bit
    for bit.

    If tfmot pruned or clustered the Keras 2 model, strip tfmot's wrappers first. If it
    was trained with fake quantization, the float weights are taken and the fake
    quantization stays behind: the copy computes in float.

    Args:
        tf_keras_model: A `tf_keras.Model`, such as a trained one that `to_tf_keras`
            made.
        like: The Keras 3 model that it was made from. It stays as it is.

    Returns:
        A new Keras 3 model, not compiled.

    Raises:
        ValueError: If a layer is not in the other model or its weights do not fit.
        TypeError: If `tf_keras_model` is no model of Keras 2, or `like` none of
            Keras 3.

    Example:
        >>> from perfkit.compress import tfmot
        >>> dense = keras.layers.Dense(1, use_bias=False, name="dense")
        >>> model = keras.Sequential([keras.Input((2,)), dense])
        >>> twin = tfmot.to_tf_keras(model)
        >>> _ = twin.get_layer("dense").kernel.assign([[0.0], [2.0]])
        >>> back = tfmot.from_tf_keras(twin, like=model)
        >>> keras.ops.convert_to_numpy(back.layers[0].kernel).tolist()
        [[0.0], [2.0]]

    Reference: none (standard).
    """
    functional(_OWNER, like)
    if not isinstance(tf_keras_model, _tfmot.tf_keras().Model):
        expected = "a model of `tf_keras`, which is Keras 2"
        _check.fail(_OWNER, "tf_keras_model", expected, tf_keras_model, TypeError)
    inside = list(_pairing.leaves(tf_keras_model))
    wrapped = [layer.name for layer in inside if _pairing.is_wrapped(layer)]
    if wrapped:
        expected = (
            "free of the wrappers of tfmot; write `tfmot.sparsity.keras.strip_pruning` "
            "or `tfmot.clustering.keras.strip_clustering` around it first. Wrapped are "
            f"{wrapped}"
        )
        _check.fail(_OWNER, "tf_keras_model", expected, tf_keras_model)
    model = copied(_OWNER, "like", like)
    found, problems = [], []
    for path, layer, twin in _pairing.pairs(model, tf_keras_model):
        if layer.weights:
            found.append((layer, twin))
            problems += _misfits(path, layer, twin)
    taken = {id(part) for _, twin in found for part in _pairing.leaves(twin)}
    problems += [
        f"{layer.name} is not in `like`"
        for layer in inside
        if id(layer) not in taken and _pairing.weights_of(layer)
    ]
    if problems:
        expected = "a model with the layers of `like`; " + "; ".join(problems)
        _check.fail(_OWNER, "tf_keras_model", expected, tf_keras_model)
    for layer, twin in found:
        layer.set_weights([weight.numpy() for weight in _pairing.weights_of(twin)])
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return model


def _misfits(path, layer, twin) -> list[str]:
    """Return what keeps the weights of a layer from being taken from another one."""
    if twin is None:
        return [f"{path} is not there"]
    ours, theirs = (
        [(_pairing.short_name(weight), tuple(weight.shape)) for weight in weights]
        for weights in (layer.weights, _pairing.weights_of(twin))
    )
    return [] if ours == theirs else [f"{path} has {theirs} and not {ours}"]
