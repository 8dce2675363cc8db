"""A small convolutional network."""

from typing import Any

import keras

from perfkit import _check, layers
from perfkit.models import _options, _parts
from perfkit.models._masks import EverySecond

DOWNSAMPLINGS = ("blur", "strides")


def cnn(
    input_shape,
    outputs,
    task="classification",
    *,
    vocabulary=None,
    mask="auto",
    width=32,
    depth=3,
    stages=None,
    kernel_size=3,
    downsampling="strides",
    attention=None,
    activation=None,
    normalization=None,
    pooling=None,
    dropout=0.0,
    drop_path=0.0,
    layer_scale=None,
    seed=None,
    name="cnn",
    **others: Any,
) -> keras.Model:
    """Build a residual convolutional network of images, features or tokens.

    Each block is two convolutions and a shortcut. A new stage has half the steps or
    places and twice the channels; with labels for all of them it keeps their number and
    spreads its kernels instead. The model is an uncompiled Functional one, and its
    outputs are logits or numbers: no activation is behind the last dense layer.

    Args:
        input_shape: `(height, width, channels)` of an image, `(steps, features)`, or
            `(steps,)` of tokens. `None` for any number of places or steps. Channels are
            last, whatever Keras's setting.
        outputs: Classes, or numbers, for each sample or label. At least 1; `None` for
            the features in front of the last layer.
        task: `"classification"`, `"regression"`, which differ in the loss alone, or
            `"labelling"`, which has outputs for each step or place.
        vocabulary: Tokens, of which 0 pads, where `input_shape` is `(steps,)`. At least
            2.
        mask: What says which steps pad. `"zeros"`: tokens 0, or steps of which all
            features are 0. `"input"`: the model has a second input `mask`, a boolean
            `(batch, steps)`, true where there is something; its inputs are a
            dictionary. `"none"`: all steps count. `"auto"`: `"zeros"` for tokens.
        width: Channels of the first stage. At least 1.
        depth: Residual blocks in all. At least 1.
        stages: At least 1, at most `depth`; `None` for 3, or `depth` if that is less.
        kernel_size: Odd, within [1, 31].
        downsampling: `"strides"`, or `"blur"` for images: `BlurPool`.
        attention: At the end of each branch: `None`, `"squeeze_excite"`, or for images
            `"efficient_channel"`, `"cbam"`, `"coordinate"`, `"global_context"` or
            `"sim_am"`.
        activation: `"relu"`, `"gelu"`, `"silu"`, `"mish"`, `"elu"`, `"leaky_relu"` or
            `"tanh"`; `None` for `"relu"`.
        normalization: `"batch"`, `"layer"`, `"rms"`, `"none"`, or for images `"group"`;
            `None` for `"batch"`.
        pooling: `"average"`, `"max"`, `"concat"`, `"gem"` or `"attention"`; `None` for
            `"average"`, and for labelling, which pools nothing.
        dropout: Share of features dropped in front of the last layer. Within [0, 1).
        drop_path: Rate of `DropPath` in the last block, less in those before. Within
            [0, 1).
        layer_scale: First value of `LayerScale` in each block, above 0 and at most 1;
            `None` for no scale.
        seed: Seed of what is dropped.
        name: Name of the model.
        **others: None: those of `rnn` and `transformer` are refused by name.

    Returns:
        The model. It is `(batch, outputs)`, or `(batch, steps, outputs)` and `(batch,
        height, width, outputs)` for labelling, in float32 also in mixed precision.
        Labels of steps that pad count in no loss or metric of Keras.

    Raises:
        TypeError: If there is an argument that no builder has.
        ValueError: If an argument is out of bounds or makes no sense here.

    Example:
        >>> cnn((8, 8, 3), 10, width=4).output_shape
        (None, 10)
        >>> cnn((None,), 5, "labelling", vocabulary=100, width=4).output_shape
        (None, None, 5)

    Reference: He et al., Deep Residual Learning for Image Recognition, 2015, arXiv
        1512.03385, with one convolution in front and fewer blocks; Yu et al., Dilated
        Residual Networks, 2017, arXiv 1705.09914, for labelling.
    """
    owner = "cnn"
    options = _options.checked(
        owner,
        others,
        kinds=("images", "features", "tokens"),
        usual="batch",
        poolings=tuple(_parts.POOLINGS),
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
    stages = min(options.depth, 3) if stages is None else stages
    stages = _check.integer(owner, "stages", stages, 1, options.depth)
    kernel_size = _check.odd(owner, "kernel_size", kernel_size, 1, 31)
    activation = _options.activation(owner, activation, "relu")
    _check.one_of(owner, "downsampling", downsampling, DOWNSAMPLINGS)
    if options.data != "images" and downsampling == "blur":
        _check.fail(owner, "downsampling", "'strides' for sequences", downsampling)
    if attention is not None:
        _check.one_of(owner, "attention", attention, attentions(options.data))

    given, x, seen = _parts.begun(options)
    made = _Convolving(options, kernel_size, activation, downsampling, attention, seen)
    x = made.convolved(x, options.width, "stem")
    x = made.active(made.normal(x, "stem_norm"), "stem_activation")
    before = 0
    for block in range(options.depth):
        stage = block * stages // options.depth
        x = made.block(x, block, stage, is_first=stage > before)
        before = stage
    return keras.Model(given, _parts.ended(options, x, made.seen), name=name)


def attentions(data) -> tuple[str, ...]:
    """Names of the attention that this kind of data can have."""
    return tuple(_parts.ATTENTIONS) if data == "images" else ("squeeze_excite",)


class _Convolving:
    """Blocks of convolutions, and what is seen at the stage they are at."""

    def __init__(self, options, kernel_size, activation, downsampling, attention, seen):
        self.options = options
        self.kernel_size = kernel_size
        self.activation = activation
        self.downsampling = downsampling
        self.attention = attention
        self.seen = seen
        self.axes = 2 if options.data == "images" else 1

    def convolved(self, x, channels, name, *, size=None, strides=1, dilation=1):
        size = self.kernel_size if size is None else size
        if size > 1:
            x = _parts.hidden(x, self.seen, f"{name}_hide")
        padding = "same"
        if strides > 1:
            # What Keras calls the same padding shifts with the number of steps.
            padding = "valid"
            if size > 1:
                zeros = getattr(keras.layers, f"ZeroPadding{self.axes}D")
                x = zeros(size // 2, data_format="channels_last", name=f"{name}_pad")(x)
        return getattr(keras.layers, f"Conv{self.axes}D")(
            channels,
            size,
            strides=strides,
            padding=padding,
            dilation_rate=dilation,
            data_format="channels_last",
            use_bias=self.options.normalization == "none",
            kernel_initializer="he_normal",
            name=name,
        )(x)

    def normal(self, x, name):
        return _parts.normalized(self.options, x, self.seen, name)

    def active(self, x, name):
        return keras.layers.Activation(self.activation, name=name)(x)

    def block(self, x, block, stage, *, is_first):
        name, channels = f"block_{block + 1}", self.options.width * 2**stage
        halves = is_first and not self.options.is_labelling
        blurs = halves and self.downsampling == "blur"
        strides = 2 if halves and not blurs else 1
        dilation = 2**stage if self.options.is_labelling else 1
        seen = self.seen
        if seen is not None and halves:
            seen = EverySecond(name=f"{name}_seen")(seen)

        y = self.convolved(
            x, channels, f"{name}_conv_1", strides=strides, dilation=dilation
        )
        shortcut = x
        if x.shape[-1] != channels:
            if blurs:
                y = self._blurred(y, f"{name}_blur")
                shortcut = self._blurred(x, f"{name}_shortcut_blur")
            shortcut = self.convolved(
                shortcut, channels, f"{name}_shortcut", size=1, strides=strides
            )
        self.seen = seen
        if shortcut is not x:
            shortcut = self.normal(shortcut, f"{name}_shortcut_norm")
        y = self.active(self.normal(y, f"{name}_norm_1"), f"{name}_activation_1")
        y = self.convolved(y, channels, f"{name}_conv_2", dilation=dilation)
        y = self.normal(y, f"{name}_norm_2")
        y = _parts.attended(self.attention, y, seen, f"{name}_attention")
        x = _parts.joined(self.options, shortcut, y, block, name)
        return self.active(x, f"{name}_activation_2")

    def _blurred(self, x, name):
        return layers.BlurPool(data_format="channels_last", name=name)(x)
