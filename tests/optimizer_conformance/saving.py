"""Config, serialization, and training that goes on after loading."""

import copy
import inspect
import pathlib
import tempfile

import keras
import numpy as np

from tests.optimizer_conformance.common import (
    CHEAP,
    attached,
    compiled,
    model_with,
    same,
    some_gradients,
    state,
    stepped,
    train,
)


def _named_arguments(kind):
    for cls in inspect.getmro(kind):
        if cls.__module__.startswith(("perfkit.", "tests.")) and "__init__" in vars(
            cls
        ):
            for parameter in inspect.signature(cls.__init__).parameters.values():
                if parameter.kind is not parameter.VAR_KEYWORD:
                    yield parameter.name


def check_config_covers_the_signature(case):
    optimizer = case.make(case.rate)
    names = set(_named_arguments(type(optimizer))) - {"self"}
    assert names
    assert names <= set(optimizer.get_config())


def check_round_trips(case):
    options = {"clipnorm": 0.5} if case.clips else {}
    optimizer = case.make(case.rate, **options, name="some_name")
    config = keras.optimizers.serialize(optimizer)
    restored = keras.optimizers.deserialize(copy.deepcopy(config))
    assert type(restored) is type(optimizer)
    assert keras.optimizers.serialize(restored) == config
    if not case.alone:
        return
    gradients = some_gradients(2)
    assert same(stepped(case, optimizer, gradients), stepped(case, restored, gradients))


def _resumes(case, steps, options, **arguments):
    make = lambda: case.make(case.rate, **arguments)  # noqa: E731
    model = train(model_with(make(), **options), steps)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        model.save(path)
        loaded = attached(keras.models.load_model(path))
    if options.get("run_eagerly"):
        loaded.run_eagerly = True
    assert same(state(loaded), state(model))
    for each in (loaded, model):
        train(each, 2, first=steps)
    assert all(np.isfinite(value).all() for value in state(model))
    assert same(state(loaded), state(model))


@compiled(default="tensorflow")
def check_resumes_bit_for_bit(case):
    _resumes(case, 3, CHEAP)


@compiled()
def check_resumes_bit_for_bit_when_compiled(case):
    _resumes(case, 2, {"jit_compile": True})


@compiled()
def check_resumes_between_accumulated_batches(case):
    _resumes(case, 3, CHEAP, gradient_accumulation_steps=2)


check_resumes_between_accumulated_batches.applies = lambda case: case.accumulates
