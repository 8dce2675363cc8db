"""Clipping that knows how large the weights are."""

import keras

from perfkit import _check
from perfkit._train_step import chain
from perfkit.ops import gradients
from perfkit.optimizers.gradient_transform import GradientTransform, units_of


@keras.saving.register_keras_serializable(package="perfkit")
class AdaptiveGradientClipping(GradientTransform):
    """Clip the gradient of each output unit to a share of the norm of its weights.

    A unit is a column of a dense kernel, a filter of a convolution; a bias or a scale
    is one as a whole. Which axes number the units is known by the names that Keras
    gives: with one of your own, a transposed or a depthwise convolution is taken for a
    plain one. It stands in for the clipping of the optimizer inside, not beside it.

    Args:
        inner_optimizer: What is applied afterwards: an optimizer or its Keras name.
        clipping: Largest norm of a gradient, as a share of the norm of its weights.
            Above 0; 0.01 suits batches of thousands, up to 0.16 small ones.
        epsilon: Least norm that weights count as, so that those of 0 can move. Above 0.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If an argument is out of bounds, or `inner_optimizer` clips too or
            scales the loss.

    Example:
        >>> import numpy as np
        >>> kernel = keras.Variable(np.array([[3.0], [4.0]]))
        >>> inner = keras.optimizers.SGD(1.0)
        >>> optimizer = AdaptiveGradientClipping(inner, clipping=0.1)
        >>> optimizer.apply([keras.ops.array([[0.0], [7.0]])], [kernel])
        >>> keras.ops.convert_to_numpy(kernel).tolist()
        [[3.0], [3.5]]

    Reference: Brock et al., High-Performance Large-Scale Image Recognition Without
        Normalization, 2021, arXiv 2102.06171. They leave the last layer out: give it
        another optimizer, or leave it in as others do.
    """

    def __init__(self, inner_optimizer, clipping=0.01, *, epsilon=1e-3, name=None):
        owner = "AdaptiveGradientClipping"
        super().__init__(inner_optimizer, name=name)
        for inner in chain(self.inner_optimizer):
            for argument in ("clipnorm", "clipvalue", "global_clipnorm"):
                if getattr(inner, argument, None):
                    expected = f"an optimizer without `{argument}`, which clips twice"
                    _check.fail(owner, "inner_optimizer", expected, inner)
        self.clipping = _check.positive(owner, "clipping", clipping)
        self.epsilon = _check.positive(owner, "epsilon", epsilon)

    def transform(self, gradient, variable):
        units = units_of(variable)
        share = self.clipping, self.epsilon
        return gradients.clipped_to(variable, gradient, units, *share)
