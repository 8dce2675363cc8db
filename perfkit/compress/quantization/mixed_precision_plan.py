"""Which layers get by with fewer bits."""

import dataclasses
from collections.abc import Mapping

import keras
import numpy as np

from perfkit import _check
from perfkit.compress.quantization import _observing
from perfkit.compress.quantization._placing import takes_channels
from perfkit.compress.quantization.fake_quantization import FakeQuantization
from perfkit.compress.quantization.quantize import collected, quantize
from perfkit.compress.reparameterized import Reparameterized
from perfkit.graph.arrays import exact
from perfkit.graph.splitting import split
from perfkit.graph.watching import around_calls
from perfkit.ops import fake_quantization

_LOW, _HIGH = 4, 8


@dataclasses.dataclass(frozen=True)
class MixedPrecisionPlan:
    """Bits for the weights of each layer; print it.

    Attributes:
        bits: 4 or 8 by the path of a layer, for `quantize` and `quantize_aware`.
        sqnr: Signal-to-noise ratio of the model's outputs, in decibels, with 4 bits for
            the weights of this layer alone.
        sizes: Bytes of the weights of each layer with these bits.
        size: Bytes of all of them.
        size_of_8_bits: What it would be with 8 bits everywhere.

    Example:
        >>> sqnr, sizes = {"dense": 30.0}, {"dense": 8}
        >>> print(MixedPrecisionPlan({"dense": 4}, sqnr, sizes, 8, 16))
        1 of 1 layers with 4 bits: 8 bytes of weights instead of 16
           layer  bits      bytes   SQNR of 4 bits, dB
           dense     4          8       30.0
    """

    bits: Mapping[str, int]
    sqnr: Mapping[str, float]
    sizes: Mapping[str, int]
    size: int
    size_of_8_bits: int

    def __str__(self):
        few = sum(count == _LOW for count in self.bits.values())
        width = max(map(len, self.bits))
        lines = [
            f"{few} of {len(self.bits)} layers with {_LOW} bits: {self.size:,} bytes "
            f"of weights instead of {self.size_of_8_bits:,}",
            f"   {'layer':{width}}  bits      bytes   SQNR of {_LOW} bits, dB",
        ]
        for path, count in self.bits.items():
            size, sqnr = self.sizes[path], self.sqnr[path]
            lines.append(f"   {path:{width}}  {count:4} {size:10,} {sqnr:10.1f}")
        return "\n".join(lines)


def mixed_precision_plan(
    model, data, *, size, samples=64, verbose=True
) -> MixedPrecisionPlan:
    """Find the layers whose weights can do with 4 bits, under a budget of bytes.

    One layer at a time gets 4 bits, and the noise that this makes in the outputs is
    measured on data. Layers with the least noise for each byte they save get 4 bits
    first, until the weights fit. Give the plan to `quantize(model, data,
    bits=plan.bits)` or to `quantize_aware`.

    Args:
        model: A built and trained Functional or Sequential model; models may be nested
            in it.
        data: Inputs, as for `quantize`.
        size: What all kernels may take together, above 0: bytes, or, if it is at most
            1, a share of what they take with 8 bits. At least half of that.
        samples: How many inputs are used at most, at least 1.
        verbose: Whether to show a progress bar.

    Returns:
        A `MixedPrecisionPlan`; print it.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds, or the weights cannot get so small.

    Example:
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((64,)),
        ...         keras.layers.Dense(64, name="first"),
        ...         keras.layers.Dense(2, name="last"),
        ...     ]
        ... )
        >>> data = np.random.default_rng(0).normal(size=(32, 64))
        >>> plan = mixed_precision_plan(model, data, size=0.55, verbose=False)
        >>> plan.bits, plan.size
        ({'first': 4, 'last': 8}, 2176)

    Reference: as in Hubara et al., Improving Post Training Neural Quantization, 2020,
        arXiv 2006.10518, whose noises add up too; greedy instead of an integer program.
    """
    owner = "mixed_precision_plan"
    _check.positive(owner, "size", size)
    _check.integer(owner, "samples", samples)
    _check.boolean(owner, "verbose", verbose)
    steps = split(owner, model)
    kernels = _kernels(steps)
    whole = sum(kernels.values())
    budget = size * whole if size <= 1.0 else size
    least = sum(map(_halved, kernels.values()))
    if budget < least:
        expected = f"at least {least} bytes, or {least / whole:.3f} of what 8 bits take"
        _check.fail(owner, "size", expected, size)
    batches = collected(owner, steps.model, data, samples)
    small = quantize(model, batches, samples=samples, corrected=False, verbose=False)
    noises, power = _noises(small, steps.paths, batches, verbose)
    bits = dict.fromkeys(kernels, _HIGH)
    taken = whole
    saved = {path: count - _halved(count) for path, count in kernels.items()}
    for path in sorted(kernels, key=lambda p: noises[p] / max(saved[p], 1)):
        if taken <= budget:
            break
        bits[path] = _LOW
        taken -= saved[path]
    with np.errstate(divide="ignore"):
        sqnr = {
            p: float(10 * np.log10(power / np.float64(n))) for p, n in noises.items()
        }
    sizes = {p: n if bits[p] == _HIGH else _halved(n) for p, n in kernels.items()}
    return MixedPrecisionPlan(bits, sqnr, sizes, taken, whole)


def _kernels(steps) -> dict[str, int]:
    """Bytes of the kernels of each layer with 8 bits, by its path."""
    found: dict[str, int] = {}
    for layer in steps.model.layers:
        if layer.name in steps.paths:
            (kernel,) = [weight for weight in layer.weights if weight.name == "kernel"]
            path = steps.paths[layer.name]
            found[path] = found.get(path, 0) + int(np.prod(kernel.shape))
    return found


def _halved(count) -> int:
    return (count + 1) // 2


def _noises(small, paths, batches, verbose) -> tuple[dict[str, float], float]:
    """Energy of the noise that 4 bits make, by layer, and that of the outputs."""
    ranges = _observing.layers_of(small, FakeQuantization)
    wrappers = _observing.layers_of(small, Reparameterized)
    layers = [*ranges, *(wrapper.transforms[-1] for wrapper in wrappers)]

    def outputs(path):
        ours = [paths.get(wrapper.name) for wrapper in wrappers]
        few = {len(ranges) + k for k, found in enumerate(ours) if found == path}

        def call_or_pass(place, call, values, axes=(), **named):  # noqa: ARG001
            if place not in few:
                return values
            layer = wrappers[place - len(ranges)].layer
            axes = axes if takes_channels(layer, _LOW) else ()
            return fake_quantization.weights(values, axes, _LOW)

        with around_calls(layers, call_or_pass):
            made = [small(batch, training=False) for batch in batches]
        return np.concatenate([exact(x).ravel() for x in keras.tree.flatten(made)])

    plain = outputs("")
    every = list(dict.fromkeys(paths.values()))
    bar = keras.utils.Progbar(len(every), verbose=int(verbose), unit_name="layer")
    noises = {}
    for path in every:
        noises[path] = float(np.sum((outputs(path) - plain) ** 2))
        bar.add(1)
    return noises, float(np.sum(plain**2))
