"""A model whose kernels have few values."""

from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.compress._targets import refuse, said, targets
from perfkit.compress.clustering.clustered_kernel import ClusteredKernel, check
from perfkit.compress.quantization.quantized_kernel import QuantizedKernel
from perfkit.compress.reparameterized import Reparameterized
from perfkit.compress.sparsity._masked import held
from perfkit.graph import kernels
from perfkit.graph.arrays import array, exact
from perfkit.graph.calls import read
from perfkit.graph.rebuilding import copy_values, like, rebuilt
from perfkit.ops.kernels import unit_size


def cluster(
    model,
    clusters=16,
    *,
    where=None,
    method="kmeans++",
    preserve_sparsity=None,
    per_channel=False,
    gradient="sum",
    seed=0,
    strict=True,
    verbose=True,
) -> keras.Model:
    """Give the kernels of a model few values each, which learn.

    Compile the result and train it some epochs at a low rate: the values learn, and
    weights may change from one to another. Then `strip(model)` makes a plain model of
    it, or `quantize` or `quantize_aware` one that computes with small integers and
    keeps the clusters.

    Files of it are small once they are compressed (gzip, zip). So it saves download
    size, and neither time nor memory.

    Args:
        model: A built Functional or Sequential model; models may be nested in it. It
            stays as it is. Where it rounds kernels already, as `quantize_aware` has
            it, clusters go in front of the rounding.
        clusters: How many values a kernel has, at least 2. A layer with no more weights
            than that stays as it is.
        where: Which layers: a layer, a class, a pattern for names or paths, a slice of
            the depth, a function of the layer, or a list of these. `None` for all but
            embeddings.
        method: How the values begin: "kmeans++", "density", "linear" or "random"; see
            `ClusteredKernel`.
        preserve_sparsity: Whether weights that are 0 stay 0, where the model was pruned
            before or will be while it is trained. None is True for kernels with a mask,
            as `prune`, `Pruning` and `hold_zeros` leave.
        per_channel: Whether each output unit has values of its own.
        gradient: Whether a value gets the "sum" or the "mean" of the gradients of its
            weights. With `SGD` the sum of thousands of gradients makes a large step:
            take "mean" or a lower rate there.
        seed: For "kmeans++" and "random", at least 0.
        strict: Whether it is an error if a layer that was meant cannot be clustered.
            Else it stays as it is, and is named in what is printed.
        verbose: Whether to show a progress bar, and to print what was clustered.

    Returns:
        A new model of the same kind with weights of its own, not compiled.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds, the model is neither Functional nor
            Sequential, a layer cannot be clustered, or a kernel has NaN or infinity.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.set_weights([np.array([[0.0], [0.5], [2.5], [3.0]]), np.zeros(1)])
        >>> few = cluster(model, 2, verbose=False)
        >>> keras.ops.convert_to_numpy(few.layers[0].kernel)[:, 0].tolist()
        [0.25, 0.25, 2.75, 2.75]

    Reference: Han et al., Deep Compression, 2016, arXiv 1510.00149; Arthur and
        Vassilvitskii, k-means++, 2007, followed here by the rounds of Lloyd.
    """
    owner = "cluster"
    _check.instance(owner, "model", model, keras.Model)
    options = {
        "clusters": clusters,
        "method": method,
        "preserve_sparsity": False if preserve_sparsity is None else preserve_sparsity,
        "per_channel": per_channel,
        "gradient": gradient,
        "seed": seed,
    }
    check(owner, options)
    _check.boolean(owner, "strict", strict)
    _check.boolean(owner, "verbose", verbose)
    graph = read(owner, model)
    chosen, refused = targets(owner, graph, where, _reason)
    if strict:
        refuse(owner, model.name, refused, "clustered")
    for path, layer in list(chosen.items()):
        if _weights(layer, per_channel) <= clusters:
            refused[path] = "few weights"
            del chosen[path]
    if preserve_sparsity is None:
        del options["preserve_sparsity"]
    copy, made = _placed(graph, {id(layer) for layer in chosen.values()}, options)
    errors = _begun(made, verbose)
    if verbose:
        print(_said(chosen, refused, clusters, errors))
    return copy


def _reason(layer) -> str | None:
    """Why a kernel cannot be clustered."""
    twice = any(isinstance(one, ClusteredKernel) for one in _transforms(layer))
    return "clustered already" if twice else None


def _transforms(layer) -> list[Any]:
    return layer.transforms if isinstance(layer, Reparameterized) else []


def _inner(layer) -> Any:
    return layer.layer if isinstance(layer, Reparameterized) else layer


def _weights(layer, per_channel) -> int:
    """How many weights share a set of centroids."""
    inner = _inner(layer)
    (kernel,) = kernels.own_kernels(inner)
    units = kernels.units(inner, kernel.name) if per_channel else ()
    return unit_size(kernel, units)


def _placed(graph, chosen, options) -> tuple[keras.Model, list[Any]]:
    """A new model with clusters, and pairs of layers and clusters yet to be set."""
    made: list[tuple[Any, Any]] = []

    def make(layer):
        if id(layer) not in chosen:
            return like(layer)
        transforms, inner = _transforms(layer), _inner(layer)
        (kernel,) = kernels.own_kernels(inner)
        keeps = {"preserve_sparsity": held(kernel) is not None}
        clustered = ClusteredKernel(**keeps | options, trainable=kernel.trainable)
        kinds = [isinstance(one, QuantizedKernel) for one in transforms]
        place = kinds.index(True) if True in kinds else len(kinds)
        new = [*map(like, transforms)]
        new.insert(place, clustered)
        wrapper = Reparameterized(like(inner), new, name=layer.name)
        made.append((wrapper, clustered))
        return wrapper

    def fill(new, old):
        if id(old) not in chosen:
            copy_values(new, old)
            return
        copy_values(new.layer, _inner(old))
        kept = [one for one in new.transforms if not isinstance(one, ClusteredKernel)]
        for one, before in zip(kept, _transforms(old), strict=True):
            copy_values(one, before)

    return rebuilt(graph, make, fill), made


def _begun(made, verbose) -> dict[str, float]:
    """Set the first centroids; return how far kernels move, relative, by layer name."""
    bar = keras.utils.Progbar(len(made), verbose=int(verbose), unit_name="layer")
    errors = {}
    for layer, clustered in made:
        place = layer.transforms.index(clustered)
        before = layer.kernel_before(*layer.transforms[place:])
        if not np.isfinite(array(before)).all():
            expected = f"free of NaN and infinity, unlike `{layer.name}`"
            _check.fail("cluster", "model", expected, array(before))
        clustered.begin(array(before), layer.axes)
        after = layer.kernel_before(*layer.transforms[place + 1 :])
        before, after = exact(before), exact(after)
        size = max(float(np.linalg.norm(before)), 1e-30)
        errors[layer.name] = float(np.linalg.norm(after - before)) / size
        bar.add(1)
    return errors


def _said(chosen, refused, clusters, errors) -> str:
    lines = [f"{len(chosen)} of {len(chosen) + len(refused)} kernels have at most "]
    lines[0] += f"{clusters} values now"
    worst = sorted(errors, key=lambda name: errors[name])[-3:][::-1]
    if worst:
        most = (f"{name} by {100 * errors[name]:.1f} %" for name in worst)
        lines.append(f"   moved furthest: {', '.join(most)}")
    if refused:
        lines.append(f"   left as they are: {said(refused)}")
    return "\n".join(lines)
