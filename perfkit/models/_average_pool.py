"""Average pooling where a mask may hide steps."""

import keras

from perfkit._backend import ops
from perfkit.layers import Pooling


@keras.saving.register_keras_serializable(package="perfkit")
class AveragePool(Pooling):
    """Pool the places by their average."""

    def pool(self, values, seen):
        return ops.sum(values, axis=1) / ops.sum(ops.cast(seen, values.dtype), axis=1)
