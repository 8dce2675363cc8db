"""A small recurrent network."""

from typing import Any

import keras

from perfkit import _check
from perfkit.models import _options, _parts

CELLS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


def rnn(
    input_shape,
    outputs,
    task="classification",
    *,
    vocabulary=None,
    mask="auto",
    width=64,
    depth=1,
    cell="gru",
    bidirectional=True,
    attention=None,
    normalization=None,
    pooling=None,
    dropout=0.0,
    drop_path=0.0,
    layer_scale=None,
    seed=None,
    name="rnn",
    **others: Any,
) -> keras.Model:
    """Build a residual recurrent network of features or tokens.

    Each block normalizes, runs a recurrent layer over the steps and adds what comes
    out. The model is an uncompiled Functional one, and its outputs are logits or
    numbers: no activation is behind the last dense layer.

    Args:
        input_shape: `(steps, features)`, or `(steps,)` of tokens. `None` for any number
            of steps.
        outputs: See `cnn`.
        task: See `cnn`.
        vocabulary: See `cnn`.
        mask: See `cnn`.
        width: Channels of each step; half of them for each direction, if there are two.
            At least 1, and even then.
        depth: Recurrent layers. At least 1.
        cell: `"gru"` or `"lstm"`.
        bidirectional: Whether half the channels are of a layer that goes backwards.
        attention: `None` or `"squeeze_excite"`, at the end of each branch.
        normalization: `"layer"`, `"rms"`, `"batch"` or `"none"`; `None` for `"layer"`.
        pooling: `"average"`, `"max"`, `"concat"` or `"attention"`; `None` for
            `"average"`, and for labelling, which pools nothing.
        dropout: Share of features dropped at the end of each branch, and in front of
            the last layer. Within [0, 1).
        drop_path: See `cnn`.
        layer_scale: See `cnn`.
        seed: Seed of what is dropped.
        name: Name of the model.
        **others: None: those of `cnn` and `transformer` are refused by name.

    Returns:
        The model; see `cnn`.

    Raises:
        TypeError: If there is an argument that no builder has.
        ValueError: If an argument is out of bounds or makes no sense here.

    Example:
        >>> rnn((None, 6), 1, "regression", width=4).output_shape
        (None, 1)
        >>> rnn((9,), 5, "labelling", vocabulary=100, width=4).output_shape
        (None, 9, 5)

    Reference: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder,
        2014, arXiv 1406.1078; Hochreiter and Schmidhuber, Long Short-Term Memory, 1997.
    """
    owner = "rnn"
    options = _options.checked(
        owner,
        others,
        kinds=("features", "tokens"),
        usual="layer",
        poolings=_parts.SIGNED_POOLINGS,
        input_shape=input_shape,
        outputs=outputs,
        task=task,
        vocabulary=vocabulary,
        mask=mask,
        width=width,
        depth=depth,
        dropout=dropout,
        drop_path=drop_path,
        layer_scale=layer_scale,
        normalization=normalization,
        pooling=pooling,
        seed=seed,
    )
    kind = CELLS[_check.one_of(owner, "cell", cell, CELLS)]
    if _check.boolean(owner, "bidirectional", bidirectional) and options.width % 2:
        expected = "an even number if `bidirectional`"
        _check.fail(owner, "width", expected, options.width)
    if attention is not None:
        _check.one_of(owner, "attention", attention, ("squeeze_excite",))

    given, x, seen = _parts.begun(options)
    if options.data == "features":
        x = keras.layers.Dense(options.width, name="projection")(x)
    for block in range(options.depth):
        called = f"block_{block + 1}"
        y = _parts.normalized(options, x, seen, f"{called}_norm")
        units = options.width // 2 if bidirectional else options.width
        layer = kind(units, return_sequences=True, name=f"{called}_{cell}")
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=f"{called}_both")
        y = _parts.hidden(layer(y, mask=seen), seen, f"{called}_hide")
        y = _parts.attended(attention, y, seen, f"{called}_attention")
        y = _parts.dropped(options, y, block + 1, f"{called}_dropout")
        x = _parts.joined(options, x, y, block, called)
    x = _parts.normalized(options, x, seen, "norm")
    return keras.Model(given, _parts.ended(options, x, seen), name=name)
