"""Sizes, sparsity, noise, quality and times of models and files, side by side."""

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from perfkit import _check
from perfkit.compress import _samples
from perfkit.compress.lite_model import LiteModel
from perfkit.compress.reporting import OWNER
from perfkit.compress.reporting._keras_subject import KerasSubject
from perfkit.compress.reporting._lite_subject import LiteSubject
from perfkit.compress.reporting._study import Study
from perfkit.compress.reporting._timing import latencies, processor
from perfkit.compress.reporting.results import Report


def report(
    models,
    *,
    data=None,
    reference=None,
    metric=None,
    lite=None,
    runs=50,
    threads=1,
    samples=32,
    batch_size=32,
    verbose=True,
) -> Report:
    """Report what models and files weigh, how fast they are and what they lose.

    It reports parameters, multiply-accumulates, sparsity and distinct values of
    kernels, bytes of the weights and of the `.tflite` file, raw and after gzip, and the
    time of a prediction of one sample on this machine. With data it also reports
    accuracy, and the signal-to-noise ratio of the outputs and of each layer.

    Models on the same runtime are timed in turn. A speed-up is the ratio of those
    times, with its quartiles, and only between predictions on the same runtime: a file
    against a file, Keras against Keras. For each Keras model a float `.tflite` file is
    made in a temporary folder, so that it can be compared with files.

    A layer of a model is compared with the layer of the reference that has the same
    path; a wrapper, with the path of the layer that it wraps. An operator of a file has
    the name of the first layer that is in it, and is compared with the last. If more
    than one layer may be meant, it is not compared.

    Signal-to-noise ratios tell what rounding costs: 25 to 45 dB is good of the outputs
    of a trained network in int8. Of a model that was trained on they say nothing, as it
    is another function; look at accuracy there.

    Args:
        models: A built Keras model, the path of a `.keras` or `.tflite` file, or a
            `LiteModel`; or a dict of these by the names that they are to have. The
            first one is what others are compared with.
        data: Inputs, or a pair of inputs and labels: arrays, or an iterable of batches
            (`tf.data`, `PyDataset`, a list), which is read once. Labels are numbers of
            classes or one-hot rows.
        reference: The float Keras model, or the path of its `.keras` file, that
            signal-to-noise ratios are against. By default the first of several models,
            if it is a Keras model.
        metric: Function of labels and outputs, such as one of `keras.metrics`, whose
            mean is reported. By default accuracy, for outputs of one number a class.
        lite: Whether to make the float `.tflite` file of each Keras model. By default
            on TensorFlow; under another backend that needs a second process, which
            takes long.
        runs: How often each prediction is timed; 0 for no times. At least 0.
        threads: CPU threads of a `.tflite` file that is given by its path. At least 1.
        samples: On how many samples layers are compared at most, the first ones of the
            data. At least 1.
        batch_size: Samples that a Keras model predicts at once. At least 1.
        verbose: Whether to show a progress bar.

    Returns:
        `Report`: prints as a table; `report[name]`, `to_dict()`, `show()`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a file is not there or cannot be read, a model is not built, or
            the data do not fit.
        ImportError: If a file is to be run and neither `ai_edge_litert` nor TensorFlow
            is installed.

    Example:
        >>> import numpy as np
        >>> dense = keras.layers.Dense(2, use_bias=False)
        >>> model = keras.Sequential([keras.Input((2,)), dense])
        >>> dense.set_weights([np.array([[1.0, 0.0], [0.0, 2.0]])])
        >>> x, y = np.array([[3.0, 1.0], [1.0, 2.0]], "float32"), np.array([0, 0])
        >>> found = report({"tiny": model}, data=(x, y), lite=False, verbose=False)
        >>> tiny = found["tiny"]
        >>> tiny.parameters, tiny.macs, tiny.sparsity, tiny.distinct, tiny.quality
        (4, 4, 0.5, 3, 0.5)

    Reference: none.
    """
    threads = _check.integer(OWNER, "threads", threads)
    runs = _check.integer(OWNER, "runs", runs, 0)
    samples = _check.integer(OWNER, "samples", samples)
    batch_size = _check.integer(OWNER, "batch_size", batch_size)
    verbose = _check.boolean(OWNER, "verbose", verbose)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    lite = on_tensorflow if lite is None else _check.boolean(OWNER, "lite", lite)
    if metric is not None and not callable(metric):
        _check.fail(OWNER, "metric", "a function", metric, TypeError)
    if data is None and (metric is not None or reference is not None):
        _check.fail(OWNER, "data", "given, with `metric` or `reference`", data)
    named = _named(models)
    first = next(iter(named.values()))
    if reference is not None:
        named_so = _name_of(reference, models)
        reference = named[named_so] if named_so else _opened("reference", reference)
        reference = _check.instance(OWNER, "reference", reference, keras.Model)
    elif len(named) > 1 and isinstance(first, keras.Model) and data is not None:
        reference = first
    batches = iter(()) if data is None else _samples.read(data, OWNER)
    head = next(batches, None)
    sample = None if head is None else _samples.rows(head[0], slice(1))

    def subject(name, thing) -> Any:
        if isinstance(thing, keras.Model):
            return KerasSubject(name, thing, batch_size, sample)
        return LiteSubject(name, thing, threads)

    subjects = [subject(name, thing) for name, thing in named.items()]
    against = None
    if reference is not None:
        same = [each for each in subjects if each.model is reference]
        against = same[0] if same else subject(reference.name, reference)
    step = _progress(data, len(subjects), verbose)
    study = Study(subjects, against, metric, samples, batch_size)
    if head is not None:
        for x, y in itertools.chain([head], batches):
            study.add(x, y)
            step()
    found, of_layers = study.qualities(), study.layers()
    step()
    for each in subjects:
        if lite:
            each.export(threads)
        step()
    times = latencies(subjects, runs)
    step(is_last=True)
    called = "accuracy" if metric is None else getattr(metric, "__name__", "metric")
    rows = zip(subjects, of_layers, found, times, strict=True)
    return Report(
        tuple(
            dataclasses.replace(each.report(sqnr), metric=called, **more, **timed)
            for each, sqnr, more, timed in rows
        ),
        samples=study.samples,
        runs=runs,
        cpu=processor(),
        reference=None if against is None else against.name,
    )


def _progress(data, subjects, verbose):
    """Return what is called after each batch, each file, and the parts between."""
    batches = 0 if data is None else _samples.batches_in(data)
    target = None if batches is None else batches + subjects + 2
    bar = keras.utils.Progbar(target, verbose=int(verbose), unit_name="part")
    done = itertools.count(1)

    def step(*, is_last=False):
        bar.update(next(done), finalize=is_last or None)

    return step


def _named(models) -> dict[str, Any]:
    if not isinstance(models, Mapping):
        thing = _opened("models", models)
        file = thing.path if isinstance(thing, LiteModel) else thing
        return {file.name: thing}
    if not models:
        _check.fail(OWNER, "models", "one model or more", models)
    return {str(name): _opened("models", each) for name, each in models.items()}


def _name_of(reference, models) -> str | None:
    """The name of the file among models that is the reference, if it is one of them."""
    given = models if isinstance(models, Mapping) else {}
    paths = {
        Path(each): str(name)
        for name, each in given.items()
        if isinstance(each, (str, Path))
    }
    is_path = isinstance(reference, (str, Path))
    return paths.get(Path(reference)) if is_path else None


def _opened(argument, thing) -> Any:
    """A model that is built, a `LiteModel`, or the path of a .tflite file."""
    if isinstance(thing, keras.Model):
        return _check.built(OWNER, argument, thing)
    if isinstance(thing, LiteModel):
        if not thing.path.is_file():
            _check.fail(OWNER, argument, "a LiteModel whose file is there", thing)
        return thing
    if not isinstance(thing, (str, Path)):
        expected = "a Keras model, the path of a .keras or .tflite file, or a LiteModel"
        _check.fail(OWNER, argument, expected, thing, TypeError)
    path = Path(thing)
    if path.suffix not in (".keras", ".tflite") or not path.is_file():
        expected = "the path of a .keras or .tflite file that is there"
        _check.fail(OWNER, argument, expected, str(thing))
    if path.suffix == ".keras":
        return keras.models.load_model(path, compile=False)
    return path
