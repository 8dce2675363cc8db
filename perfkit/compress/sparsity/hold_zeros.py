"""Have the zeros of a model stay zeros."""

from perfkit import _check
from perfkit.compress.sparsity import _masked
from perfkit.compress.sparsity._choosing import chosen
from perfkit.compress.sparsity.prune_report import PruneReport, report_of
from perfkit.graph.arrays import array


def hold_zeros(model, *, where=None) -> PruneReport:
    """Have the weights of a model that are zero stay zero while it is trained.

    It is for a pruned model that was loaded or cloned, or that another library pruned.
    `prune` and `Pruning` do it by themselves, and `quantize`, `shrink` and their kin
    take the masks along. Kernels without zeros are left alone. In kernels with a mask
    what it prunes is zero again, as an optimizer with `use_ema=True` puts averages over
    the zeros when `fit` ends.

    Args:
        model: A built `keras.Model`.
        where: See `prune`.

    Returns:
        A `PruneReport` of the kernels that have zeros.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the model is not built, or no kernel that `where` selects has
            zeros.

    Example:
        >>> import keras
        >>> from perfkit.compress import prune
        >>> dense = keras.layers.Dense(10, name="dense")
        >>> model = keras.Sequential([keras.Input((5,)), dense])
        >>> report = prune(model, 0.8)
        >>> copy = keras.models.clone_model(model)
        >>> copy.set_weights(model.get_weights())
        >>> hold_zeros(copy).zeros
        40

    Reference: none (standard).
    """
    kernels, left_out = chosen("hold_zeros", model, where, strict=False)
    masks = {kernel.path: _staying(kernel.variable) for kernel in kernels}
    sparse = [kernel for kernel in kernels if not masks[kernel.path].all()]
    if not sparse:
        paths = ", ".join(kernel.path for kernel in kernels)
        if where is None:
            expected = f"one with zeros in its kernels, {paths}"
            _check.fail("hold_zeros", "model", expected, model)
        expected = f"a choice of kernels with zeros, unlike {paths}"
        _check.fail("hold_zeros", "where", expected, where)
    for kernel in sparse:
        _masked.hold(kernel.variable, masks[kernel.path])
    _masked.notice(model)
    return report_of(sparse, left_out)


def _staying(variable):
    mask, known = array(variable) != 0, _masked.mask_of(variable)
    return mask if known is None else mask & known
