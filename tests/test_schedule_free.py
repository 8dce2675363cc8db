"""Schedule-free optimizers: both points, swapping, and what Keras's does (K3)."""

import functools

import keras
import numpy as np
import optax
import pytest

from perfkit import optimizers
from tests import optimizer_papers as papers
from tests.optimizer_conformance.common import (
    close,
    model_with,
    numpy,
    same,
    state,
    train,
)
from tests.optimizer_problem import START, distance, gradients, run, variables_of

STEPS = 50
SGD = optimizers.ScheduleFreeSGD
AdamW = optimizers.ScheduleFreeAdamW
RAdam = optimizers.ScheduleFreeRAdam
paper = functools.partial(papers.schedule_free, gradients, START, STEPS)

ORACLES = {
    "sgd": (SGD(0.03, weight_decay=0.1), paper(0.03, 0.1, "sgd")),
    "sgd-warmup": (
        SGD(0.03, 0.8, warmup_steps=20),
        paper(0.03, 0.0, "sgd", b1=0.8, warmup=20),
    ),
    "adamw": (AdamW(0.01), paper(0.01, 0.0)),
    "adamw-decay": (AdamW(0.01, weight_decay=0.1), paper(0.01, 0.1)),
    "adamw-warmup": (
        AdamW(0.01, weight_decay=0.1, warmup_steps=20),
        paper(0.01, 0.1, warmup=20),
    ),
    "adamw-powers": (AdamW(0.01, step_power=2.0), paper(0.01, 0.0, r=2.0)),
    "radam": (RAdam(0.01, weight_decay=0.1), paper(0.01, 0.1, "radam")),
    "radam-short": (RAdam(0.01, beta_2=0.9), paper(0.01, 0.0, "radam", b2=0.9)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("ours", "points"), ORACLES.values(), ids=ORACLES)
def test_both_points_are_those_of_the_paper_after_fifty_steps(ours, points):
    y, x = points
    assert distance(y, START) > 0.02
    assert distance(x, y) > 1e-3
    variables = variables_of(START)
    assert distance(run(ours, STEPS, variables=variables), y) <= 1e-5
    ours.swap()
    assert distance(numpy(variables), x) <= 1e-5


def test_a_falling_rate_weighs_as_its_peak():
    rates = np.where(np.arange(STEPS) < 25, 0.02, 0.002)
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([24], [0.02, 0.002])
    ours = AdamW(schedule)
    variables = variables_of(START)
    y, x = paper(rates, 0.0)
    assert distance(run(ours, STEPS, variables=variables), y) <= 1e-5
    ours.swap()
    assert distance(numpy(variables), x) <= 1e-5


def test_without_warm_up_optax_agrees():
    transform = optax.contrib.schedule_free_adamw(0.01, weight_decay=0.1)
    weights = [np.array(w) for w in START]
    opt_state = transform.init(weights)
    for _ in range(10):
        updates, opt_state = transform.update(gradients(weights), opt_state, weights)
        weights = [np.asarray(w) for w in optax.apply_updates(weights, updates)]
    ours = AdamW(0.01, weight_decay=0.1)
    variables = variables_of(START)
    assert distance(run(ours, 10, variables=variables), weights) <= 1e-5
    ours.swap()
    x = optax.contrib.schedule_free_eval_params(opt_state, weights)
    assert distance(numpy(variables), [np.asarray(w) for w in x]) <= 1e-5


IN_KERAS = pytest.mark.skipif(
    not hasattr(keras.optimizers, "ScheduleFreeAdamW"), reason="not in this Keras yet"
)


def k3(**arguments):
    """How far Keras's weights are from the paper's, and how far ours are."""
    rule = {
        "wd": arguments.get("weight_decay", 0.0),
        "warmup": arguments.get("warmup_steps", 0),
    }
    y, _ = papers.schedule_free(gradients, START, 20, 0.01, **rule)
    theirs = keras.optimizers.ScheduleFreeAdamW(0.01, epsilon=1e-8, **arguments)
    ours = AdamW(0.01, **arguments)
    return distance(run(theirs, 20), y), distance(run(ours, 20), y)


@IN_KERAS
@pytest.mark.parametrize(
    "arguments", [{"warmup_steps": 5}, {"weight_decay": 0.1}], ids=["warmup", "decay"]
)
def test_k3_warm_up_and_decay_of_keras_go_elsewhere_and_ours_do_not(arguments):
    theirs, ours = k3(**arguments)
    assert theirs > 1e-3
    assert ours <= 1e-5


@IN_KERAS
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="JAX has no handles"
)
def test_k3_keras_reads_a_live_handle_on_tensorflow_and_we_do_not():
    theirs, ours = k3()
    assert theirs > 1e-3
    assert ours <= 1e-5


@IN_KERAS
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="built before")
def test_k3_keras_loses_the_start_where_fit_builds_and_we_do_not():
    def after_a_step(optimizer):
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        model = keras.Sequential([keras.Input((2,)), layer])
        model.compile(optimizer, "mse")
        model.fit(np.eye(2, dtype="float32"), np.zeros((2, 1)), verbose=0)
        return layer.get_weights()[0].ravel()

    assert (after_a_step(keras.optimizers.ScheduleFreeAdamW(0.05)) < 0.0).all()
    np.testing.assert_allclose(after_a_step(AdamW(0.05)), 0.95, rtol=1e-6)


@IN_KERAS
def test_k3_keras_never_shows_the_average_and_we_do():
    assert not hasattr(keras.optimizers.ScheduleFreeAdamW, "swap")
    assert issubclass(AdamW, optimizers.Averaging)


def trained(steps=3, **options):
    return train(model_with(AdamW(0.05), jit_compile=True, **options), steps)


def test_swapping_twice_restores_every_bit_and_training_goes_on():
    model, plain = trained(), trained()
    before = state(model)
    model.optimizer.swap()
    assert model.optimizer.averaged
    assert not same(numpy(model.weights), numpy(plain.weights))
    model.optimizer.swap()
    assert not model.optimizer.averaged
    assert same(state(model), before)
    assert same(state(train(model, 2, first=3)), state(train(plain, 2, first=3)))


@pytest.mark.slow
def test_swapped_models_are_saved_as_such(tmp_path):
    model = trained()
    model.optimizer.swap()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.averaged
    assert same(state(loaded), state(model))
    for each in (loaded, model):
        each.optimizer.swap()
        train(each, 2, first=3)
    assert same(state(loaded), state(model))


def test_a_step_of_a_swapped_model_goes_on_from_where_training_was():
    """All but the gradient is as without the swap; the problem has a constant one."""

    def after(swapped):
        variables = [keras.Variable([1.0, 2.0]), keras.Variable([3.0])]
        slope = [keras.ops.ones(2), keras.ops.ones(1)]
        optimizer = SGD(0.1, weight_decay=0.1)
        for _ in range(3):
            optimizer.apply(slope, variables)
        if swapped:
            optimizer.swap()
        optimizer.apply(slope, variables)
        assert not optimizer.averaged
        optimizer.apply(slope, variables)
        return numpy(variables) + numpy(optimizer.variables)

    assert close(after(True), after(False), atol=1e-7)


def test_before_it_is_built_there_is_nothing_to_swap():
    optimizer = AdamW()
    optimizer.swap()
    assert not optimizer.averaged


def test_variables_whose_first_gradient_is_late_begin_at_their_weights():
    first, second = keras.Variable([1.0]), keras.Variable([8.0])
    optimizer = SGD(0.1)
    optimizer.build([first, second])
    optimizer.apply([keras.ops.ones(1)], [first])
    optimizer.apply([keras.ops.ones(1)], [second])
    assert 7.8 < float(second.numpy()[0]) < 8.0


def test_weights_that_are_set_after_building_are_the_start():
    variable = keras.Variable([1.0])
    optimizer = SGD(0.1)
    optimizer.build([variable])
    variable.assign([8.0])
    optimizer.apply([keras.ops.ones(1)], [variable])
    np.testing.assert_allclose(variable.numpy(), [7.9], rtol=1e-6)


def test_averages_of_keras_beside_ours_are_refused():
    with pytest.raises(ValueError, match=r"use_ema=\.\.\.\)` must be False"):
        AdamW(use_ema=True)
