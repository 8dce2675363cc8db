"""What was found out about models and files: as values, a table, a picture, a dict."""

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from perfkit import _check
from perfkit.compress import _files
from perfkit.compress.reporting import _tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Latency:
    """How long a prediction of one sample takes, where it was measured.

    Attributes:
        runtime: What ran it, such as "LiteRT, 1 thread".
        median_ms: Median of the runs, in milliseconds.
        p90_ms: What nine of ten runs kept within, in milliseconds.
        than: Name of the model that was timed in turn with it on the same runtime and
            that it is compared with; `None` if there is none.
        speed_up: How many times as fast as that one it was: the median, and the lower
            and the upper quartile, of the ratios of runs one after the other. `None` if
            there is none.

    Example:
        >>> fast = Latency("LiteRT, 1 thread", 0.4, 0.5, "float", (2.4, 2.3, 2.5))
        >>> f"{fast.speed_up[0]} times as fast as {fast.than}"
        '2.4 times as fast as float'
    """

    runtime: str
    median_ms: float
    p90_ms: float
    than: str | None = None
    speed_up: tuple[float, float, float] | None = None


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """What was found out about a layer, or about an operator of a file.

    Attributes:
        path: Names from the model down. For an operator, the path of the first layer of
            the reference that is in it, or else the name of its tensor.
        kind: Name of the class or of the operator.
        dtype: Of its kernels, or else of its other weights; "" if it has none.
        parameters: How many values its weights have.
        macs: Multiply-accumulates of one sample; `None` if they are not known.
        sparsity: Share of the values of its kernels that are zero; `None` if it has
            none.
        distinct: How many different values its kernels have, as they are stored, or
            where they are clustered or rounded, as the layer computes with them; zeros
            and gzip are of the same values.
        bytes: Of its weights.
        gzip_bytes: Of its weights after gzip.
        sqnr: Signal-to-noise ratio of its output against that of the reference, in
            decibels; `None` where it has no counterpart.
        against: Path of the layer of the reference whose output that is; `None` where
            it has no counterpart.

    Example:
        >>> LayerReport("dense", "Dense", parameters=10, macs=8, bytes=40).counts
        True
        >>> LayerReport("dropout", "Dropout").counts
        False
    """

    path: str
    kind: str
    dtype: str = ""
    parameters: int = 0
    macs: int | None = None
    sparsity: float | None = None
    distinct: int | None = None
    bytes: int = 0
    gzip_bytes: int = 0
    sqnr: float | None = None
    against: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it has weights, multiplies or is compared, so that tables show it."""
        return bool(self.parameters or self.macs) or self.sqnr is not None


@dataclasses.dataclass(frozen=True)
class ModelReport:
    """What was found out about a model or a file; printed, a table with its layers.

    Attributes:
        name: Its name in the report.
        kind: "Keras" or ".tflite".
        parameters: How many values its weights have.
        macs: Multiply-accumulates of one sample; `None` if they are not known.
        sparsity: Share of the values of its kernels that are zero.
        distinct: The most different values that the kernels of one layer have.
        weight_bytes: Of its weights.
        weight_gzip_bytes: Of its weights after gzip.
        lite_bytes: Of the file, or of the float file that was made of the model.
        lite_gzip_bytes: The same after gzip.
        dtypes: How many weights, or tensors of the file, have each dtype.
        operators: How many operators of each kind the file has.
        integer: Whether all tensors of the file are integers; `None` of a model.
        sqnr: Signal-to-noise ratio of the outputs against those of the reference, in
            decibels, over all samples.
        quality: The value of the metric. `None` without labels.
        metric: Name of the metric: "accuracy" is the share of samples with the right
            class, within [0, 1].
        latency: Of the prediction that Keras compiles.
        lite_latency: Of the file.
        layers: A `LayerReport` for each layer; tables leave out those that neither have
            weights, nor multiply, nor are compared.
        notes: What else is to be said, such as why something is not known.

    Example:
        >>> import keras
        >>> from perfkit.compress import report
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> found = report({"tiny": model}, lite=False, runs=0, verbose=False)["tiny"]
        >>> found.kind, found.parameters, found.macs, found.weight_bytes
        ('Keras', 10, 8, 40)
    """

    name: str
    kind: str
    parameters: int
    macs: int | None
    sparsity: float | None
    distinct: int | None
    weight_bytes: int
    weight_gzip_bytes: int
    lite_bytes: int | None = None
    lite_gzip_bytes: int | None = None
    dtypes: dict[str, int] = dataclasses.field(default_factory=dict)
    operators: dict[str, int] = dataclasses.field(default_factory=dict)
    integer: bool | None = None
    sqnr: float | None = None
    quality: float | None = None
    metric: str = "accuracy"
    latency: Latency | None = None
    lite_latency: Latency | None = None
    layers: tuple[LayerReport, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self):
        return "\n\n".join(_tables.text(table) for table in _tables.of_model(self))

    def _repr_html_(self):
        return "".join(_tables.html(table) for table in _tables.of_model(self))

    def show(self, path=None, *, size=None) -> "Figure":
        """Draw what each layer weighs, holds and loses; see `Report.show`.

        Args:
            path: Path of a file to write the picture to, if not `None`.
            size: Width and height, in inches, within [0.5, 100]; by default what the
                layers need.

        Returns:
            `matplotlib.figure.Figure`, of which `pyplot` knows nothing.

        Raises:
            ValueError: If `size` is out of bounds.
            ImportError: If matplotlib is not installed.
        """
        return _shown("of_layers", self, path, size)


@dataclasses.dataclass(frozen=True)
class Report:
    """Models and files side by side, made by `report`; printed, a table.

    `report["int8"]` is what was found out about one of them, with its layers.

    Attributes:
        models: A `ModelReport` for each model or file.
        samples: How many samples the outputs are of; 0 without data.
        runs: How often each prediction was timed.
        cpu: The processor of this machine, and how many of its cores could be used.
        reference: Name of what signal-to-noise ratios are against, or `None`.

    Raises:
        KeyError: By `report[name]`, if there is no model of this name.

    Example:
        >>> import keras
        >>> from perfkit.compress import report
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> found = report({"tiny": model}, lite=False, runs=0, verbose=False)
        >>> found["tiny"].parameters, found.to_dict()["models"][0]["name"]
        (10, 'tiny')
    """

    models: tuple[ModelReport, ...]
    samples: int
    runs: int
    cpu: str
    reference: str | None

    def __getitem__(self, name) -> ModelReport:
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(f"{name!r}; there are {[model.name for model in self.models]}")

    def __str__(self):
        return f"{_tables.side_by_side(self)}\n\n{_tables.said(self)}"

    def _repr_html_(self):
        tables = "".join(_tables.html(table) for table in _tables.of_report(self))
        return tables + _tables.paragraph(_tables.said(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON; an infinite ratio is "inf"."""
        return _plain(dataclasses.asdict(self))

    def show(self, path=None, *, size=None) -> "Figure":
        """Draw sizes, quality and times side by side, and what layers lose.

        For a single model it draws its layers, as `report[name].show()` does. Nothing
        pops up: a notebook shows what a cell returns. It needs matplotlib, which
        `pip install 'perfkit[examples]'` installs.

        Args:
            path: Path of a file to write the picture to, if not `None`.
            size: Width and height, in inches, within [0.5, 100]; by default what the
                content needs.

        Returns:
            `matplotlib.figure.Figure`, of which `pyplot` knows nothing.

        Raises:
            ValueError: If `size` is out of bounds.
            ImportError: If matplotlib is not installed.
        """
        if len(self.models) == 1:
            return self.models[0].show(path, size=size)
        return _shown("of_models", self, path, size)


def _shown(draw, report, path, size):
    if size is not None:
        size = _check.margins("show", "size", size, 0.5, 100.0)
    if path is not None:
        path = _files.checked("show", path)
    _check.installed("compress.Report.show", "matplotlib", "examples")
    from perfkit.compress.reporting import _figure

    figure = getattr(_figure, draw)(report, size)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _plain(value) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
