"""Whether an activation looks at one value or at several."""

import keras

_layers = keras.layers
# Functions of Keras that look at one value, and layers that are such a function.
_OF_ONE_VALUE = {
    "celu",
    "elu",
    "exponential",
    "gelu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "tanh",
    "tanh_shrink",
    "threshold",
}
_LAYERS_OF_ONE_VALUE = (_layers.ReLU, _layers.LeakyReLU, _layers.ELU)


def activation_mixes(layer) -> bool:
    """Whether the activation inside a layer may look at several channels."""
    activation = getattr(layer, "activation", None)
    if activation is None or type(activation) in _LAYERS_OF_ONE_VALUE:
        return False
    if type(activation) is _layers.Activation:
        return activation_mixes(activation)
    ours = getattr(activation, "__module__", "").startswith("keras.")
    return not ours or getattr(activation, "__name__", "") not in _OF_ONE_VALUE
