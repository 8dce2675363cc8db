"""The head of a model alone, on features that are computed once."""

from typing import Any

import keras

from perfkit import _check
from perfkit.graph.calls import read
from perfkit.transfer._poolings import POOLINGS
from perfkit.transfer.features._feature_data import Batches
from perfkit.transfer.features.cache_features import cache_features
from perfkit.transfer.features.split_model import split_model
from perfkit.transfer.heads import NAME


def linear_probe(
    model,
    data,
    *,
    loss,
    optimizer="adam",
    metrics=None,
    epochs=20,
    batch_size=32,
    validation_data=None,
    path=None,
    verbose=True,
) -> keras.callbacks.History:
    """Train the head of a model on features that the backbone makes once.

    Much faster than `fit` with a frozen backbone: an epoch costs what the head costs.
    And the same, but for what the backbone would do only in training: it stays as it
    is, in inference mode, without augmentation and dropout inside it, for each sample
    is seen in one state. The model is not compiled here, and need not
    be.

    Args:
        model: A built Functional or Sequential `keras.Model` with a layer named `head`
            behind its backbone, as `classifier` and `regressor` make it.
        data: What to train on; see `cache_features`.
        loss: Loss of the outputs, as `compile` takes it.
        optimizer: What trains the head: an optimizer or its Keras name.
        metrics: As `compile` takes them.
        epochs: Passes over the features, at least 1.
        batch_size: Samples in a batch, at least 1.
        validation_data: Data like `data`, or `None`.
        path: Folder for the features, or `None` for memory; see `cache_features`.
        verbose: Whether to show the progress of both.

    Returns:
        The history of the head's `fit`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the model has no such layer, the data have no labels that are
            numbers, or an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> inputs = keras.Input((6,))
        >>> features = keras.layers.Dense(4, name="body")(inputs)
        >>> model = keras.Model(inputs, keras.layers.Dense(1, name="head")(features))
        >>> body, head = (np.copy(layer.kernel) for layer in model.layers[1:])
        >>> data = np.ones((8, 6)), np.ones((8, 1))
        >>> history = linear_probe(model, data, loss="mse", epochs=2, verbose=False)
        >>> [bool((np.copy(layer.kernel) == was).all())
        ...  for layer, was in zip(model.layers[1:], (body, head))]
        [True, False]

    Reference: Kumar et al., Fine-Tuning can Distort Pretrained Features and
        Underperform Out-of-Distribution, 2022, arXiv 2202.10054.
    """
    owner = "linear_probe"
    _check.instance(owner, "model", model, keras.Model)
    epochs = _check.integer(owner, "epochs", epochs)
    batch_size = _check.integer(owner, "batch_size", batch_size)
    body, head = split_model(model, _seam(owner, model))

    if not head.trainable_variables:
        expected = "one whose head learns; it is frozen"
        _check.fail(owner, "model", expected, model.name)

    _check_labels(owner, "data", data, batch_size)
    if validation_data is not None:
        _check_labels(owner, "validation_data", validation_data, batch_size)

    def cached(data):
        return cache_features(
            body, data, path=path, batch_size=batch_size, verbose=verbose
        )

    features = cached(data)
    held_out = None if validation_data is None else cached(validation_data)
    head.compile(optimizer, loss, metrics=metrics)
    shown: Any = int(verbose)
    return head.fit(
        features.batches(batch_size),
        epochs=epochs,
        shuffle=False,  # they come shuffled, by a seed of their own
        validation_data=held_out and held_out.batches(batch_size, shuffle=False),
        verbose=shown,
    )


def _check_labels(owner, name, data, batch_size):
    """Check, before the backbone runs for long, that the head can learn from data."""
    labels = next(iter(Batches(owner, data, batch_size, name))).get("y")
    if labels is None:
        _check.fail(owner, name, "with labels, such as `(x, y)`", "inputs alone")
    for each in keras.tree.flatten(labels):
        if each.dtype.kind in "OSU":
            expected = "labels that are numbers, such as those of "
            expected += "`keras.layers.StringLookup`"
            _check.fail(owner, name, expected, each[:3])


def _seam(owner, model) -> Any:
    """The last layer before the head learns: its pooling, or what is before it."""
    layers_of: list[Any] = model.layers
    places = [k for k, x in enumerate(layers_of) if x.name.startswith(NAME)]
    if not places or not places[0]:
        expected = f"one with a layer named {NAME!r} behind others"
        _check.fail(owner, "model", expected, [x.name for x in layers_of])
    head = layers_of[places[0]]
    first: Any = head.layers[0] if isinstance(head, keras.Sequential) else None
    if isinstance(first, POOLINGS) and len(head.layers) > 1:
        return f"{head.name}/{first.name}"
    calls = read(owner, model).calls
    if any(call.operation is head and call.mask is not None for call in calls):
        expected = "one whose head pools without learning, such as 'linear' or 'mlp', "
        expected += "as features are kept without the mask of their padding"
        _check.fail(owner, "model", expected, model.name)
    return layers_of[places[0] - 1]
