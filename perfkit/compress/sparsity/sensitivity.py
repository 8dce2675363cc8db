"""How much worse a model is if one of its layers is pruned."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from perfkit import _check
from perfkit.compress import _files
from perfkit.compress.sparsity._choosing import chosen
from perfkit.compress.sparsity.pattern import checked
from perfkit.graph.arrays import array
from perfkit.ops.sparsity import zeroed

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """What `sensitivity` found. Printed, it is a table, the worst kernels first.

    Attributes:
        metric: Name of the metric.
        baseline: Its value for the model as it is.
        sparsities: What each kernel was pruned to.
        values: By the path of a kernel, the metric at each of the sparsities.
        weights: By the path of a kernel, how many weights it has.
        left_out: Why a kernel or a layer was not pruned, by its path.

    Example:
        >>> values = {"first/kernel": (0.4,)}
        >>> print(Sensitivity("loss", 0.3, (0.5,), values, {"first/kernel": 12}, {}))
        loss 0.3; change if only one is pruned
                           weights      50%
          first/kernel           12  +0.1000
    """

    metric: str
    baseline: float
    sparsities: tuple[float, ...]
    values: dict[str, tuple[float, ...]]
    weights: dict[str, int]
    left_out: dict[str, str]

    @property
    def changes(self) -> dict[str, tuple[float, ...]]:
        """By the path of a kernel, metric minus baseline at each of the sparsities."""
        return {
            path: tuple(value - self.baseline for value in values)
            for path, values in self.values.items()
        }

    @property
    def order(self) -> tuple[str, ...]:
        """Paths of the kernels, those that change the metric most first."""
        largest = {path: max(map(abs, x)) for path, x in self.changes.items()}
        return tuple(sorted(largest, key=lambda path: -largest[path]))

    def __str__(self):
        header = f"{self.metric} {self.baseline:.4g}; change if only one is pruned"
        width = max(len(path) for path in self.values)
        shares = "".join(f"{share:>9.0%}" for share in self.sparsities)
        lines = [header, f"  {'':{width}}  {'weights':>11}{shares}"]
        for path in self.order:
            cells = "".join(f"{change:>+9.4f}" for change in self.changes[path])
            lines.append(f"  {path:{width}}  {self.weights[path]:>11,}{cells}")
        return "\n".join(lines)

    def show(self, path=None, *, size=None) -> "Figure":
        """Draw the changes, a row for each kernel in the order of the model.

        It needs matplotlib, which `pip install 'perfkit[examples]'` installs. Nothing
        pops up: a notebook shows what a cell returns.

        Args:
            path: Path of a file to write the picture to, if not `None`.
            size: Width and height, in inches, within [0.5, 100]; by default what the
                content needs.

        Returns:
            `matplotlib.figure.Figure`, of which `pyplot` knows nothing.

        Raises:
            ValueError: If `size` is out of bounds, or `path` cannot be written.
            ImportError: If matplotlib is not installed.
        """
        if size is not None:
            size = _check.margins("show", "size", size, 0.5, 100.0)
        if path is not None:
            path = _files.checked("show", path)
        _check.installed("compress.Sensitivity.show", "matplotlib", "examples")
        from perfkit.compress.sparsity._heat import heat

        columns = [f"{share:.0%}" for share in self.sparsities]
        figure = heat(self.changes, columns, f"change of {self.metric}", size)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


def sensitivity(
    model,
    data,
    *,
    sparsities=(0.5, 0.7, 0.9),
    where=None,
    pattern: Any = "unstructured",
    metric: str | Callable[[Any], Any] | None = None,
    batch_size=32,
    strict=True,
    verbose=True,
) -> Sensitivity:
    """Find out how much worse a model is if one of its layers is pruned.

    Each kernel is pruned by magnitude, alone, and the model is evaluated without
    training. That is `1 + kernels * sparsities` evaluations, so give a few thousand
    samples rather than all. Afterwards the model is exactly as it was, also if this
    breaks off.

    Args:
        model: A built `keras.Model`, compiled unless `metric` is a function.
        data: `(x, y)` or `(x, y, sample_weight)` of arrays, or batches of these: a
            `tf.data.Dataset`, a `PyDataset`. To choose sparsities, do not take the test
            data. None if `metric` is a function that has its own data.
        sparsities: Shares of zeros that each kernel is pruned to. Within (0, 1),
            rising; with `NofM` at most `1 - n / m`.
        where: See `prune`.
        pattern: See `prune`.
        metric: Name of a metric that the model was compiled with, or `"loss"`; None is
            the first metric by name, or the loss if there is none. Or a function of the
            model that returns a number.
        batch_size: Samples in a batch, where `data` are arrays. At least 1.
        strict: See `prune`.
        verbose: Whether to show a progress bar.

    Returns:
        A `Sensitivity`; print it, or `show()` it.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds, or the model is not compiled, or a
            layer that was asked for cannot be pruned.

    Example:
        >>> layers = [keras.layers.Dense(4, name="first"), keras.layers.Dense(1)]
        >>> model = keras.Sequential([keras.Input((3,)), *layers])
        >>> model.compile(loss="mse")
        >>> data = np.ones((8, 3)), np.ones((8, 1))
        >>> found = sensitivity(model, data, where="first", verbose=False)
        >>> found.metric, list(found.values), found.sparsities
        ('loss', ['first/kernel'], (0.5, 0.7, 0.9))

    Reference: Li et al., Pruning Filters for Efficient ConvNets, 2017, arXiv
        1608.08710, of single weights in place of filters.
    """
    owner = "sensitivity"
    pattern = checked(owner, pattern)
    shares = _checked_sparsities(owner, sparsities, pattern)
    _check.integer(owner, "batch_size", batch_size)
    _check.boolean(owner, "verbose", verbose)
    kernels, left_out = chosen(owner, model, where, strict=strict, pattern=pattern)
    measure = _measure(owner, model, data, metric, batch_size)
    bar = keras.utils.Progbar(
        1 + len(kernels) * len(shares), verbose=int(verbose), unit_name="evaluation"
    )

    def measured():
        found = measure()
        bar.add(1)
        return found

    values = {}
    with _as_it_was(model):
        name, baseline = measured()
        for kernel in kernels:
            value = array(kernel.variable)
            scores = pattern.magnitudes(value)
            found = []
            for share in shares:
                mask = pattern.mask(scores, kernel, share)
                kernel.variable.assign(zeroed(value, mask))
                found.append(measured()[1])
            kernel.variable.assign(value)
            values[kernel.path] = tuple(found)
    sizes = {kernel.path: int(np.prod(kernel.variable.shape)) for kernel in kernels}
    return Sensitivity(name, baseline, shares, values, sizes, left_out)


def _checked_sparsities(owner, sparsities, pattern) -> tuple[float, ...]:
    items = tuple(sparsities) if isinstance(sparsities, (list, tuple)) else ()
    try:
        checked_items = [_check.inside_unit(owner, "sparsities", x) for x in items]
    except ValueError:
        checked_items = []
    limited = all(x <= pattern.limit for x in checked_items)
    if not checked_items or sorted(set(checked_items)) != checked_items or not limited:
        bound = "1" if pattern.limit == 1.0 else f"{pattern.limit:g} at most"
        expected = f"numbers above 0 and below {bound} in rising order"
        _check.fail(owner, "sparsities", expected, sparsities)
    return tuple(checked_items)


def _measure(owner, model, data, metric, batch_size) -> Callable[[], tuple[str, float]]:
    """Return a function that evaluates the model: name of the metric and its value."""
    if metric is not None and not isinstance(metric, str):
        if not callable(metric):
            expected = "the name of a metric, or a function of the model"
            _check.fail(owner, "metric", expected, metric, TypeError)
        name = getattr(metric, "__name__", type(metric).__name__)
        return lambda: (name, _number(owner, metric(model)))
    if not model.compiled:
        expected = "compiled, with a loss or metrics, or give a function as `metric`"
        _check.fail(owner, "model", expected, model)
    arrays = isinstance(data, (list, tuple))
    sample: Any = getattr(data, "element_spec", data)  # of a `tf.data.Dataset`
    pairs = isinstance(sample, (list, tuple))
    bare = hasattr(sample, "shape") or isinstance(sample, dict)
    if data is None or bare or (pairs and len(sample) not in (2, 3)):
        expected = "(x, y), (x, y, sample_weight), or batches of these, with labels"
        _check.fail(owner, "data", expected, data, TypeError)

    def measure():
        if arrays:
            x, y, *weights = data
            options = {"y": y, "batch_size": batch_size}
            options["sample_weight"] = weights[0] if weights else None
        else:
            x, options = data, {}
        logs = model.evaluate(x, **options, verbose=0, return_dict=True)
        others = [key for key in logs if key != "loss"]
        name = metric or next(iter(others), "loss")
        if name not in logs:
            expected = f"one of {sorted(logs)}, or a function"
            _check.fail(owner, "metric", expected, metric)
        return name, _number(owner, logs[name])

    return measure


def _number(owner, found) -> float:
    try:
        return float(found)
    except (TypeError, ValueError):
        expected = "a function that returns one number"
        _check.fail(owner, "metric", expected, found, TypeError)


@contextlib.contextmanager
def _as_it_was(model):
    """Give all variables of a model their values back."""
    before = [(variable, array(variable)) for variable in model.variables]
    try:
        yield
    finally:
        # An evaluation that broke off on JAX has values that it would put in later.
        if keras.backend.backend() == "jax":
            model.jax_state_sync()
        for variable, value in before:
            variable.assign(value)
