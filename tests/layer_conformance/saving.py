"""Config and files."""

import copy
import inspect
import pathlib
import tempfile

import keras

from tests.layer_conformance.common import (
    assert_close,
    build,
    inputs_of,
    numpy,
    placeholders,
)


def _named_arguments(kind):
    for cls in inspect.getmro(kind):
        ours = cls.__module__.startswith(("perfkit.", "tests."))
        if ours and "__init__" in vars(cls):
            for parameter in inspect.signature(cls.__init__).parameters.values():
                if parameter.kind is not parameter.VAR_KEYWORD:
                    yield parameter.name


def check_config_covers_the_signature(kind, case):
    names = set(_named_arguments(kind)) - {"self"}
    assert names <= set(kind(**case.made()).get_config())


def check_round_trips(kind, case):
    layer, x = build(kind, case, name="some_name"), inputs_of(case)
    config = keras.layers.serialize(layer)
    restored = keras.layers.deserialize(copy.deepcopy(config))
    assert type(restored) is kind
    assert restored.get_config() == layer.get_config()
    restored(x)
    restored.set_weights([numpy(weight) for weight in layer.weights])
    assert_close(restored(x), layer(x))


def check_survives_a_file(kind, case):
    inputs = placeholders(case)
    layer = build(kind, case)
    model = keras.Model(inputs, layer(inputs))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.models.load_model(path)
    x = inputs_of(case)
    assert_close(loaded(x), model(x))
