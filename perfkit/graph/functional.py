"""Models as graphs of layers."""

import keras

from perfkit import _check


def is_graph(layer) -> bool:
    """Whether a layer is a model whose layers make a graph: Functional, Sequential.

    Not one of a class with a `call` of its own, which may do other things.
    """
    if not isinstance(layer, (keras.Function, keras.Sequential)):
        return False
    return type(layer).call.__module__.startswith("keras.")


def functional(owner: str, model, instead="") -> keras.Model:
    """Return a Functional model of the same layers, called on the same tensors.

    It has nothing of what `compile` and the model's class added. `clone_model` with a
    `call_function` takes it, but takes no Sequential model.

    Args:
        owner: Name of the caller, for errors.
        model: A built Functional or Sequential model.
        instead: What else can be done if it is neither, for the error.
    """
    _check.instance(owner, "model", model, keras.Model)
    if not is_graph(model):
        expected = (
            "Functional or Sequential, for what the `call` of a class does is not "
            f"known: make the model with `keras.Model(inputs, outputs)`{instead}"
        )
        _check.fail(owner, "model", expected, model)
    if not model.built or not getattr(model, "inputs", None):
        expected = "a built model; call it once or begin it with `keras.Input`"
        _check.fail(owner, "model", expected, model)
    if isinstance(model, keras.Sequential):
        ends = model.inputs[0], model.outputs[0]
    else:
        ends = model.input, model.output
    return keras.Model(*ends, name=model.name)
