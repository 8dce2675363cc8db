"""A backbone with a head for numbers."""

import keras

from perfkit import _check
from perfkit.transfer import _assembling


def regressor(
    backbone,
    outputs=1,
    *,
    head="linear",
    activation=None,
    preprocessing="auto",
    features=None,
    input_shape=None,
    verbose=True,
) -> keras.Model:
    """Put a head for numbers on a backbone, and what it wants done to pixels before it.

    Args:
        backbone: See `classifier`.
        outputs: How many numbers for each sample, at least 1.
        head: See `classifier`.
        activation: `None`, or the name of an activation that keeps the numbers in their
            range, such as `"softplus"` for what is above 0.
        preprocessing: See `classifier`.
        features: See `classifier`.
        input_shape: See `classifier`.
        verbose: See `classifier`.

    Raises:
        TypeError: If the backbone is no model.
        ValueError: If an argument is out of bounds, the backbone ends in classes
            itself, or what it wants done to pixels is not known.

    Example:
        >>> backbone = keras.Sequential([keras.Input((7,)), keras.layers.Dense(16)])
        >>> model = regressor(backbone, 2, verbose=False)
        >>> model.output_shape
        (None, 2)

    Reference: none (standard).
    """
    return _assembling.assembled(
        "regressor",
        backbone,
        _check.integer("regressor", "outputs", outputs),
        head=head,
        activation=activation,
        preprocessing=preprocessing,
        features=features,
        input_shape=input_shape,
        verbose=verbose,
    )
