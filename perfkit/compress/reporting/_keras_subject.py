"""A Keras model that is reported on."""

import gzip
import math
import tempfile
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np

from perfkit import _backend
from perfkit.compress import _samples
from perfkit.compress.export_tflite import export_tflite
from perfkit.compress.lite_model import LiteModel
from perfkit.compress.reparameterized import KernelTransform
from perfkit.compress.reporting import OWNER, _layer_outputs, _units
from perfkit.compress.reporting.results import LayerReport, ModelReport
from perfkit.graph import folding, macs
from perfkit.graph.calls import read
from perfkit.graph.functional import is_graph
from perfkit.graph.latency import compiled
from perfkit.graph.layer_calls import layer_calls, own_inputs

_BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}


class KerasSubject:
    """A Keras model.

    Args:
        name: Its name in the report.
        model: A built `keras.Model`.
        batch_size: Samples that it predicts at once.
        sample: A batch of one sample of the data, or `None`.
    """

    def __init__(self, name, model, batch_size, sample):
        self.name, self.model = name, model
        self.runtime = _runtime()
        self.lite: LiteModel | None = None
        self.notes: list[str] = []
        self._units = _units.units(model)
        self._batch_size = batch_size
        self._program = compiled(model, lambda batch: model(batch, training=False))
        self._says_sizes = _says_sizes(model)
        self._one = _one(own_inputs(OWNER, model) if self._says_sizes else sample)
        self._calls = None if self._one is None else layer_calls(model, self._one)[0]
        if self._one is None:
            expected = "the model does not say what sizes it takes; give data="
            self.notes.append(f"no MACs, no latency: {expected}")
        self._export: dict[str, Any] = {}

    @property
    def layer_bytes(self) -> int:
        """About how many bytes the outputs of its layers have for one sample."""
        shapes = [call.outputs for call in self._calls or ()]
        # Of what makes several tensors nothing is kept.
        return 4 * sum(math.prod(s) for s in shapes if s and isinstance(s[0], int))

    @property
    def folds(self) -> dict[str, str]:
        """Paths of layers, with those of the batch normalization right behind them.

        Where another model or a file lacks the latter, it is folded into the former.
        """
        if not is_graph(self.model):
            return {}
        paths = {id(unit.layer): unit.path for unit in self._units}
        pairs = folding.pairs(read(OWNER, self.model))
        return {paths[id(layer)]: paths[id(norm)] for layer, norm in pairs}

    def misfit(self, x) -> str:
        """Return the shapes that it takes, if these inputs do not fit; else ""."""
        if not self._says_sizes:
            return ""
        own = [each.shape[1:] for each in keras.tree.flatten(self._one)]
        given = [each.shape[1:] for each in keras.tree.flatten(x)]
        return "" if own == given else _samples.said_shapes(self._one)

    def predict(self, x) -> Any:
        """Return its outputs for samples."""
        made = [
            _samples.rows(self._program(batch), slice(count))
            for batch, count in _samples.equal_batches(x, self._batch_size)
        ]
        return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *made)

    def outputs(self, batch) -> _layer_outputs.Outputs:
        """Return the outputs of its layers for a batch."""
        return _layer_outputs.outputs(self.model, self._units, batch)

    def probe(self) -> _layer_outputs.Probe:
        """Return the function that compares its layers with those of a reference."""
        return _layer_outputs.probe_of_model(self.model, self._units)

    def export(self, threads) -> None:
        """Make a float TFLite file of it; where that is not possible, note why."""
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.tflite")
                export_tflite(self.model, path, verbose=False)
                content = path.read_bytes()
                self.lite = LiteModel(path, threads=threads)
        except (ImportError, RuntimeError, ValueError) as error:
            self.notes.append(f"no .tflite: {_said(error)}")
            return
        self._export["lite_bytes"] = len(content)
        self._export["lite_gzip_bytes"] = len(gzip.compress(content))

    def once(self) -> Any:
        """Return what predicts one sample, zeros; `None` if the sizes are not known."""
        if self._one is None:
            return None

        def zeros(like):
            return keras.ops.zeros(like.shape, like.dtype)

        batch = keras.tree.map_structure(zeros, self._one)
        return lambda: self._program(batch)

    def report(self, sqnr) -> ModelReport:
        """Return its part of the report.

        Args:
            sqnr: Signal-to-noise ratios of its layers by their paths, and the paths of
                the layers that they are against.
        """
        known, unknown = self._macs()
        instead = _units.computed(self._units)
        units = [
            unit
            for unit in self._units
            if unit.weights or not isinstance(unit.layer, keras.Model)
        ]
        rows = [self._row(unit, known, unknown, sqnr, instead) for unit in units]
        kernels = [k for unit in self._units for k in unit.kernels]
        kernels = _units.values(kernels, instead)
        weights = [w for unit in self._units for w in unit.weights]
        weights = _units.values(weights, instead)
        negative = sum(int(np.signbit(each[each == 0]).sum()) for each in kernels)
        if negative:
            self.notes.append(
                f"{negative:,} zeros of kernels are -0.0, which gzip pays for: save "
                "`where(mask, kernel, 0)`, not `kernel * mask`"
            )
        return ModelReport(
            self.name,
            "Keras",
            parameters=sum(row.parameters for row in rows),
            macs=None if self._calls is None else sum(known.values()),
            sparsity=_units.kernel_counts(kernels)[0],
            distinct=max((row.distinct for row in rows if row.distinct), default=None),
            weight_bytes=sum(each.nbytes for each in weights),
            weight_gzip_bytes=_units.gzip_size(weights),
            dtypes=dict(Counter(each.dtype.name for each in weights)),
            layers=tuple(rows),
            notes=tuple(self.notes),
            **self._export,
        )

    def _row(self, unit, known, unknown, sqnr, instead) -> LayerReport:
        weights = _units.values(unit.weights, instead)
        kernels = _units.values(unit.kernels, instead)
        sparsity, distinct = _units.kernel_counts(kernels)
        ratio, against = sqnr.get(unit.path, (None, None))
        uncounted = self._calls is None or id(unit.layer) in unknown
        return LayerReport(
            unit.path,
            unit.kind,
            dtype=_units.joined(each.dtype.name for each in kernels or weights),
            parameters=sum(each.size for each in weights),
            macs=None if uncounted else known[id(unit.layer)],
            sparsity=sparsity,
            distinct=distinct,
            bytes=sum(each.nbytes for each in weights),
            gzip_bytes=_units.gzip_size(weights) if weights else 0,
            sqnr=ratio,
            against=against,
        )

    def _macs(self) -> tuple[Counter[int], set[int]]:
        """Multiply-accumulates of units by the ids of their layers; which have more."""
        owner = {id(x): id(unit.layer) for unit in self._units for x in unit.inside}
        known: Counter[int] = Counter()
        unknown: dict[str, int] = {}
        for call in self._calls or ():
            if isinstance(call.layer, KernelTransform):
                continue  # not there any more at inference
            place, count = owner[id(call.layer)], macs.of_call(call)
            known[place] += count or 0
            if count is None:
                unknown[call.layer.name] = place
        if unknown:
            self.notes.append(f"MACs without those of {', '.join(unknown)}")
        return known, set(unknown.values())


def _runtime():
    name = keras.backend.backend()
    devices = {each.partition(":")[0] for each in keras.distribution.list_devices()}
    device = ", ".join(devices - {"cpu"}) or "cpu"
    by = "XLA" if _backend.predicts_by_xla() else "without XLA"
    return f"{_BACKENDS.get(name, name)} {by}, {device}, its own threads"


def _says_sizes(model):
    own = getattr(model, "inputs", None)
    return bool(own) and not any(None in tensor.shape[1:] for tensor in own)


def _one(inputs):
    """The shapes and dtypes of one sample of inputs; `None` if there are none."""

    def one(tensor):
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        if not isinstance(tensor, keras.KerasTensor):  # of data, on its way to a layer
            is_float = keras.backend.is_float_dtype(dtype)
            dtype = keras.backend.floatx() if is_float else dtype.replace("64", "32")
        return keras.KerasTensor((1, *tensor.shape[1:]), dtype)

    return None if inputs is None else keras.tree.map_structure(one, inputs)


def _said(error):
    """The message of an error on one line, without what was received."""
    return textwrap.shorten(str(error).partition(" Received: ")[0], 250)
