"""Layers that the builders choose by name, and how these take a mask."""

import math
from typing import Any

import keras

from perfkit import layers
from perfkit.models._average_pool import AveragePool
from perfkit.models._masks import CarryMask, HideSteps, SeenSteps
from perfkit.models._options import Options

POOLINGS: dict[str, Any] = {
    "attention": layers.AttentionPool,
    "average": AveragePool,
    "concat": layers.ConcatPool,
    "gem": layers.GeM,
    "max": layers.GlobalMaxPool,
}
# Behind a normalization features are negative as often as not, which `GeM` cuts off.
SIGNED_POOLINGS = tuple(name for name in POOLINGS if name != "gem")
# Of images. For steps there is squeeze and excitation, which leaves out what is hidden.
ATTENTIONS: dict[str, Any] = {
    "cbam": layers.CBAM,
    "coordinate": layers.CoordinateAttention,
    "efficient_channel": layers.EfficientChannelAttention,
    "global_context": layers.GlobalContext,
    "sim_am": layers.SimAM,
    "squeeze_excite": layers.SqueezeExcite,
}
_RATIO = 16  # channels for each unit of what squeezes
_LAST = "channels_last"


def begun(options: Options) -> tuple[Any, Any, Any]:
    """Inputs of the model, features `(batch, ..., channels)`, and what is seen."""
    tokens = options.data == "tokens"
    dtype = "int32" if tokens else None
    inputs = x = keras.Input(options.input_shape, dtype=dtype, name="inputs")
    seen, given = None, inputs
    if options.mask == "input":
        seen = keras.Input(options.input_shape[:1], dtype="bool", name="mask")
        given = {"inputs": inputs, "mask": seen}
    elif options.mask == "zeros":
        seen = SeenSteps(name="seen")(inputs)
    if tokens:
        start: Any = keras.initializers.RandomNormal(stddev=1.0)
        x = keras.layers.Embedding(
            options.vocabulary,
            options.width,
            embeddings_initializer=start,
            name="embedding",
        )(x)
    return given, hidden(x, seen, "embedding_hide"), seen


def hidden(x, seen, name):
    """Zeros in place of what is not seen."""
    return x if seen is None else HideSteps(name=name)(x, seen)


def normalized(options: Options, x, seen, name):
    """Normalize by what `options` names; padding never counts."""
    kind = options.normalization
    if kind == "batch":
        x = keras.layers.BatchNormalization(name=name)(x, mask=seen)
        return hidden(x, seen, f"{name}_hide")
    if kind == "none":
        return x
    made: dict[str, Any] = {
        "group": lambda: keras.layers.GroupNormalization(
            math.gcd(8, x.shape[-1]), name=name
        ),
        "layer": lambda: keras.layers.LayerNormalization(name=name),
        "rms": lambda: keras.layers.RMSNormalization(name=name),
    }
    return made[kind]()(x)


def attended(kind, x, seen, name):
    """Weigh channels or places; see `ATTENTIONS`."""
    if kind is None:
        return x
    if len(x.shape) == 4:
        return ATTENTIONS[kind](data_format=_LAST, name=name)(x)
    channels = x.shape[-1]
    means = AveragePool(data_format=_LAST, keepdims=True, name=f"{name}_mean")
    reduce = keras.layers.Dense(
        max(channels // _RATIO, 1), "relu", name=f"{name}_reduce"
    )
    expand = keras.layers.Dense(channels, "sigmoid", name=f"{name}_expand")
    weights = expand(reduce(means(x, mask=seen)))
    return keras.layers.Multiply(name=f"{name}_scale")([x, weights])


def dropped(options: Options, x, number, name):
    """Drop features, if there is a rate."""
    if not options.dropout:
        return x
    seed = options.seed_of(number)
    return keras.layers.Dropout(options.dropout, seed=seed, name=name)(x)


def joined(options: Options, x, branch, block, name):
    """Sum of a shortcut and a branch, scaled and dropped as `options` say."""
    if options.layer_scale is not None:
        scale = layers.LayerScale(options.layer_scale, name=f"{name}_layer_scale")
        branch = scale(branch)
    rate = options.path_rate(block)
    if rate:
        seed = options.seed_of(1000 + block)
        branch = layers.DropPath(rate, seed=seed, name=f"{name}_drop_path")(branch)
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def ended(options: Options, x, seen, scale=1):
    """Pool, unless every step or place is labelled, and make the outputs.

    Args:
        options: Arguments of the builder.
        x: `(batch, ..., channels)`.
        seen: What counts, or None.
        scale: Places for each of `x`, along rows and columns.
    """
    if not options.is_labelling:
        pool = POOLINGS[options.pooling](data_format=_LAST, name="pool")
        x = pool(x, mask=seen)
    elif seen is not None:
        x = CarryMask(name="padding")([x, seen])
    if options.outputs is None:
        return x
    x = dropped(options, x, 0, "outputs_dropout")
    units = options.outputs * scale**2
    half = keras.config.dtype_policy().compute_dtype in ("bfloat16", "float16")
    dense = keras.layers.Dense(units, dtype="float32" if half else None, name="outputs")
    x = dense(x)
    if scale == 1:
        return x
    _, rows, columns, _ = x.shape
    split = (rows, columns, scale, scale, options.outputs)
    x = keras.layers.Reshape(split, dtype=dense.dtype_policy, name="patches")(x)
    turn = keras.layers.Permute((1, 3, 2, 4, 5), dtype=dense.dtype_policy, name="rows")
    whole = (rows * scale, columns * scale, options.outputs)
    join = keras.layers.Reshape(whole, dtype=dense.dtype_policy, name="places")
    return join(turn(x))
