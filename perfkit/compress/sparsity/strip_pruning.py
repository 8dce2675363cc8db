"""Let pruned weights learn again."""

import keras

from perfkit import _check
from perfkit.compress.sparsity import _masked
from perfkit.compress.sparsity._choosing import chosen
from perfkit.compress.sparsity.prune_report import PruneReport, report_of


def strip_pruning(model, *, where=None) -> PruneReport:
    """Take the masks off a model; what is zero stays zero until it is trained.

    Kernels get back the constraints that they had. Nothing has to be taken off in order
    to save, convert or deploy a model: its layers are as they were made.

    Args:
        model: A built `keras.Model`.
        where: See `prune`; None is every kernel with a mask.

    Returns:
        A `PruneReport` of the kernels that had a mask.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If no kernel that `where` selects has a mask.

    Example:
        >>> import keras
        >>> from perfkit.compress import prune
        >>> dense = keras.layers.Dense(10, name="dense")
        >>> model = keras.Sequential([keras.Input((5,)), dense])
        >>> report = prune(model, 0.8)
        >>> dense.kernel.constraint is None
        False
        >>> strip_pruning(model).zeros, dense.kernel.constraint
        (40, None)

    Reference: none (standard).
    """
    _check.instance("strip_pruning", "model", model, keras.Model)
    _check.built("strip_pruning", "model", model)
    masked = _masked.held_in(model)
    if where is not None:
        kernels, _ = chosen("strip_pruning", model, where, strict=False)
        ids = {id(kernel.variable) for kernel in kernels}
        masked = [one for one in masked if id(one.variable) in ids]
    if not masked:
        paths = ", ".join(one.path for one in _masked.held_in(model))
        if not paths:
            expected = "one whose kernels have masks, such as `prune` leaves"
            _check.fail("strip_pruning", "model", expected, model)
        expected = f"a choice of kernels with a mask: {paths}"
        _check.fail("strip_pruning", "where", expected, where)
    for one in masked:
        _masked.restore(one.variable)
        _masked.let_go(one.variable)
    _masked.notice(model)
    return report_of(masked)
