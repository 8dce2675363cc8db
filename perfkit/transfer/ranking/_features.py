"""What a model makes of data: features, and the probabilities of its own classes."""

from typing import Any, NamedTuple

import keras

from perfkit.graph.latency import compiled
from perfkit.graph.layer_calls import layer_calls
from perfkit.graph.watching import around_calls

_CLASSIFIERS = (keras.layers.Dense, keras.layers.EinsumDense)
_CLASSIFIERS += (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


class Features(NamedTuple):
    """What a model makes of samples.

    Attributes:
        values: `(samples, features)`, means over what axes there are between.
        probabilities: `(samples, classes)` of the model's own classes, or `None` if it
            does not end in such.
    """

    values: Any
    probabilities: Any = None


class Extractor:
    """The features of batches, by one program for each size of batch.

    If a model ends in the probabilities of classes, its features are what its last
    dense layer or convolution takes; else they are what the model returns.

    Args:
        model: A built `keras.Model` of one output.
        batch: A batch, or what says its shapes.
    """

    def __init__(self, model, batch):
        calls, outputs = layer_calls(model, batch)
        if keras.tree.is_nested(outputs):
            raise ValueError("the model must return one tensor")
        self._model, self._head = model, classifier(calls)
        self._program = compiled(model, self._features)

    def __call__(self, batch) -> Features:
        """Return the features of a batch as NumPy arrays."""
        return Features(*self._program(batch))

    def _features(self, batch):
        if self._head is None:
            return (_pooled(self._model(batch, training=False)),)
        taken = []

        def take(_, call, inputs, *arguments, **named):
            taken.append(inputs)
            return call(inputs, *arguments, **named)

        with around_calls([self._head], take):
            outputs = self._model(batch, training=False)
        return _pooled(taken[-1]), _pooled(outputs)


def classifier(calls) -> Any:
    """Return the layer whose outputs become the probabilities that a model returns.

    `None` if it returns something else.

    Args:
        calls: The calls of the model, see `layer_calls`.
    """
    ends = [number for number, call in enumerate(calls) if _is_final_softmax(call)]
    if not ends:
        return None
    classes = calls[ends[0]].outputs[-1]
    before = reversed(calls[: ends[0] + 1])
    last = next((call for call in before if isinstance(call.layer, _CLASSIFIERS)), None)
    return last.layer if last and last.outputs[-1] == classes else None


def _is_final_softmax(call):
    activation = getattr(call.layer, "activation", None)
    softmax = activation is keras.activations.softmax
    return call.final and (softmax or isinstance(call.layer, keras.layers.Softmax))


def _pooled(outputs):
    """Means over all axes between samples and channels, in float32."""
    tensor: Any = keras.ops.cast(outputs, "float32")
    axes = range(1, len(tensor.shape) - 1)
    if len(axes) > 1 and keras.config.image_data_format() == "channels_first":
        axes = range(2, len(tensor.shape))
    return keras.ops.mean(tensor, axis=tuple(axes)) if axes else tensor
