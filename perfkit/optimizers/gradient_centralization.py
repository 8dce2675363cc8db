"""Gradients without their mean."""

import keras

from perfkit.ops import gradients
from perfkit.optimizers.gradient_transform import GradientTransform, units_of


@keras.saving.register_keras_serializable(package="perfkit")
class GradientCentralization(GradientTransform):
    """Take the mean of its gradient away from each output unit.

    Kernels are centred over all that enters an output unit; biases and scales are left
    alone. Which axes number the units is known by the names that Keras gives: with one
    of your own, a transposed or a depthwise convolution is taken for a plain one.

    Args:
        inner_optimizer: What is applied afterwards: an optimizer or its Keras name.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If it scales the loss.

    Example:
        >>> import numpy as np
        >>> kernel = keras.Variable(np.zeros((2, 1)))
        >>> optimizer = GradientCentralization(keras.optimizers.SGD(1.0))
        >>> optimizer.apply([keras.ops.array([[1.0], [3.0]])], [kernel])
        >>> keras.ops.convert_to_numpy(kernel).tolist()
        [[1.0], [-1.0]]

    Reference: Yong et al., Gradient Centralization, 2020, arXiv 2004.01461.
    """

    def transform(self, gradient, variable):
        return gradients.centralized(gradient, units_of(variable))
