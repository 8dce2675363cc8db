"""The calls of layers in one prediction."""

import contextlib
import dataclasses
from typing import Any

import keras

from perfkit import _check
from perfkit.graph.trails import trails
from perfkit.graph.watching import around_calls


@dataclasses.dataclass(frozen=True, eq=False)
class LayerCall:
    """A call of a layer that is not a model, in shapes.

    Attributes:
        layer: The layer.
        arguments: The shapes of its positional arguments.
        named: The shapes of its other arguments, by their names.
        outputs: The shapes that it returns.
        times: How often it is made: more than once where it is a time step of a
            recurrent layer.
        final: Whether the model returns the very tensor that this call returns.
    """

    layer: Any
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    outputs: Any
    times: int
    final: bool = False

    def argument(self, position, name) -> Any:
        """Return the shape of an argument, `None` if it was not given."""
        if position < len(self.arguments):
            return self.arguments[position]
        return self.named.get(name)


def layer_calls(model, inputs) -> tuple[list[LayerCall], Any]:
    """Return the calls of layers in a prediction, in their order, and what it returns.

    A layer comes after the layers inside it. Nothing is computed: the model is traced,
    and it may be of any class.

    Args:
        model: A built `keras.Model`.
        inputs: What it is called on, of which the shapes and dtypes count: arrays or
            `keras.KerasTensor`.
    """
    layers: list[Any] = [trail[-1] for trail in trails(model)]
    layers = [layer for layer in layers if not isinstance(layer, keras.Model)]
    layers = list({id(layer): layer for layer in layers}.values())
    found: list[LayerCall] = []
    made: list[Any] = []  # what they return, while the model is traced
    final: list[bool] = []
    times = [1]  # of the calls that are being made; 0 where they are not noted

    def note(place, call, *arguments, **named):
        layer: Any = layers[place]
        steps = isinstance(layer, keras.layers.RNN)
        # A backend makes the steps of a loop as often as it likes while it traces.
        with _pushed(times, 0 if steps else times[-1]):
            outputs = call(*arguments, **named)
        if not times[-1]:
            return outputs
        if steps:
            sequence = arguments[0] if arguments else named["sequences"]
            with _pushed(times, times[-1] * sequence.shape[1]):
                layer.cell(sequence[:, 0], layer.get_initial_state(sequence.shape[0]))
        shapes: Any = keras.tree.map_structure(_shape, (arguments, named, outputs))
        found.append(LayerCall(layer, *shapes, times=times[-1]))
        made.append(outputs)
        return outputs

    def prediction(inputs):
        with around_calls(layers, note):
            outputs = model(inputs, training=False)
        final.extend(each is outputs for each in made)
        made.clear()
        return outputs

    outputs = _traced(prediction, keras.tree.map_structure(_spec, inputs))
    pairs = zip(found, final, strict=True)
    return [dataclasses.replace(call, final=end) for call, end in pairs], outputs


def own_inputs(owner, model) -> Any:
    """Return what a model says that it takes, a batch of 1 of it.

    Args:
        owner: Name of the caller, for errors.
        model: A built `keras.Model`.

    Raises:
        ValueError: If the model does not say so, or takes inputs of any size.
    """
    expected = "given, as the model does not say what sizes it takes"
    if not getattr(model, "inputs", None):
        _check.fail(owner, "inputs", expected, None)
    sequential = isinstance(model, keras.Sequential)
    own: Any = model.inputs[0] if sequential else model.input
    if any(None in tensor.shape[1:] for tensor in keras.tree.flatten(own)):
        _check.fail(owner, "inputs", expected, None)

    def one(tensor):
        shape = (tensor.shape[0] or 1, *tensor.shape[1:])
        return keras.KerasTensor(shape, tensor.dtype)

    return keras.tree.map_structure(one, own)


class _Traced(keras.Operation):
    """A function of tensors, whose calls Keras can trace."""

    def __init__(self, function):
        super().__init__()
        self.call = function


def _traced(function, specs):
    """What a function returns, in specs; an error is that of the function."""
    own: list[Exception] = []

    def call(inputs):
        try:
            return function(inputs)
        except Exception as error:
            own.append(error)
            raise

    try:
        return _Traced(call).compute_output_spec(specs)
    except Exception as error:  # Keras's, of `call` and how to write one
        raise own[0] if own else error from None


@contextlib.contextmanager
def _pushed(stack, value):
    stack.append(value)
    try:
        yield
    finally:
        stack.pop()


def _spec(value):
    dtype = keras.backend.standardize_dtype(value.dtype)
    return keras.KerasTensor(tuple(value.shape), dtype)


def _shape(value):
    return tuple(value.shape) if hasattr(value, "shape") else None
