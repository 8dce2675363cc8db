"""TensorFlow's own model optimization (tfmot), for Keras 3 models.

It works on models of Keras 2 alone. `to_tf_keras` makes such a twin of a Keras 3 model,
`from_tf_keras` brings its weights back. `sparsity`, `quantization`, `clustering` and
`experimental` are those of tensorflow_model_optimization, imported on first use.

Importing this leaves `tf.keras` as Keras 3, whatever was imported before, which
importing tensorflow_model_optimization may not.
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
