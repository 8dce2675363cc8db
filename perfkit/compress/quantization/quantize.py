"""A trained model as small integers, without training."""

import math
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.compress import _calibration
from perfkit.compress.quantization import _bits, _correcting, _data_free, _observing
from perfkit.compress.quantization._dressing import undressed
from perfkit.compress.quantization._placing import quantized
from perfkit.compress.quantization.fake_quantization import FakeQuantization
from perfkit.graph.calls import read
from perfkit.graph.equalization import equalize
from perfkit.graph.folding import folded, pairs
from perfkit.graph.splitting import split

_KINDS = ("minmax", "ema", "percentile", "mse", "kl")
_BATCH = 32


def quantize(
    model,
    data=None,
    *,
    calibration="minmax",
    percentile=99.99,
    samples=300,
    bits: Any = 8,
    per_channel=True,
    corrected=True,
    equalized=False,
    value_range=None,
    strict=True,
    verbose=True,
) -> keras.Model:
    """Quantize a trained model: find the ranges of its tensors on some data.

    The result computes in float what an int8 file will compute in integers. Evaluate it
    to see what quantization costs, train it some epochs at a low rate, or give it to
    `export_tflite`, which needs no data any more. Batch normalization is folded into
    the layers before it, except into layers with clusters.

    The zeros of a pruned model stay zeros while the result is trained: the masks go
    along. For a pruned model that was loaded or cloned, call `hold_zeros` first.

    Without data the ranges are computed from batch normalization, which knows mean and
    deviation of what it returns. This is for when there are no data at hand: a few
    hundred samples do better.

    Args:
        model: A built and trained Functional or Sequential model; models may be nested
            in it. It stays as it is.
        data: Inputs as the model takes them, without labels or with: an array, or an
            iterable of batches `x` or `(x, y)` (`tf.data`, `PyDataset`, a list). None
            for ranges from batch normalization.
        calibration: How ranges are found: "minmax" holds all values; "ema" is the
            moving mean of the least and greatest of batches; "percentile" leaves out
            outliers; "mse" has the least squared error; "kl" loses least information,
            as Kullback and Leibler measure it. The first is safe; compare the others on
            validation data.
        percentile: For "percentile": how many percent of the values are not above the
            range, and as many not below it. Within [50, 100].
        samples: How many inputs are used at most, at least 1: evenly spaced ones of an
            array, the first ones of an iterable.
        bits: Bits of weights, 8 or 4, or a mapping: see `quantize_aware`.
        per_channel: Whether each output unit has a range of its own.
        corrected: Whether biases make up for what rounding the weights changes on
            average.
        equalized: Whether weights of neighbouring layers are scaled so that channels
            have similar ranges, which helps where `per_channel` is False.
        value_range: Without data: least and greatest value of the inputs, such as
            `(0, 255)`. All values between are taken to be as frequent.
        strict: Whether a layer without an integer form is an error. Else it stays in
            float, with conversions around it; give `export_tflite` strict=False too.
        verbose: Whether to show a progress bar, and to print which layers stay in
            float.

    Returns:
        A new Functional model with fake quantization, not compiled.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds, data do not fit the model, or a
            layer has no integer form.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.set_weights([np.array([[2.0]]), np.array([1.0])])
        >>> data = np.linspace(-1.0, 1.55, 256)[:, None]
        >>> small = quantize(model, data, verbose=False)
        >>> float(small(np.array([[0.5]]))[0, 0])
        2.0

    Reference: Krishnamoorthi, Quantizing deep convolutional networks, 2018, arXiv
        1806.08342 ("minmax", "ema"); Migacz, 8-bit Inference with TensorRT, 2017
        ("kl"); Nagel et al., Data-Free Quantization, 2019, arXiv 1906.04721
        (`equalized`, which leaves ReLU6 alone, `corrected`, and without data).
    """
    owner = "quantize"
    _check.instance(owner, "model", model, keras.Model)
    _check.one_of(owner, "calibration", calibration, _KINDS)
    _check.number(owner, "percentile", percentile, 50.0, 100.0)
    _check.integer(owner, "samples", samples)
    for name, value in (("per_channel", per_channel), ("corrected", corrected)):
        _check.boolean(owner, name, value)
    for name, value in (("equalized", equalized), ("strict", strict)):
        _check.boolean(owner, name, value)
    _check.boolean(owner, "verbose", verbose)
    value_range = _data_free.checked(owner, data, calibration, value_range)
    bare, transforms = undressed(owner, model)
    if equalized and transforms:
        expected = "False, as it would scale apart weights that have their values in "
        _check.fail(owner, "equalized", expected + "common in clusters", equalized)
    steps = split(owner, bare, biases=True)
    apart = _apart(owner, steps, transforms, per_channel)
    batches = None
    if data is not None:
        batches = collected(owner, steps.model, data, samples)
    plain = folded(owner, steps.model, apart)
    if equalized:
        equalize(read(owner, plain))
    small = quantized(
        owner,
        plain,
        steps.paths,
        transforms=transforms,
        bits_of=_bits.chooser(owner, bits, steps.paths),
        per_channel=per_channel,
        momentum=0.99,
        strict=strict,
        verbose=verbose,
    )
    if batches is None:
        _data_free.calibrate(owner, steps.model, plain, small, value_range, corrected)
        return small
    passes = len(batches) * (1 + (calibration not in ("minmax", "ema")) + corrected)
    bar = keras.utils.Progbar(passes, verbose=int(verbose), unit_name="batch")
    found = _observing.ranges(
        small, batches, calibration, percentile=percentile, bar=lambda: bar.add(1)
    )
    set_ranges(small, found)
    if corrected:
        _correcting.correct(small, batches, bar=lambda: bar.add(1))
    return small


def set_ranges(model, ranges) -> None:
    """Set the ranges of fake quantization in a model, except those that are fixed."""
    layers = _observing.layers_of(model, FakeQuantization)
    for layer, (low, high) in zip(layers, ranges, strict=True):
        if layer.fixed is None:
            layer.set_range(low, high)


def _apart(owner, steps, transforms, per_channel) -> set[str]:
    """Names of layers with clusters, into which batch normalization is not folded.

    A factor for each channel would turn the few values of a kernel into many. The
    converter folds it later: with weights that are rounded per channel, that changes
    scales alone and no integers.
    """
    apart = {name for name, path in steps.paths.items() if path in transforms}
    found = [layer.name for layer, _ in pairs(read(owner, steps.model))]
    if not per_channel and apart & set(found):
        expected = "True, as batch normalization follows layers with clusters: its "
        expected += "factors are of channels"
        _check.fail(owner, "per_channel", expected, per_channel)
    return apart


def collected(owner, model, data, samples) -> list[Any]:
    """Return some of the data in batches, checked against what the model takes."""
    if len(model.inputs) == 1:
        (given,) = model.inputs
        shape = tuple(given.shape[1:])
        dtype = keras.backend.standardize_dtype(given.dtype)
        array = _calibration.collect(owner, data, shape, dtype, samples)
        return np.array_split(array, math.ceil(len(array) / _BATCH))
    return _calibration.structures(owner, data, model.input, samples)
