"""Take penalties and constraints off the kernels of a model."""

from perfkit import _check
from perfkit.graph import kernels
from perfkit.regularizers import _placing
from perfkit.regularizers.attached import Attached


def detach(model, *, where=None) -> Attached:
    """Take the penalties and constraints off the kernels of a model.

    Whoever put them there: `attach`, `constrain`, or the layer's own arguments. It
    holds at once, in a model that is compiled and has trained too, and it stays through
    `clone_model`, saving and loading. To get back what kernels had before one `attach`
    or `constrain`, call `undo` of the report of that.

    Args:
        model: A built `keras.Model`: Sequential, Functional, nested, subclassed.
        where: See `attach`; the kernels of `Embedding` tables have to be selected.

    Returns:
        An `Attached`, which says what was taken off, can be printed and can `undo` it.

    Raises:
        ValueError: If the model is not built, or if no kernel that `where` selects has
            a penalty or a constraint. Nothing is changed.
        TypeError: If an argument has the wrong type.

    Example:
        >>> import keras
        >>> dense = keras.layers.Dense(2, kernel_regularizer="l2", name="features")
        >>> model = keras.Sequential([keras.Input((3,)), dense])
        >>> print(detach(model))
        nothing on 1 kernel
          features/kernel, was L2(l2=0.01)
        >>> model.losses
        []

    Reference: none (standard).
    """
    all_kernels, chosen = kernels.chosen("detach", model, where)
    slots = ("regularizer", "constraint")
    having = [
        kernel
        for kernel in chosen
        if any(getattr(kernel.variable, slot) is not None for slot in slots)
    ]
    if not having:
        expected = "a choice of kernels that have a penalty or a constraint, unlike "
        expected += ", ".join(kernel.path for kernel in chosen)
        _check.fail("detach", "where", expected, where)
    placed = {slot: [None] * len(having) for slot in slots}
    return _placing.put(model, (all_kernels, having), placed, lambda _: 0.0)
