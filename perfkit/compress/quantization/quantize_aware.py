"""A model that trains as it will be quantized."""

import keras

from perfkit import _check
from perfkit.compress.quantization import _bits
from perfkit.compress.quantization._dressing import undressed
from perfkit.compress.quantization._placing import quantized
from perfkit.graph.folding import folded
from perfkit.graph.splitting import split


def quantize_aware(
    model, *, bits=8, per_channel=True, momentum=0.99, strict=True, verbose=True
) -> keras.Model:
    """Put fake quantization into a model, to train what an int8 file computes.

    Kernels are rounded to the levels of small integers whenever they are used. Tensors
    are rounded wherever the file will round them: not between a convolution, its batch
    normalization and its ReLU, which are one operation there. Gradients pass the
    rounding. Compile the result, train it some epochs at a low rate, and give it to
    `export_tflite`, which needs no data; `strip` gives a plain model back. The ranges
    of tensors are moving means, so some training is needed; `quantize` finds them on
    data instead.

    The zeros of a pruned model stay zeros while the result is trained: the masks go
    along. For a pruned model that was loaded or cloned, call `hold_zeros` first.

    Nested models are taken apart. A layer becomes several where a file has no single
    operation for it: separable convolutions, layers with an activation inside,
    `Rescaling` and `Normalization`. Batch normalization that follows no dense layer or
    convolution becomes a product and a sum, and no longer follows the statistics of
    batches.

    Args:
        model: A built Functional or Sequential model; models may be nested in it. It
            stays as it is; clusters and zeros in it go along. Merge adapters first.
        bits: Bits of weights: 8 or 4, or a mapping from patterns for the names or paths
            of layers to these, such as `{"block_*": 4}`. Layers that no pattern fits
            get 8; of several that fit, the last counts. 4 bits make a file smaller, not
            faster. Tensors always have 8.
        per_channel: Whether each output unit has a range of its own; else batch
            normalization is folded first. With 4 bits only `Conv2D` and
            `DepthwiseConv2D` have such ranges; other layers have one for the kernel.
        momentum: How much of the range of a tensor stays at each batch, within [0, 1].
        strict: Whether a layer without an integer form is an error. Else it stays in
            float, with conversions around it; give `export_tflite` strict=False too.
        verbose: Whether to print which layers stay in float.

    Returns:
        A new Functional model with weights of its own, not compiled.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds, a pattern fits no layer, or a layer
            has no integer form.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.set_weights([np.array([[0.504], [1.0]]), np.zeros(1)])
        >>> aware = quantize_aware(model)
        >>> round(float(aware.layers[-2].kernel[0, 0]) * 127, 3)
        64.0

    Reference: Jacob et al., Quantization and Training of Neural Networks, 2018, arXiv
        1712.05877. There batch normalization is folded while training; here it is not,
        since a factor per channel before or after rounding per channel is the same.
    """
    owner = "quantize_aware"
    _check.instance(owner, "model", model, keras.Model)
    _check.boolean(owner, "per_channel", per_channel)
    _check.unit(owner, "momentum", momentum)
    _check.boolean(owner, "strict", strict)
    _check.boolean(owner, "verbose", verbose)
    plain, transforms = undressed(owner, model)
    steps = split(owner, plain)
    # Its factors commute with the rounding of channels, not with that of all weights.
    ready = steps.model if per_channel else folded(owner, steps.model)
    return quantized(
        owner,
        ready,
        steps.paths,
        transforms=transforms,
        bits_of=_bits.chooser(owner, bits, steps.paths),
        per_channel=per_channel,
        momentum=momentum,
        strict=strict,
        verbose=verbose,
    )
