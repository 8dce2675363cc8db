"""A small transformer encoder."""

from typing import Any

import keras

from perfkit import _check, layers
from perfkit.models import _options, _parts
from perfkit.models._positions import LearnedPosition, SinusoidalPosition
from perfkit.models._self_attention import SelfAttention

GATED: dict[str, Any] = {"geglu": layers.GEGLU, "swiglu": layers.SwiGLU}
FEED_FORWARDS = ("dense", *GATED)
POSITIONS = ("learned", "none", "rotary", "sinusoidal")


def transformer(
    input_shape,
    outputs,
    task="classification",
    *,
    vocabulary=None,
    mask="auto",
    width=64,
    depth=2,
    heads=4,
    feed_forward="dense",
    expansion=4.0,
    position=None,
    patch_size=None,
    activation=None,
    normalization=None,
    pooling=None,
    dropout=0.0,
    drop_path=0.0,
    layer_scale=None,
    seed=None,
    name="transformer",
    **others: Any,
) -> keras.Model:
    """Build a transformer encoder of images, features or tokens.

    Each block is self-attention and a feed-forward branch, which are normalized in
    front. Images are cut into square patches. The model is an uncompiled Functional
    one, and its outputs are logits or numbers: no activation is behind the last dense
    layer.

    Args:
        input_shape: `(height, width, channels)` of an image, `(steps, features)`, or
            `(steps,)` of tokens. `None` for any number of steps.
        outputs: See `cnn`.
        task: See `cnn`. Of images every pixel is labelled.
        vocabulary: See `cnn`.
        mask: See `cnn`.
        width: Channels of each step. A multiple of `heads`, and with `"rotary"` of
            twice as many.
        depth: Blocks. At least 1.
        heads: Heads of attention. At least 1.
        feed_forward: `"dense"`, two dense layers, or gated, `"swiglu"` or `"geglu"`.
        expansion: Units between the two dense layers for each channel; two thirds of it
            if gated, for as many weights. Within [0.5, 16].
        position: What tells steps apart: `"sinusoidal"`, `"rotary"`, `"learned"`, which
            needs a fixed number of steps, or `"none"`; images have `"learned"` or
            `"none"`. `None` for `"sinusoidal"`, and `"learned"` of images.
        patch_size: Pixels along a side of a patch of an image, a divisor of height and
            width; `None` for 4.
        activation: Between the two dense layers: see `cnn`; `None` for `"gelu"`. Gated
            branches have their own.
        normalization: `"layer"`, `"rms"`, `"batch"` or `"none"`; `None` for `"layer"`.
        pooling: `"average"`, `"max"`, `"concat"` or `"attention"`; `None` for
            `"average"`, and for labelling, which pools nothing.
        dropout: Share of features dropped at the end of each branch, and in front of
            the last layer. Within [0, 1).
        drop_path: See `cnn`.
        layer_scale: See `cnn`.
        seed: Seed of what is dropped.
        name: Name of the model.
        **others: None: those of `cnn` and `rnn` are refused by name.

    Returns:
        The model; see `cnn`.

    Raises:
        TypeError: If there is an argument that no builder has.
        ValueError: If an argument is out of bounds or makes no sense here.

    Example:
        >>> transformer((None,), 2, vocabulary=100, width=8).output_shape
        (None, 2)
        >>> transformer((8, 8, 3), 5, "labelling", width=8).output_shape
        (None, 8, 8, 5)

    Reference: Vaswani et al., Attention Is All You Need, 2017, arXiv 1706.03762; Xiong
        et al., On Layer Normalization in the Transformer Architecture, 2020, arXiv
        2002.04745; Dosovitskiy et al., An Image is Worth 16x16 Words, 2020, arXiv
        2010.11929, which adds a step to read the class from, where this one pools.
    """
    owner = "transformer"
    options = _options.checked(
        owner,
        others,
        kinds=("images", "features", "tokens"),
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
    images = options.data == "images"
    patch = _patch(owner, patch_size, options)
    position = _position(owner, position, options)
    heads = _check.integer(owner, "heads", heads)
    multiple = 2 * heads if position == "rotary" else heads
    if options.width % multiple:
        _check.fail(owner, "width", f"a multiple of {multiple}", options.width)
    _check.one_of(owner, "feed_forward", feed_forward, FEED_FORWARDS)
    if feed_forward in GATED and activation is not None:
        expected = "None where `feed_forward` is gated and has its own"
        _check.fail(owner, "activation", expected, activation)
    activation = _options.activation(owner, activation, "gelu")
    expansion = _check.number(owner, "expansion", expansion, 0.5, 16.0)

    def fed(y, called):
        units = round(options.width * expansion)
        if feed_forward in GATED:
            units = max(round(units * 2 / 3), 1)
            return GATED[feed_forward](units, name=f"{called}_{feed_forward}")(y)
        expand = keras.layers.Dense(units, activation, name=f"{called}_expand")
        return keras.layers.Dense(options.width, name=f"{called}_reduce")(expand(y))

    given, x, seen = _parts.begun(options)
    grid = None
    if images:
        x = keras.layers.Conv2D(
            options.width,
            patch,
            strides=patch,
            data_format="channels_last",
            name="projection",
        )(x)
        grid = x.shape[1:]
        x = keras.layers.Reshape((-1, options.width), name="steps")(x)
    elif options.data == "features":
        x = keras.layers.Dense(options.width, name="projection")(x)
    if position == "learned":
        x = LearnedPosition(name="position")(x)
    elif position == "sinusoidal":
        x = SinusoidalPosition(name="position")(x)

    for block in range(options.depth):
        called = f"block_{block + 1}"
        y = _parts.normalized(options, x, seen, f"{called}_norm_1")
        layer = SelfAttention(
            heads, rotary=position == "rotary", name=f"{called}_attention"
        )
        y = layer(y) if seen is None else layer(y, seen=seen)
        y = _parts.dropped(options, y, 2 * block + 1, f"{called}_dropout_1")
        x = _parts.joined(options, x, y, block, f"{called}_1")
        y = _parts.normalized(options, x, seen, f"{called}_norm_2")
        y = fed(y, called)
        y = _parts.dropped(options, y, 2 * block + 2, f"{called}_dropout_2")
        x = _parts.joined(options, x, y, block, f"{called}_2")
    x = _parts.normalized(options, x, seen, "norm")
    if images and options.is_labelling:
        x = keras.layers.Reshape(grid, name="grid")(x)
        return keras.Model(given, _parts.ended(options, x, None, patch), name=name)
    return keras.Model(given, _parts.ended(options, x, seen), name=name)


def _patch(owner, patch_size, options):
    if options.data != "images":
        if patch_size is not None:
            expected = "None unless `input_shape` is that of an image"
            _check.fail(owner, "patch_size", expected, patch_size)
        return 1
    patch = 4 if patch_size is None else patch_size
    patch = _check.integer(owner, "patch_size", patch)
    sides = options.input_shape[:2]
    if None in sides:
        expected = "of known height and width"
        _check.fail(owner, "input_shape", expected, options.input_shape)
    if any(side % patch for side in sides if side):
        expected = f"a divisor of the height and the width, {sides}"
        _check.fail(owner, "patch_size", expected, patch)
    return patch


def _position(owner, position, options):
    images = options.data == "images"
    if position is None:
        return "learned" if images else "sinusoidal"
    allowed = ("learned", "none") if images else POSITIONS
    _check.one_of(owner, "position", position, allowed)
    if position == "learned" and options.input_shape[0] is None:
        expected = "of another kind where `input_shape` leaves the steps open"
        _check.fail(owner, "position", expected, position)
    return position
