"""Put a weight penalty on a model that is already built."""

from typing import Any

import keras

from perfkit import _check
from perfkit.graph import kernels
from perfkit.regularizers import _placing
from perfkit.regularizers.attached import Attached


def attach(model, regularizer, *, where=None) -> Attached:
    """Put a weight penalty on the kernels of a model that is already built.

    The model is then as if its layers had been made with `kernel_regularizer=`.
    The penalty counts in `model.losses` and in `fit` at once, without another
    `compile` and with the state of the optimizer kept, and it stays through
    `clone_model`, saving and loading. Kernels are the weights that multiply
    inputs or recurrent states; biases and normalization scales are left alone.

    A kernel has one penalty: attaching again replaces it, and a shared layer
    counts once. Attach to the model that you train; a larger model around it, or
    a train step of your own that is already traced, has to be compiled again.
    Attach again after cloning or loading where a class of your own makes its
    inner layers without `kernel_regularizer`, and where the report says "not saved":
    where a `MultiHeadAttention`, which saves one penalty for all of its kernels, has
    not the same on all, and where a layer of your own has no argument for it.

    Args:
        model: A built `keras.Model`: Sequential, Functional, nested, subclassed.
        regularizer: A `keras.Regularizer`, such as `perfkit.regularizers.l2(1e-4)`, or
            its Keras name, such as `"l2"`, or a function that makes one from the depth
            of the layer, from 0 to 1, such as `perfkit.regularizers.by_depth(0, 1e-4)`.
            One of `perfkit` that was made without `axis` gets that of the layer.
        where: Which layers; None for every layer with a kernel. A layer, a class or
            a name pattern stands for such layers and all that is inside them; a
            list of these for all that one of them selects, in which each layer and each
            pattern has to select something. A pattern is shell-style (`*`, `?`, `[ab]`;
            case counts) and is compared with the layer's name and with its path from
            the model down, such as `backbone/*`. A
            `slice(start, stop)` of shares is a part of the depth, as if the layers with
            kernels were a list: `slice(0, 0.5)` is the first half of them and
            `slice(-0.25, None)` the last quarter. They count in the order of the model;
            one that holds others, such as attention, counts once, a nested model not.
            A function `layer -> bool` is asked about each single layer that owns
            kernels. `Embedding` tables are touched only if `where` is given and selects
            them; matrices of another name than Keras's, in layers of your own, only if
            `where` has the layer itself, its very class, or its whole name or path.

    Returns:
        An `Attached`, which says what was touched, can be printed and can `undo` it.

    Raises:
        ValueError: If the model is not built, if `where` selects no kernel, or
            if the penalty of a kernel cannot be computed. Nothing is changed.
        TypeError: If an argument has the wrong type.

    Example:
        >>> dense = keras.layers.Dense(2, kernel_initializer="ones", name="features")
        >>> model = keras.Sequential([keras.Input((3,)), dense])
        >>> print(attach(model, keras.regularizers.L2(0.5)))
        L2(l2=0.5) on 1 kernel, adds 3 to the loss
          features/kernel
        >>> [float(loss) for loss in model.losses]
        [3.0]

    Reference: none (standard).
    """
    both = _, chosen = kernels.chosen("attach", model, where)
    regularizer = _regularizer(regularizer)
    placed = [_placing.fitted(_at(regularizer, k), k) for k in chosen]
    penalties = {
        id(kernel): float(
            _placing.computed("attach", "regularizer", value, kernel, regularizer)
        )
        for kernel, value in zip(chosen, placed, strict=True)
    }
    return _placing.put(
        model, both, {"regularizer": placed}, lambda kernel: penalties[id(kernel)]
    )


def _regularizer(regularizer) -> Any:
    if isinstance(regularizer, str):
        try:
            return keras.regularizers.get(regularizer)
        except ValueError:
            expected = "the Keras name of a regularizer, such as 'l2'"
            _check.fail("attach", "regularizer", expected, regularizer)
    if isinstance(regularizer, keras.constraints.Constraint):
        expected = "a Regularizer; a constraint goes to `constrain(model, ...)`"
        _check.fail("attach", "regularizer", expected, regularizer, TypeError)
    if isinstance(regularizer, type) or not callable(regularizer):
        expected = "a Regularizer such as `keras.regularizers.L2(1e-4)`, or a function"
        _check.fail("attach", "regularizer", expected, regularizer, TypeError)
    return regularizer


def _at(regularizer, kernel) -> keras.Regularizer:
    if isinstance(regularizer, keras.Regularizer):
        return regularizer
    made = regularizer(kernel.depth)
    if not isinstance(made, keras.Regularizer):
        expected = f"a function that makes a Regularizer, where it made {made!r}"
        _check.fail("attach", "regularizer", expected, regularizer, TypeError)
    return made
