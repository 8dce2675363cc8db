"""A TFLite file that is reported on."""

import gzip
from collections import Counter
from typing import Any

import keras

from perfkit import _check
from perfkit.compress.lite_model import LiteModel
from perfkit.compress.reporting import OWNER, _layer_outputs, _lite_file, _units
from perfkit.compress.reporting.results import LayerReport, ModelReport


class LiteSubject:
    """A TFLite file, with the same methods as `KerasSubject`.

    Args:
        name: Its name in the report.
        file: Its path, or a `LiteModel`.
        threads: CPU threads that run it, where it is a path.
    """

    model = runtime = None  # it is no Keras model

    def __init__(self, name, file, threads):
        path = file.path if isinstance(file, LiteModel) else file
        self.name = name
        self.notes: list[str] = []
        self._content = path.read_bytes()
        try:
            self._file = _lite_file.read(self._content)
        except Exception:  # of any type, where a file is cut off
            _check.fail(OWNER, "models", "a whole .tflite file", str(path))
        self.lite: LiteModel | None = None
        if isinstance(file, LiteModel):
            self.lite = file
        elif self._file.ends == (1, 1):
            self.lite = LiteModel(path, threads=threads)
        else:
            self.notes.append("only files with one input and one output are run")
        self._probe: _layer_outputs.ProbeOfFile | None = None

    def misfit(self, x) -> str:
        """Return the shapes that it takes, if these inputs do not fit; else ""."""
        if self.lite is None:
            return ""
        own = self.lite.input.shape
        given = [each.shape[1:] for each in keras.tree.flatten(x)]
        return "" if given == [own[1:]] else str(("batch", *own[1:])).replace("'", "")

    def predict(self, x) -> Any:
        """Return its outputs for samples; `None` if it cannot be run."""
        (only,) = keras.tree.flatten(x)
        return None if self.lite is None else self.lite.predict(only)

    def probe(self) -> _layer_outputs.Probe:
        """Return the function that compares its operators with layers."""
        if self.lite is None:
            return lambda *_: ()
        self._probe = _layer_outputs.ProbeOfFile(self._content, self._file)
        return self._probe

    def export(self, threads) -> None:
        """Do nothing: it is a file already."""

    def once(self) -> None:
        """Return nothing: Keras predicts nothing with a file."""

    def report(self, sqnr) -> ModelReport:
        """Return its part of the report.

        Args:
            sqnr: Signal-to-noise ratios of its operators by their numbers, and the
                paths of the layers that they are against.
        """
        operators = self._file.operators
        rows = [self._row(*each, sqnr) for each in enumerate(operators)]
        weights = [c for each in operators for c in each.constants if c.weighs]
        kernels = [kernel for each in operators for kernel in each.kernels]
        unknown = dict.fromkeys(row.kind for row in rows if row.macs is None)
        if unknown:
            self.notes.append(f"MACs without those of {', '.join(unknown)}")
        return ModelReport(
            self.name,
            ".tflite",
            parameters=sum(row.parameters for row in rows),
            macs=sum(row.macs or 0 for row in rows),
            sparsity=_counts(kernels)[0],
            distinct=max((row.distinct for row in rows if row.distinct), default=None),
            weight_bytes=sum(row.bytes for row in rows),
            weight_gzip_bytes=_units.gzip_size(each.content for each in weights),
            lite_bytes=len(self._content),
            lite_gzip_bytes=len(gzip.compress(self._content)),
            dtypes=self._file.dtypes,
            operators=dict(Counter(each.kind for each in operators)),
            integer=not any("float" in dtype for dtype in self._file.dtypes),
            layers=tuple(rows),
            notes=tuple(self.notes),
        )

    def _row(self, number, operator, sqnr) -> LayerReport:
        weights = [each for each in operator.constants if each.weighs]
        contents = [each.content for each in weights]
        sparsity, distinct = _counts(operator.kernels)
        layers = self._probe.starts if self._probe else {}
        ratio, against = sqnr.get(str(number), (None, None))
        tensor = operator.name.partition(";")[0]
        return LayerReport(
            layers.get(number) or tensor.partition("/")[2] or tensor,
            operator.kind,
            dtype=_units.joined(each.dtype for each in operator.kernels or weights),
            parameters=sum(each.size for each in weights),
            macs=operator.macs,
            sparsity=sparsity,
            distinct=distinct,
            bytes=sum(map(len, contents)),
            gzip_bytes=_units.gzip_size(contents) if contents else 0,
            sqnr=ratio,
            against=against,
        )


def _counts(kernels):
    arrays = [kernel.values for kernel in kernels]
    return _units.kernel_counts(arrays, [kernel.size for kernel in kernels])
