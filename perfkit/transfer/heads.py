"""Heads: small networks from the features of a backbone to outputs.

Each function makes a `Head`, a `keras.Sequential` of this name, whose last layer gives
the outputs without an activation.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras

from perfkit import _check, layers

NAME = "head"
_POOLINGS = {
    "attention": "AttentionPool",
    "concat": "ConcatPool",
    "gem": "GeM",
    "max": "GlobalMaxPool",
}


@keras.saving.register_keras_serializable(package="perfkit")
class Head(keras.Sequential):
    """Be a `keras.Sequential` that takes the mask of its features, and gives none on.

    Keras's own warns of a mask that it gets, though its layers see it.

    Example:
        >>> head = Head([keras.layers.GlobalAveragePooling1D()])
        >>> mask = keras.ops.array([[True, False]])
        >>> float(head(keras.ops.array([[[1.0], [3.0]]]), mask=mask)[0, 0])
        1.0

    Reference: none (standard).
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, previous_mask):  # noqa: ARG002
        return None


def linear_head(units, *, rank=4, pooling=None, dropout=0.2) -> Head:
    """Make a head of one dense layer.

    Args:
        units: Number of outputs.
        rank: Axes of the features, with batch and channels: 2 for what is pooled
            already, 3 for a sequence, 4 for an image, 5 for a video.
        pooling: `"average"`, `"max"`, `"concat"` (both side by side), `"gem"`
            (`perfkit.layers.GeM`), `"attention"` (`perfkit.layers.AttentionPool`), or a
            layer that makes `(batch, channels)` of features. `None` for `"average"`, or
            for none where features are pooled already.
        dropout: Rate of the dropout in front of the dense layer. Within [0, 1).

    Shape:
        `(batch, ..., channels)` to `(batch, units)`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> head = linear_head(10, pooling="concat")
        >>> [type(layer).__name__ for layer in head.layers]
        ['ConcatPool', 'Dropout', 'Dense']

    Reference: none (standard).
    """
    owner = "linear_head"
    dense = keras.layers.Dense(_units(owner, units), name="head_outputs")
    between = _dropout(owner, dropout)
    return _head([*_pooling(owner, pooling, rank), *between, dense])


def mlp_head(units, *, rank=4, pooling=None, hidden=(512,), dropout=0.5) -> Head:
    """Make a head of hidden layers and a dense one.

    Features are normalized first, by `LayerNormalization`, so that the head does not
    depend on the scale of the backbone nor on the batch.

    Args:
        units: See `linear_head`.
        rank: See `linear_head`.
        pooling: See `linear_head`, but `None` is `"concat"`.
        hidden: Units of the hidden layers, at least one.
        dropout: Rate in front of the last dense layer; half of it before each hidden
            one. Within [0, 1).

    Shape:
        `(batch, ..., channels)` to `(batch, units)`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> head = mlp_head(10, rank=2, hidden=(64,))
        >>> [type(layer).__name__ for layer in head.layers]
        ['LayerNormalization', 'Dropout', 'Dense', 'Dropout', 'Dense']

    Reference: The head of Howard and Gugger, fastai, 2020, arXiv 2002.04688, with layer
        in the place of batch normalization.
    """
    owner = "mlp_head"
    _check.below_one(owner, "dropout", dropout)
    many = list(hidden) if isinstance(hidden, (list, tuple)) else [hidden]
    sizes = [_check.integer(owner, "hidden", size) for size in many]
    if not sizes:
        _check.fail(owner, "hidden", "at least one number of units", hidden)
    made = [
        *_pooling(owner, pooling, rank, "concat"),
        keras.layers.LayerNormalization(),
    ]
    for size in sizes:
        made += _dropout(owner, dropout / 2)
        made.append(keras.layers.Dense(size, activation="gelu"))
    dense = keras.layers.Dense(_units(owner, units), name="head_outputs")
    return _head([*made, *_dropout(owner, dropout), dense])


def cosine_head(units, *, rank=4, pooling=None, scale=16.0) -> Head:
    """Make a head that compares directions: cosines of features and classes.

    What a class weighs does not depend on how often it is seen or how long features
    are, which suits few labels and uneven classes.

    Args:
        units: See `linear_head`.
        rank: See `linear_head`.
        pooling: See `linear_head`.
        scale: What the cosines are multiplied by at the start, above 0; it is learned.

    Shape:
        `(batch, ..., channels)` to `(batch, units)`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> head = cosine_head(10)
        >>> [type(layer).__name__ for layer in head.layers]
        ['GlobalAveragePooling2D', 'CosineDense']

    Reference: Gidaris and Komodakis, Dynamic Few-Shot Visual Learning without
        Forgetting, 2018, arXiv 1804.09458.
    """
    owner = "cosine_head"
    dense = layers.CosineDense(_units(owner, units), scale=scale, name="head_outputs")
    return _head([*_pooling(owner, pooling, rank), dense])


def multi_sample_head(
    units, *, rank=4, pooling=None, samples=8, dropout=0.5, loss=None
) -> Head:
    """Make a head whose dense layer sees several dropout masks at once.

    Args:
        units: See `linear_head`.
        rank: See `linear_head`.
        pooling: See `linear_head`.
        samples: How many masks, at least 1.
        dropout: Rate of each. Within [0, 1).
        loss: `"softmax"` or `"sigmoid"`, what follows, to have what is trained be the
            mean of the losses, as in the paper; `None` for the loss of the mean. See
            `perfkit.layers.MultiSampleDropout`; `classifier` puts in what is right.

    Shape:
        `(batch, ..., channels)` to `(batch, units)`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> head = multi_sample_head(10, samples=4)
        >>> [type(layer).__name__ for layer in head.layers]
        ['GlobalAveragePooling2D', 'MultiSampleDropout']

    Reference: Inoue, Multi-Sample Dropout for Accelerated Training and Better
        Generalization, 2019, arXiv 1905.09788. See `perfkit.layers.MultiSampleDropout`.
    """
    owner = "multi_sample_head"
    dense = keras.layers.Dense(_units(owner, units), name="head_outputs")
    many = layers.MultiSampleDropout(
        dense, samples=samples, rate=dropout, loss=loss, name="head_samples"
    )
    return _head([*_pooling(owner, pooling, rank), many])


HEADS: dict[str, Callable[..., Head]] = {
    "attention": functools.partial(linear_head, pooling="attention"),
    "concat": functools.partial(linear_head, pooling="concat"),
    "cosine": cosine_head,
    "gem": functools.partial(linear_head, pooling="gem"),
    "linear": linear_head,
    "mlp": mlp_head,
    "multi_sample": multi_sample_head,
}


def made(owner, head: Any, units, rank) -> keras.Layer:
    """The head that an argument `head` stands for."""
    if isinstance(head, keras.Layer):
        return head
    if isinstance(head, str) and head in HEADS:
        return HEADS[head](units, rank=rank)
    if isinstance(head, str) or not callable(head):
        expected = f"one of {sorted(HEADS)}, a function of `units` and `rank` that "
        expected += "makes a layer, such as `perfkit.transfer.mlp_head`, or a layer"
        _check.fail(owner, "head", expected, head)
    return _check.instance(owner, "head", head(units, rank=rank), keras.Layer)


def _head(made):
    return Head(made, name=NAME)


def _units(owner, units):
    return _check.integer(owner, "units", units)


def _dropout(owner, rate):
    rate = _check.below_one(owner, "dropout", rate)
    return [keras.layers.Dropout(rate)] if rate else []


def _pooling(owner, pooling, rank, usual="average") -> list[keras.Layer]:
    _check.integer(owner, "rank", rank, 2, 5)
    if isinstance(pooling, keras.Layer):
        return [pooling]
    if pooling is None and rank == 2:
        return []
    pooling = usual if pooling is None else pooling
    if pooling not in ("average", *_POOLINGS):
        choices = sorted(["average", *_POOLINGS])
        _check.fail(owner, "pooling", f"one of {choices} or a layer", pooling)
    if rank == 2:
        expected = "None where features are pooled already, so that nothing is left to "
        expected += "pool; make the backbone without a pooling"
        _check.fail(owner, "pooling", expected, pooling)
    if pooling in _POOLINGS:
        return [getattr(layers, _POOLINGS[pooling])()]
    return [getattr(keras.layers, f"GlobalAveragePooling{rank - 2}D")()]
