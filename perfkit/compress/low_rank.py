"""A model whose kernels are products of two thin ones."""

import dataclasses

import keras
import numpy as np

from perfkit import _check
from perfkit.compress._factoring import KINDS, Outputs, Table, seen_outputs
from perfkit.compress._targets import refuse, said, targets
from perfkit.compress.quantization.quantize import collected
from perfkit.compress.reparameterized import Reparameterized
from perfkit.compress.sparsity._masked import held
from perfkit.graph.arrays import exact
from perfkit.graph.calls import Graph, read
from perfkit.graph.rebuilding import copy_values, like, rebuilt
from perfkit.ops import factors

_layers = keras.layers
_DEPTHWISE = (_layers.DepthwiseConv1D, _layers.DepthwiseConv2D)
_NOT_FEWER = "no fewer weights"


def low_rank(
    model,
    *,
    energy=None,
    rank=None,
    where=None,
    spatial=False,
    data=None,
    samples=300,
    strict=True,
    verbose=True,
) -> keras.Model:
    """Make two thin layers of each dense one and each convolution, where it saves.

    A dense layer becomes two: one with few units, and one with as many units as before.
    A convolution becomes one with few filters, and one of size 1 that mixes them.
    Weights and operations become fewer by the same share. Results change by what is
    left out: compile the model and train it some epochs more. A layer stays as it is
    where two would not have fewer weights.

    Args:
        model: A built Functional or Sequential model; models may be nested in it. It
            stays as it is.
        energy: What share of the squared weights stays in each layer, within (0, 1];
            with `data`, what share of the variance of its outputs. `None` is 0.95,
            unless `rank` is given.
        rank: In place of `energy`: how many units or filters the first of the two
            layers has. A whole number of at least 1, or a share, above 0 and below 1,
            of the number that would change nothing. With groups, in each group.
        where: Which layers: a layer, a class, a pattern for names or paths, a slice of
            the depth, a function of the layer, or a list of these. `None` for all.
        spatial: Whether a 2-D convolution becomes one over columns and one over rows,
            rather than one over both and one of size 1.
        data: Inputs as the model takes them, without labels or with: an array, or an
            iterable of batches `x` or `(x, y)`. Then what changes the outputs of a
            layer least is left out, rather than what is least of its weights, and a
            bias keeps the means of the outputs. Not with `spatial`.
        samples: How many inputs are used at most, at least 1.
        strict: Whether it is an error if a layer that was meant has no thin form. Else
            it stays as it is, and is named in what is printed.
        verbose: Whether to show a progress bar, and to print what was done.

    Returns:
        A new plain model of the same kind with weights of its own, not compiled. The
        first of two layers has `_thin` at the end of its name, the second one keeps the
        name, the bias and the activation.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds, or a layer has no thin form.

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)])
        >>> model.set_weights([np.outer(np.arange(8), np.ones(8)), np.zeros(8)])
        >>> thin = low_rank(model, verbose=False)
        >>> [tuple(weight.shape) for weight in thin.weights]
        [(8, 1), (1, 8), (8,)]

    Reference: Denton et al., Exploiting Linear Structure, 2014, arXiv 1404.0736; Zhang
        et al., Accelerating Very Deep Networks, 2016, arXiv 1505.06798 (filters and
        `data`, without the activation behind the outputs);
        Jaderberg et al., 2014, arXiv 1405.3866 (`spatial`).
    """
    owner = "low_rank"
    _check.instance(owner, "model", model, keras.Model)
    if energy is not None:
        _check.positive(owner, "energy", energy, 1.0)
    _check_rank(owner, rank)
    if energy is not None and rank is not None:
        _check.fail(owner, "energy", f"left out with rank={rank}", energy)
    _check.boolean(owner, "spatial", spatial)
    _check.integer(owner, "samples", samples)
    _check.boolean(owner, "strict", strict)
    _check.boolean(owner, "verbose", verbose)
    if spatial and data is not None:
        _check.fail(owner, "data", "left out with spatial=True", data)
    graph = read(owner, model)
    chosen, left = targets(owner, graph, where, _reason)
    if strict:
        refuse(owner, model.name, left, "products of two")
    batches = [] if data is None else collected(owner, model, data, samples)
    for path in [path for path, layer in chosen.items() if type(layer) in _DEPTHWISE]:
        left[path] = _NOT_FEWER
        del chosen[path]
    layers, steps = list(chosen.values()), len(batches) + len(chosen)
    bar = keras.utils.Progbar(steps, verbose=int(verbose), unit_name="step")
    outputs = seen_outputs(model, layers, batches, lambda: bar.add(1))
    pairs = {}
    for (path, layer), seen in zip(chosen.items(), outputs, strict=True):
        table = Table(layer, spatial and type(layer) is _layers.Conv2D)
        pair = _pair(table, seen, 0.95 if energy is None else energy, rank)
        if pair is None:
            left[path] = _NOT_FEWER
        else:
            pairs[path] = pair
        bar.add(1)
    thin = _written(graph, pairs.values())
    if verbose:
        print(_said(model, thin, pairs, left))
    return thin


@dataclasses.dataclass(frozen=True, eq=False)
class _Pair:
    """Two kernels and a bias in place of those of a layer, and what they keep."""

    table: Table
    kernels: tuple[np.ndarray, np.ndarray]
    bias: np.ndarray | None
    rank: int
    full: int
    energy: float


def _check_rank(owner, rank):
    whole = hasattr(rank, "__index__") and not isinstance(rank, bool) and rank >= 1
    share = isinstance(rank, float) and 0.0 < rank < 1.0
    if not (rank is None or whole or share):
        expected = "a whole number of at least 1, or a share above 0 and below 1"
        _check.fail(owner, "rank", expected, rank)


def _reason(layer) -> str | None:
    """Why there is no thin form of a layer."""
    if isinstance(layer, Reparameterized):
        return "quantized or clustered: `strip` the model first"
    if type(layer) not in (*KINDS, *_DEPTHWISE):
        return type(layer).__name__
    if type(layer) in KINDS and held(layer.kernel) is not None:
        return "pruned, and zeros are not for two: `strip_pruning` first"
    if type(layer) in KINDS and layer.kernel.constraint is not None:
        return "its kernel has a constraint, which is not for two"
    return None


def _pair(table, outputs: Outputs, energy, rank) -> _Pair | None:
    """The two kernels, or None if they would not have fewer weights."""
    matrices = table.matrices()
    if outputs.count:
        squares, axes = factors.axes_of_covariances(outputs.covariance)
    else:
        squares, axes = factors.axes_of_tables(matrices)
    full = min(matrices.shape[1:])
    if rank is None:
        kept = min(factors.rank_of_energy(squares, energy), full)
    else:
        kept = min(int(rank), full) if rank >= 1 else max(1, round(rank * full))
    if kept * sum(matrices.shape[1:]) >= matrices[0].size:
        return None
    left, right = factors.thin(matrices, axes, kept)
    bias = exact(table.layer.bias) if table.layer.use_bias else None
    if outputs.count:  # whose means stay
        mean = outputs.mean[:, None]
        lost = mean - mean @ np.swapaxes(right, 1, 2) @ right
        bias = lost.ravel() + (0.0 if bias is None else bias)
    share = squares[:, :kept].sum() / max(squares.sum(), 1e-30)
    return _Pair(table, table.kernels(left, right), bias, kept, full, float(share))


def _written(graph: Graph, pairs) -> keras.Model:
    """The new model, with its weights."""
    by_layer = {id(pair.table.layer): pair for pair in pairs}
    taken = {trail[-1].name for trail, _, _ in graph.trails()}

    def make(layer):
        pair = by_layer.get(id(layer))
        if pair is None:
            return like(layer)
        name, use_bias = _free(f"{layer.name}_thin", taken), pair.bias is not None
        return pair.table.layers(pair.rank, name, use_bias=use_bias)

    def fill(new, old):
        pair = by_layer.get(id(old))
        if pair is None:
            copy_values(new, old)
            return
        for layer, kernel in zip(new, pair.kernels, strict=True):
            layer.kernel.assign(kernel)
        if pair.bias is not None:
            new[-1].bias.assign(pair.bias)

    return rebuilt(graph, make, fill)


def _free(name, taken) -> str:
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free


def _said(model, thin, pairs, left) -> str:
    lines = [f"{len(pairs)} of {len(pairs) + len(left)} layers are two thin ones now"]
    for path, pair in pairs.items():
        kept = f"rank {pair.rank} of {pair.full}, "
        kept += f"{100 * pair.energy:.1f} % of the energy"
        lines.append(f"   {path}: {kept}")
    if left:
        lines.append(f"   left as they are: {said(left)}")
    before, after = model.count_params(), thin.count_params()
    return "\n".join([*lines, f"parameters {before:,} -> {after:,}"])
