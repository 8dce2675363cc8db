"""Put low-rank adapters on a model that is already built."""

import keras

from perfkit import _check
from perfkit.graph import kernels, trainable
from perfkit.graph.owners import own_weights
from perfkit.layers import WeightNormalization
from perfkit.transfer.adapters import _choosing, _learning, _tuned
from perfkit.transfer.adapters.adapted import Adapted
from perfkit.transfer.adapters.adapter import Adapter
from perfkit.transfer.adapters.lora import LoRA

_NORMALIZING = (WeightNormalization, keras.layers.SpectralNormalization)


def adapt(model, method, *, where=None, train=None) -> Adapted:
    """Put low-rank adapters on the kernels of a built model, and freeze the rest.

    In place, and without a change of what the model computes. Compile it afterwards;
    `fit` then trains the adapters, and what `train` names. All else stays as it is,
    moving statistics of `BatchNormalization` too, which works as at inference. Adapters
    that the model has already go on learning.

    Dense layers, convolutions and embeddings of Keras can have adapters, also inside
    others such as attention, and so can layers of your own that multiply by a matrix.
    Files of the model (`.keras`) hold the adapters; to load one, import
    `perfkit.transfer` first. `save_adapter` writes what was learnt alone, `merge` makes
    plain kernels of them and `unload` takes them off.

    Args:
        model: A built `keras.Model`: Sequential, Functional, nested, subclassed.
        method: `LoRA(...)` or `DoRA(...)`.
        where: Which kernels; None for all but those of `Embedding` tables. See
            `perfkit.regularizers.attach`.
        train: Which layers learn as a whole and get no adapter, such as the new head;
            None for none. Given like `where`, for instance
            `["head", keras.layers.LayerNormalization]`. A `BatchNormalization` among
            them works as in training.

    Returns:
        An `Adapted`, which can be printed.

    Raises:
        ValueError: If the model is not built, if `where` or `train` selects nothing, or
            if nothing that `where` selects can be adapted. Nothing is changed.
        TypeError: If an argument has the wrong type.

    Example:
        >>> from perfkit import transfer
        >>> dense = keras.layers.Dense(64, name="features")
        >>> head = keras.layers.Dense(2, name="head")
        >>> model = keras.Sequential([keras.Input((32,)), dense, head])
        >>> print(adapt(model, transfer.LoRA(rank=4), train="head"))
        514 of 2,626 parameters learn, 19.6 %, where 2,242 did; compile the model before
        `fit`
          LoRA(rank=4, alpha=4) at features/kernel
          all of head

    Reference: see `LoRA` and `DoRA`.
    """
    if not isinstance(method, LoRA):
        _check.fail("adapt", "method", "`LoRA(...)` or `DoRA(...)`", method, TypeError)
    _, chosen = kernels.chosen("adapt", model, where)
    whole = _choosing.trained("adapt", model, train)
    apart = _choosing.weights_in(whole)
    skipped = {}
    for kernel in chosen:
        why = _reason(kernel, apart)
        if why:
            skipped[kernel.path] = why
    adapted = [kernel for kernel in chosen if kernel.path not in skipped]
    if not adapted:
        why = "; ".join(f"{path}: {why}" for path, why in skipped.items())
        expected = f"a choice of kernels that can be adapted, unlike these ({why})"
        _check.fail("adapt", "where", expected, where)
    trainable.warn_of_compiled(model)
    before = _learning.size(model.trainable_weights)
    _learning.remember(model)
    for number, kernel in enumerate(adapted):
        layer = kernel.trail[-1]
        own = [id(weight) for weight in own_weights(layer)]
        _tuned.adapt(layer, method, own.index(id(kernel.variable)), number)
    places = {kernel.path: str(method) for kernel in adapted}
    return _choosing.settled(model, apart, places, whole, skipped, before)


def _reason(kernel, apart) -> str | None:
    """Why a kernel cannot have an adapter."""
    layer, variable = kernel.trail[-1], kernel.variable
    taken = [id(adapted) for adapted, _ in _tuned.adapted_kernels(layer)]
    if id(variable) in apart or any(isinstance(x, Adapter) for x in kernel.trail):
        return _choosing.WHOLE
    if id(variable) in taken:
        return "has an adapter"
    if getattr(layer, "lora_enabled", False):
        return "has the adapter of Keras"
    if getattr(layer, "quantization_mode", None):
        return "is quantized"
    if hasattr(layer, "state_size"):
        return "is recurrent, and used by more than its layer"
    if isinstance(kernel.trail[-2], _NORMALIZING):
        return "is replaced by a normalized one"
    if len(variable.shape) < 2 or _contracts(layer):
        return "is no matrix"
    return None


def _contracts(layer) -> bool:
    """Whether nothing numbers the units, as all of the kernel is summed over."""
    if not isinstance(layer, keras.layers.EinsumDense):
        return False
    operands, outputs = layer.equation.split("->")
    return not set(operands.split(",")[1].strip()) & set(outputs)
