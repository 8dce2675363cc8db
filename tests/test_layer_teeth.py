"""The suite is itself tested: each broken layer must fail the check it is for."""

import keras
import pytest

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from tests.layer_cases import Case
from tests.layer_conformance import CHECKS

BROKEN = {}


def breaks(*checks):
    """Name the checks that must reject the layer."""

    def note(broken):
        keras.saving.register_keras_serializable(package=broken.__module__)(broken)
        for check in checks:
            BROKEN[check] = broken
        return broken

    return note


class Right(Configured, keras.layers.Layer):
    """Channels times a factor, and what the mean of a sample gives; to be broken."""

    def __init__(self, power=1, *, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.power = power
        self.data_format = _check.data_format("Right", data_format)

    def build(self, input_shape):
        channels = input_shape[self.axis]
        self.factor = self.add_weight(shape=(channels,), name="factor")

    @property
    def axis(self):
        return 1 if self.data_format == "channels_first" else -1

    def call(self, inputs):
        shape = [1] * len(inputs.shape)
        shape[self.axis] = -1
        factor = ops.cast(ops.reshape(self.factor, shape), self.compute_dtype)
        return inputs * factor**self.power

    def compute_output_shape(self, input_shape):
        return input_shape


CASE = Case((4, 5, 3), {"power": 2})


@breaks("config_covers_the_signature")
class ForgetsAnArgument(Right):
    def get_config(self):
        config = super().get_config()
        del config["power"]
        return config


@breaks("round_trips")
class ForgetsAValue(Right):
    def get_config(self):
        return {**super().get_config(), "power": 3}


@breaks("survives_a_file")
class ForgetsItsWeights(Right):
    def load_own_variables(self, store):
        pass


@breaks("channels_first_is_channels_last_transposed")
class IgnoresTheFormat(Right):
    axis = 2  # of as many places as there are in both formats


@breaks("bfloat16_is_near")
class StaysInFloat32(Right):
    def call(self, inputs):
        return ops.cast(super().call(inputs), "float32")


@breaks("symbolic_shapes_are_the_real_ones")
class SaysAnotherShape(Right):
    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)


@breaks("a_program_takes_unknown_sizes")
class AsksForSizes(Right):
    def call(self, inputs):
        return super().call(inputs) / inputs.shape[1]

    def compute_output_shape(self, input_shape):
        if keras.backend.backend() == "jax" and None in input_shape[1:]:
            raise ValueError  # a program knows the sizes there
        return input_shape


@breaks("a_sample_does_not_depend_on_others")
class LooksAtTheBatch(Right):
    def call(self, inputs):
        return super().call(inputs) - ops.mean(inputs, axis=0)


@breaks("inputs_stay")
class ChangesItsInputs(Right):
    def __call__(self, inputs, *args, **kwargs):
        if isinstance(inputs, type(keras.ops.convert_to_numpy(0.0))):
            inputs += 1.0
        return super().__call__(inputs, *args, **kwargs)


@breaks("gradients_reach_every_weight")
class StopsGradients(Right):
    def call(self, inputs):
        return ops.stop_gradient(super().call(inputs))


@breaks("a_program_is_the_same")
class CountsCalls(Right):
    """What it counts in Python is counted once in a program."""

    calls = 0

    def call(self, inputs):
        type(self).calls += 1
        return super().call(inputs) + type(self).calls


def name(check):
    return check.__name__.removeprefix("check_")


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_every_check_passes_a_layer_that_is_right(check):
    keras.saving.register_keras_serializable(package="tests")(Right)
    check(Right, CASE)


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_every_check_rejects_a_broken_layer(check):
    broken = BROKEN[name(check)]
    assert getattr(check, "applies", lambda kind, case: True)(broken, CASE)
    with pytest.raises((AssertionError, TypeError, ValueError)):
        check(broken, CASE)


def test_no_broken_layer_is_left_over():
    assert set(BROKEN) == set(map(name, CHECKS))
