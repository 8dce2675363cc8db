"""TensorFlow's own model optimization (tfmot), for Keras 3 models.

tfmot works on models of Keras 2 alone. `to_tf_keras` makes a twin of a Keras 3 model in
Keras 2, and `from_tf_keras` brings its weights back. `sparsity`, `quantization`,
`clustering` and `experimental` are tfmot's own modules, imported on first use.

Importing this leaves `tf.keras` as Keras 3, whatever was imported before. Importing
tensorflow_model_optimization itself may turn it into Keras 2.
"""

from perfkit.compress import _tfmot
from perfkit.compress.tfmot.from_tf_keras import from_tf_keras as from_tf_keras
from perfkit.compress.tfmot.to_tf_keras import to_tf_keras as to_tf_keras

_MODULES = ("clustering", "experimental", "quantization", "sparsity")

_tfmot.settle()


def __getattr__(name):
    if name in _MODULES:
        return getattr(_tfmot.tfmot(), name)
    raise AttributeError(f"module 'perfkit.compress.tfmot' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_MODULES])
