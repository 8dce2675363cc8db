"""Put a constraint on the kernels of a model that is already built."""

import keras

from perfkit import _check
from perfkit.graph import kernels
from perfkit.regularizers import _placing
from perfkit.regularizers.attached import Attached


def constrain(model, constraint, *, where=None) -> Attached:
    """Put a constraint on the kernels of a model that is already built.

    The model is then as if its layers had been made with `kernel_constraint=`: the
    kernels are put within bounds after each update of theirs, from the next one on,
    without another `compile`, and it stays through `clone_model`, saving and loading.
    What is said at `attach` about models, selection and saving holds here too.

    Args:
        model: A built `keras.Model`: Sequential, Functional, nested, subclassed.
        constraint: A `keras.constraints.Constraint`, such as
            `perfkit.regularizers.max_norm(2.0)`, or the Keras name of one without an
            axis, such as `"non_neg"`. One of `perfkit` that was made without `axis`
            gets that of the layer; one of Keras is taken as it is, and the default of
            its `axis` suits `Dense` only.
        where: See `attach`.

    Returns:
        An `Attached`, which says what was touched, can be printed and can `undo` it.

    Raises:
        ValueError: If the model is not built, if `where` selects no kernel, or
            if the constraint of a kernel cannot be computed. Nothing is changed.
        TypeError: If an argument has the wrong type.

    Example:
        >>> from perfkit.regularizers import max_norm
        >>> conv = keras.layers.Conv2D(8, 3, name="conv")
        >>> model = keras.Sequential([keras.Input((9, 9, 4)), conv])
        >>> print(constrain(model, max_norm(1.0)))
        MaxNorm(max_value=1) on 1 kernel
          conv/kernel

    Reference: none (standard).
    """
    both = _, chosen = kernels.chosen("constrain", model, where)
    constraint = _constraint(constraint)
    placed = [_placing.fitted(constraint, kernel) for kernel in chosen]
    for kernel, value in zip(chosen, placed, strict=True):
        _placing.computed("constrain", "constraint", value, kernel, constraint)
    return _placing.put(model, both, {"constraint": placed}, lambda _: 0.0)


def _constraint(constraint):
    if isinstance(constraint, str):
        try:
            named = keras.constraints.get(constraint)
        except ValueError:
            expected = "the Keras name of a constraint, such as 'non_neg'"
            _check.fail("constrain", "constraint", expected, constraint)
        if hasattr(named, "axis"):
            expected = "an object, such as `perfkit.regularizers.max_norm(2.0)`: "
            expected += "by its name it is Keras's, whose axis suits `Dense` only"
            _check.fail("constrain", "constraint", expected, constraint)
        return named
    kind = keras.constraints.Constraint
    return _check.instance("constrain", "constraint", constraint, kind)
