"""Every schedule against optax, or a few lines of NumPy of the paper."""

import inspect
import math

import keras
import numpy as np
import optax
import pytest
from keras.optimizers import schedules as keras_schedules
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import schedules

STEPS = range(130)


def rates(schedule, steps=STEPS):
    # Tensors, as an optimizer counts: JAX would compile for each Python number.
    steps = [keras.ops.convert_to_tensor(step, "int32") for step in steps]
    return np.array([float(schedule(step)) for step in steps])


def one_cycle_of_lines(step):
    return np.interp(step, [0, 30, 100], [0.04, 1.0, 4e-6])


def trapezoid(fall):
    """Of 100 steps, 10 up to 0.6 and 40 down to 0.1."""

    def rate(step):
        done = np.clip((step - 60) / 40, 0.0, 1.0)
        down = 0.1 + 0.5 * fall(done)
        return np.where(step < 10, 0.2 + 0.4 * step / 10, down)

    return rate


def triangles(cycle_decay, step_decay):
    """Smith's formula; his decay of a step is of the bounds' distance."""

    def rate(step):
        cycle = np.floor(1 + step / 16)
        x = np.abs(step / 8 - 2 * cycle + 1)
        height = np.maximum(0.0, 1 - x) * cycle_decay ** (cycle - 1)
        return 0.1 + 0.4 * height * step_decay**step

    return rate


def noam(step):
    """The paper's, with the factor that makes 0.7 of its peak."""
    step = np.maximum(step, 1e-9)
    return 0.7 * np.sqrt(12) * np.minimum(step**-0.5, step * 12**-1.5)


def rex(step):
    share = np.minimum(step / 100, 1.0)
    return 0.1 + 0.4 * (1 - share) / (0.5 + 0.5 * (1 - share))


def sgdr(lengths, tops, **options):
    return optax.sgdr_schedule(
        [
            {"init_value": 0.05, "peak_value": top, "decay_steps": length, **options}
            for length, top in zip(lengths, tops, strict=True)
        ]
    )


WARM = {"warmup_steps": 5, "end_value": 0.01}
LINE = optax.linear_schedule(0.1, 0.5, 20)
ROWS = {
    "Chain": (
        schedules.Chain([schedules.FlatCosine(0.4, 30, flat=0.0), 0.2, 0.1], [30, 70]),
        optax.join_schedules(
            [optax.cosine_decay_schedule(0.4, 30), lambda _: 0.2, lambda _: 0.1],
            [30, 70],
        ),
    ),
    "OneCycle": (
        schedules.OneCycle(1.0, 100),
        optax.cosine_onecycle_schedule(100, 1.0),
    ),
    "OneCycle all": (
        schedules.OneCycle(0.5, 90, start=0.1, end=0.001, rise=0.5),
        optax.cosine_onecycle_schedule(90, 0.5, 0.5, 5.0, 100.0),
    ),
    "OneCycle linear": (
        schedules.OneCycle(1.0, 100, curve="linear"),
        one_cycle_of_lines,
    ),
    "Cyclical": (schedules.Cyclical(0.1, 0.5, 8), triangles(1.0, 1.0)),
    "Cyclical decay": (
        schedules.Cyclical(0.1, 0.5, 8, cycle_decay=0.5),
        triangles(0.5, 1.0),
    ),
    "Cyclical every step": (
        schedules.Cyclical(0.1, 0.5, 8, step_decay=0.98),
        triangles(1.0, 0.98),
    ),
    "Cyclical uneven": (
        schedules.Cyclical(0.1, 0.5, 3, down_steps=7),
        lambda step: np.interp(step % 10, [0, 3, 10], [0.1, 0.5, 0.1]),
    ),
    "CosineRestarts": (
        schedules.CosineRestarts(0.5, 26, end=0.01, warmup_steps=5, start=0.05),
        sgdr([26] * 6, [0.5] * 6, **WARM),
    ),
    "CosineRestarts growing": (
        schedules.CosineRestarts(
            0.5, 15, growth=1.5, decay=0.8, end=0.01, warmup_steps=5, start=0.05
        ),
        sgdr([15, 22, 34, 51, 76], [0.5 * 0.8**k for k in range(5)], **WARM),
    ),
    "WarmupStableDecay": (
        schedules.WarmupStableDecay(
            0.6, 100, warmup_steps=10, decay_steps=40, start=0.2, end=0.1
        ),
        trapezoid(lambda share: 1 - share),
    ),
    "WarmupStableDecay cosine": (
        schedules.WarmupStableDecay(
            0.6,
            100,
            warmup_steps=10,
            decay_steps=40,
            start=0.2,
            end=0.1,
            curve="cosine",
        ),
        trapezoid(lambda share: 0.5 + 0.5 * np.cos(np.pi * share)),
    ),
    "WarmupStableDecay sqrt": (
        schedules.WarmupStableDecay(
            0.6, 100, warmup_steps=10, decay_steps=40, start=0.2, end=0.1, curve="sqrt"
        ),
        trapezoid(lambda share: 1 - np.sqrt(share)),
    ),
    "FlatCosine": (
        schedules.FlatCosine(0.4, 100, end=0.1),
        optax.join_schedules(
            [lambda _: 0.4, optax.cosine_decay_schedule(0.4, 25, 0.25)], [75]
        ),
    ),
    "InverseSqrt": (
        schedules.InverseSqrt(0.7, 12),
        lambda step: 0.7 * np.sqrt(12 / (12 + step)),
    ),
    "InverseSqrt warm": (
        schedules.WarmUp(schedules.InverseSqrt(0.7, 12), 12),
        noam,
    ),
    "Step": (
        schedules.Step(0.8, 20, factor=0.5),
        optax.exponential_decay(0.8, 20, 0.5, staircase=True),
    ),
    "Step at": (
        schedules.Step(0.8, [10, 75], factor=0.3),
        optax.piecewise_constant_schedule(0.8, {10: 0.3, 75: 0.3}),
    ),
    "Exponential": (
        schedules.Exponential(0.8, 100, end=0.002),
        optax.exponential_decay(0.8, 100, 0.002 / 0.8, end_value=0.002),
    ),
    "Exponential rising": (
        schedules.Exponential(1e-5, 100, end=1.0),
        optax.exponential_decay(1e-5, 100, 1e5, end_value=1.0),
    ),
    "REX": (schedules.REX(0.5, 100, end=0.1), rex),
}
EVERY = pytest.mark.parametrize("row", ROWS)


def kinds():
    """Every public schedule."""
    return {
        cls
        for _, cls in inspect.getmembers(schedules, inspect.isclass)
        if issubclass(cls, LearningRateSchedule)
    }


def test_every_schedule_is_compared():
    assert {type(ours) for ours, _ in ROWS.values()} == kinds()


@EVERY
def test_every_point_is_that_of_the_oracle(row):
    ours, theirs = ROWS[row]
    expected = [float(theirs(step)) for step in STEPS]
    np.testing.assert_allclose(rates(ours), expected, rtol=1e-6, atol=1e-6)


@EVERY
def test_late_steps_are_finite_and_within_bounds(row):
    ours, _ = ROWS[row]
    late = rates(ours, [10**6, 10**9, 2**31 - 1])
    assert np.isfinite(late).all()
    assert (late >= 0.0).all()
    assert (late <= 1.0).all()


@EVERY
def test_it_is_made_again_from_its_config(row):
    ours, _ = ROWS[row]
    signature = set(inspect.signature(type(ours)).parameters)
    assert set(ours.get_config()) == signature
    config = keras.saving.serialize_keras_object(ours)
    again = keras.saving.deserialize_keras_object(config)
    steps = range(0, 90, 6)
    np.testing.assert_array_equal(rates(again, steps), rates(ours, steps))


def weight_after(model, count):
    ones = np.ones((count, 1), "float32")
    model.fit(ones, ones, batch_size=1, verbose=0)
    return float(model.layers[0].get_weights()[0][0, 0])


@pytest.mark.slow
@pytest.mark.parametrize("row", {type(ROWS[row][0]): row for row in ROWS}.values())
def test_a_compiled_train_step_uses_it_and_a_loaded_model_goes_on(row, tmp_path):
    """The gradient is -1, so the weight is the sum of the rates."""
    ours, _ = ROWS[row]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].set_weights([np.zeros((1, 1))])
    model.compile(keras.optimizers.SGD(ours), "mean_absolute_error", jit_compile=True)
    far = np.float32(1e6)
    ones = np.ones((8, 1), "float32")
    model.fit(ones, far * ones, batch_size=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded.fit(ones, far * ones, batch_size=1, verbose=0)
    weight = float(loaded.layers[0].get_weights()[0][0, 0])
    assert weight == pytest.approx(rates(ours, range(16)).sum(), 1e-5)


WRONG = {
    "boundaries": [[1], [2, 2], [3, 1], [0, 1], 3, [1.5, 2], "12"],
    "curve": ["cubic", 1, None],
    "cycle_decay": [-0.1, 1.1, "1", None],
    "decay": [-0.1, 1.1, "1", None],
    "decay_steps": [-1, 91, 1.5, "1", None],
    "down_steps": [0, 1.5, "1"],
    "end": [-0.1, "0", math.nan, True],
    "factor": [-0.1, 1.1, "1", None],
    "flat": [-0.1, 1.1, "1", None],
    "growth": [0.9, 101.0, "2", None],
    "high": [-0.1, "0", math.nan, None],
    "learning_rate": [-0.1, "0", math.nan, None, True, [0.1]],
    "low": [-0.1, "0", math.nan, None],
    "rise": [-0.1, 1.1, "1", None],
    "schedule": [-0.1, math.nan, True, "cosine", None],
    "schedules": [[0.1], 0.1, [0.1, "0.2", 0.3], [0.1, -0.2, 0.3], None],
    "start": [-0.1, "0", math.nan, True],
    "step_decay": [-0.1, 1.1, "1", None],
    "steps": [0, -1, 1.5, "1", None, True],
    "warmup_steps": [-1, 101, 1.5, "1", None],
}


@EVERY
def test_wrong_arguments_are_named(row):
    ours, _ = ROWS[row]
    owner, config = type(ours), ours.get_config()
    for name in config:
        for value in WRONG[name]:
            start = rf"^`{owner.__name__}\({name}=...\)` must be .+ Received: {name}="
            with pytest.raises((ValueError, TypeError), match=start):
                owner(**{**config, name: value})


@pytest.mark.parametrize("steps", [[], [2, 1], [0], [1.5], ["1"], [True]])
def test_steps_that_do_not_rise_are_refused(steps):
    with pytest.raises(ValueError, match=r"`Step\(steps=...\)` must be"):
        schedules.Step(0.1, steps)


def test_it_goes_on_where_it_stands_after_a_boundary():
    """A schedule within a chain counts from its own beginning, however deep."""
    inner = schedules.Chain([0.1, schedules.WarmUp(0.5, 4)], [3])
    outer = schedules.Chain([0.9, inner], [10])
    found = rates(outer, [9, 10, 12, 13, 15, 17, 99])
    np.testing.assert_allclose(found, [0.9, 0.1, 0.1, 0.0, 0.25, 0.5, 0.5], atol=1e-7)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (schedules.FlatCosine(0.4, 4, flat=1.0, end=0.1), [0.4, 0.4, 0.4, 0.4, 0.1]),
        (schedules.OneCycle(0.4, 2, start=0.0, end=0.1, rise=1.0), [0.0, 0.2, 0.1]),
        (schedules.OneCycle(0.4, 2, start=0.1, end=0.0, rise=0.0), [0.4, 0.2, 0.0]),
        (
            schedules.WarmupStableDecay(0.4, 3, warmup_steps=0, decay_steps=0, end=0.1),
            [0.4, 0.4, 0.4, 0.1],
        ),
        (
            schedules.WarmupStableDecay(0.4, 2, warmup_steps=2, decay_steps=0),
            [0.0, 0.2, 0.0, 0.0],
        ),
        (schedules.CosineRestarts(0.4, 2, warmup_steps=2), [0.0, 0.2, 0.0, 0.2]),
    ],
)
def test_a_part_without_steps_is_done_at_once(schedule, expected):
    found = rates(schedule, range(len(expected)))
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_keras_schedules_are_parts_too():
    chain = schedules.Chain([0.1, keras_schedules.CosineDecay(0.4, 10)], [5])
    cosine = keras_schedules.CosineDecay(0.4, 10)
    found = rates(chain, range(5, 20))
    np.testing.assert_allclose(found, rates(cosine, range(15)), atol=1e-7)


def test_momentum_goes_the_other_way():
    momentum = schedules.OneCycle(0.85, 100, start=0.95, end=0.95)
    found = rates(momentum, [0, 30, 100])
    np.testing.assert_allclose(found, [0.95, 0.85, 0.95], atol=1e-7)
