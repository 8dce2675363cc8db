"""`schedules.WarmUp` in front of Keras's schedules."""

import keras
import numpy as np
import pytest
from keras.optimizers import schedules as keras_schedules

from perfkit.schedules import WarmUp

INNER = {
    "constant": 0.3,
    "cosine": keras_schedules.CosineDecay(0.3, 20),
    "restarts": keras_schedules.CosineDecayRestarts(0.3, 7),
    "exponential": keras_schedules.ExponentialDecay(0.3, 5, 0.5),
    "inverse": keras_schedules.InverseTimeDecay(0.3, 5, 0.5),
    "piecewise": keras_schedules.PiecewiseConstantDecay([3, 6], [0.3, 0.2, 0.1]),
    "polynomial": keras_schedules.PolynomialDecay(0.3, 10),
    "nested": WarmUp(keras_schedules.CosineDecay(0.5, 9), 4, start=0.3),
}
EVERY = pytest.mark.parametrize("inner", INNER.values(), ids=INNER)


def rates(schedule, steps):
    if isinstance(schedule, float):
        return np.full(len(steps), schedule)
    # Tensors, as an optimizer counts: JAX would compile for each Python number.
    steps = [keras.ops.convert_to_tensor(step, "int32") for step in steps]
    return np.array([float(schedule(step)) for step in steps])


@EVERY
@pytest.mark.parametrize("start", [0.0, 0.1, 0.6])
def test_every_point_is_the_straight_line_and_then_the_schedule_from_its_start(
    inner, start
):
    schedule = WarmUp(inner, 6, start=start)
    line = start + (rates(inner, [0])[0] - start) * np.arange(6) / 6
    after = rates(inner, range(25))
    expected = np.concatenate([line, after])
    np.testing.assert_allclose(rates(schedule, range(31)), expected, atol=1e-7)


def test_it_equals_the_warm_up_that_keras_has_for_the_cosine():
    ours = WarmUp(keras_schedules.CosineDecay(0.4, 12, alpha=0.1), 8, start=0.05)
    theirs = keras_schedules.CosineDecay(
        0.05, 12, alpha=0.1, warmup_target=0.4, warmup_steps=8
    )
    steps = range(25)
    np.testing.assert_allclose(rates(ours, steps), rates(theirs, steps), atol=1e-7)


@EVERY
def test_it_rises_monotonically_from_start_to_the_first_rate(inner):
    warm = rates(WarmUp(inner, 100, start=0.1), range(101))
    assert warm[0] == np.float32(0.1)
    assert warm[-1] == np.float32(rates(inner, [0])[0])
    assert np.all(np.diff(warm) > 0)


@EVERY
def test_no_step_around_the_joint_is_longer_than_that_of_either_part(inner):
    around = rates(WarmUp(inner, 1000), range(995, 1003))
    part = np.abs(np.diff(rates(inner, range(3)))).max()
    assert np.abs(np.diff(around)).max() <= max(0.3 / 1000, part) + 1e-7


def test_late_steps_are_exact():
    inner = keras_schedules.PiecewiseConstantDecay([30_000_000], [0.3, 0.1])
    schedule = WarmUp(inner, 1)
    late = rates(schedule, [30_000_001, 30_000_002])
    np.testing.assert_array_equal(late, np.float32([0.3, 0.1]))


def model_with(schedule, **options):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].set_weights([np.zeros((1, 1))])
    model.compile(keras.optimizers.SGD(schedule), lambda _, y: -y, **options)
    return model


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_a_compiled_train_step_uses_the_rate_of_its_step(
    jit_compile, steps_per_execution
):
    """The gradient is -1, so the weight is the sum of the rates."""
    schedule = WarmUp(keras_schedules.CosineDecay(0.4, 6), 4, start=0.1)
    options = {"jit_compile": jit_compile, "steps_per_execution": steps_per_execution}
    model = model_with(schedule, **options)
    ones = np.ones((8, 1), "float32")
    model.fit(ones, ones, batch_size=1, verbose=0)
    weight = float(model.layers[0].get_weights()[0][0, 0])
    np.testing.assert_allclose(weight, rates(schedule, range(8)).sum(), 1e-5)
    np.testing.assert_allclose(
        float(model.optimizer.learning_rate), float(schedule(8)), 1e-6
    )


@pytest.mark.slow
@EVERY
def test_it_survives_a_saved_model(inner, tmp_path):
    schedule = WarmUp(inner, 5, start=0.05)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(schedule), "mse")
    ones = np.ones((4, 1), "float32")
    model.fit(ones, ones, batch_size=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit(ones, ones, batch_size=1, epochs=2, verbose=0)
        rate = float(each.optimizer.learning_rate)
        np.testing.assert_allclose(rate, float(schedule(12)), 1e-6)


class Halving(keras_schedules.LearningRateSchedule):
    """A user's own schedule, not registered."""

    def __call__(self, step):
        return 0.5 ** keras.ops.cast(step, "float32")

    def get_config(self):
        return {}


def test_a_schedule_of_the_user_is_restored_through_custom_objects(tmp_path):
    model = model_with(WarmUp(Halving(), 2))
    model.compile(keras.optimizers.SGD(WarmUp(Halving(), 2)), "mse")
    model.save(tmp_path / "model.keras")
    objects = {"Halving": Halving}
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects=objects)
    assert float(loaded.optimizer.learning_rate) == 0.0
    config = keras.saving.serialize_keras_object(WarmUp(Halving(), 2))
    schedule = keras.saving.deserialize_keras_object(config, custom_objects=objects)
    assert rates(schedule, range(5)).tolist() == [0.0, 0.5, 1.0, 0.5, 0.25]


@EVERY
def test_its_config_is_its_signature_and_makes_it_again(inner):
    schedule = WarmUp(inner, 5, start=0.05)
    config = schedule.get_config()
    assert config == {"schedule": inner, "steps": 5, "start": 0.05}
    steps = range(12)
    again = rates(WarmUp.from_config(config), steps)
    np.testing.assert_array_equal(again, rates(schedule, steps))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"schedule": -0.1}, ValueError),
        ({"schedule": float("nan")}, ValueError),
        ({"schedule": True}, ValueError),
        ({"schedule": "cosine"}, TypeError),
        ({"steps": 0}, ValueError),
        ({"steps": 2.5}, ValueError),
        ({"start": -0.1}, ValueError),
        ({"start": "0"}, ValueError),
    ],
)
def test_a_wrong_argument_is_named(change, error):
    name = next(iter(change))
    with pytest.raises(error, match=rf"^`WarmUp\({name}=...\)` must be "):
        WarmUp(**{"schedule": 0.1, "steps": 3, **change})


def test_a_numpy_number_is_a_rate():
    assert float(WarmUp(np.float32(0.5), np.int64(2))(1)) == 0.25
