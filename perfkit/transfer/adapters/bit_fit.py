"""Train nothing but biases."""

import keras

from perfkit import _check
from perfkit.graph import trainable
from perfkit.graph.owners import own_weights
from perfkit.graph.trails import names, trails
from perfkit.transfer.adapters import _choosing, _learning
from perfkit.transfer.adapters.adapted import Adapted

_BIASES = ("bias", "beta")


def bit_fit(model, *, train=None) -> Adapted:
    """Freeze all of a built model but its biases, and what `train` names.

    In place. Biases are the weights called `bias`, and `beta` of layer and group
    normalization. Those of a `BatchNormalization` stay, as it works as at inference and
    keeps its statistics, unless `train` names it. Compile the model afterwards. Files
    of it (`.keras`) say what learns; to load one, import `perfkit.transfer` first.
    `unload` makes trainable again what was, and leaves the biases as they are.

    Args:
        model: A built `keras.Model`: Sequential, Functional, nested, subclassed.
        train: Which layers learn as a whole, such as the new head. See `adapt`.

    Returns:
        An `Adapted`, which can be printed.

    Raises:
        ValueError: If the model is not built or has no biases, or if `train` selects
            nothing. Nothing is changed.
        TypeError: If an argument has the wrong type.

    Example:
        >>> dense = keras.layers.Dense(64, name="features")
        >>> head = keras.layers.Dense(2, name="head")
        >>> model = keras.Sequential([keras.Input((32,)), dense, head])
        >>> print(bit_fit(model, train="head"))
        194 of 2,242 parameters learn, 8.65 %, where 2,242 did; compile the model before
        `fit`
          bias at features/bias
          all of head

    Reference: Ben Zaken et al., BitFit: Simple Parameter-efficient Fine-tuning for
        Transformer-based Masked Language-models, 2021, arXiv 2106.10199.
    """
    _choosing.built("bit_fit", model)
    whole = _choosing.trained("bit_fit", model, train)
    apart = _choosing.weights_in(whole)
    learning, places, skipped = set(), {}, {}
    for trail in trails(model):
        for weight in own_weights(trail[-1]):
            path = "/".join([*names(trail), weight.name])
            if weight.name not in _BIASES or id(weight) in apart | learning:
                continue
            if isinstance(trail[-1], keras.layers.BatchNormalization):
                skipped[path] = "its statistics would move"
            else:
                learning.add(id(weight))
                places[path] = weight.name
    if not places:
        _check.fail("bit_fit", "model", "a model with biases", model)
    trainable.warn_of_compiled(model)
    before = _learning.size(model.trainable_weights)
    _learning.remember(model)
    return _choosing.settled(model, learning | apart, places, whole, skipped, before)
