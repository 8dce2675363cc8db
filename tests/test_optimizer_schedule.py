"""Weight decay and momentum that follow a schedule, against the updates in NumPy."""

import keras
import numpy as np
import pytest
from keras import optimizers

import perfkit
from perfkit import schedules
from perfkit.callbacks import OptimizerSchedule
from tests.optimizer_cases import CASES
from tests.optimizer_conformance import common

DATA = {"x": np.ones((6, 1), "float32"), "y": np.zeros((6, 1), "float32")}
STEPS = np.arange(6)
MOMENTUM = schedules.OneCycle(0.5, 6, start=0.95, end=0.9, curve="linear")
MU = np.interp(STEPS, [0, 2, 6], [0.95, 0.5, 0.9])
RATE = schedules.OneCycle(0.2, 6, start=0.05, end=0.01, curve="linear")
LR = np.interp(STEPS, [0, 2, 6], [0.05, 0.2, 0.01])


def decay(step):
    return 0.3 + 0.1 * keras.ops.cast(step, "float32")


DECAY = 0.3 + 0.1 * STEPS


class Climbing(keras.losses.Loss):
    """A loss whose gradient is 1 for the weight."""

    def call(self, y_true, y_pred):
        return keras.ops.mean(y_pred, axis=-1)


def made(optimizer, **options):
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((1,)), dense])
    model.compile(optimizer, Climbing(), **{"jit_compile": True, **options})
    return model


def trained(model, *callbacks, epochs=2, **options):
    """Three steps in each epoch."""
    options = {"batch_size": 2, "verbose": 0, "epochs": epochs, **options}
    return model.fit(**DATA, callbacks=list(callbacks), **options).history


def weight(model):
    return float(keras.ops.convert_to_numpy(model.weights[0])[0, 0])


def sgd(mu, wd, *, nesterov=False, lr=LR):
    w, m = 1.0, 0.0
    for t in STEPS[: len(mu)]:
        w -= w * wd[t] * lr[t]
        m = mu[t] * m - lr[t]
        w += mu[t] * m - lr[t] if nesterov else m
    return w


def rms_prop(mu, wd, rho=0.9, epsilon=1e-7):
    w, velocity, m = 1.0, 0.0, 0.0
    for t in STEPS:
        w -= w * wd[t] * LR[t]
        velocity = rho * velocity + (1 - rho)
        m = mu[t] * m + LR[t] / np.sqrt(velocity + epsilon)
        w -= m
    return w


def adam(mu, wd, beta=0.999, epsilon=1e-7):
    w, m, v = 1.0, 0.0, 0.0
    for t in STEPS:
        w -= w * wd[t] * LR[t]
        m = mu[t] * m + (1 - mu[t])
        v = beta * v + (1 - beta)
        scale = np.sqrt(1 - beta ** (t + 1)) / (1 - mu[t] ** (t + 1))
        w -= LR[t] * scale * m / (np.sqrt(v) + epsilon)
    return w


NONE = np.zeros(6)
KINDS = {
    "SGD": (lambda **k: optimizers.SGD(RATE, momentum=0.9, **k), sgd, 0.9),
    "Nesterov": (
        lambda **k: optimizers.SGD(RATE, momentum=0.9, nesterov=True, **k),
        lambda mu, wd: sgd(mu, wd, nesterov=True),
        0.9,
    ),
    "RMSprop": (lambda **k: optimizers.RMSprop(RATE, momentum=0.8, **k), rms_prop, 0.8),
    "Adam": (lambda **k: optimizers.Adam(RATE, **k), adam, 0.9),
    "AdamW": (
        lambda **k: optimizers.AdamW(RATE, **{"weight_decay": 0.0, **k}),
        adam,
        0.9,
    ),
    "scaled SGD": (
        lambda **k: optimizers.LossScaleOptimizer(
            optimizers.SGD(RATE, momentum=0.9, **k)
        ),
        sgd,
        0.9,
    ),
}
EVERY = pytest.mark.parametrize("kind", KINDS)
JIT = pytest.mark.parametrize(
    "jit_compile", [True, pytest.param(False, marks=pytest.mark.slow)]
)


@EVERY
@JIT
def test_each_step_has_the_values_of_its_own(kind, jit_compile):
    make, paper, _ = KINDS[kind]
    model = made(make(), jit_compile=jit_compile)
    history = trained(model, OptimizerSchedule(momentum=MOMENTUM, weight_decay=decay))
    assert weight(model) == pytest.approx(paper(MU, DECAY), rel=1e-4)
    np.testing.assert_allclose(history["weight_decay"], [0.6, 0.9], rtol=1e-6)
    np.testing.assert_allclose(history["momentum"], [0.6, 0.9], rtol=1e-6)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_what_is_not_named_stays(kind):
    make, paper, mu = KINDS[kind]
    model = made(make(weight_decay=0.2))
    trained(model, OptimizerSchedule(momentum=MOMENTUM))
    assert weight(model) == pytest.approx(paper(MU, NONE + 0.2), rel=1e-4)
    model = made(make())
    trained(model, OptimizerSchedule(weight_decay=decay))
    assert weight(model) == pytest.approx(paper(NONE + mu, DECAY), rel=1e-4)


def test_afterwards_the_optimizer_is_as_it_was():
    model = made(optimizers.SGD(0.1, momentum=0.9, weight_decay=0.2))
    trained(model, OptimizerSchedule(momentum=MOMENTUM, weight_decay=decay), epochs=1)
    optimizer = model.optimizer
    assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 0.2)
    trained(model, epochs=1)  # without: a step that is traced anew
    lr = NONE + 0.1
    mu = np.concatenate([MU[:3], NONE[:3] + 0.9])
    wd = np.concatenate([DECAY[:3], NONE[:3] + 0.2])
    assert weight(model) == pytest.approx(sgd(mu, wd, lr=lr), rel=1e-4)


def test_a_model_that_was_trained_before_is_traced_anew():
    model = made(optimizers.SGD(0.1, momentum=0.9))
    trained(model, epochs=1)
    trained(model, OptimizerSchedule(momentum=MOMENTUM), epochs=1)
    mu = np.concatenate([NONE[:3] + 0.9, MU[3:]])
    assert weight(model) == pytest.approx(sgd(mu, NONE, lr=NONE + 0.1), rel=1e-4)


def test_several_steps_per_execution_have_a_value_each():
    model = made(KINDS["SGD"][0](), steps_per_execution=3)
    trained(model, OptimizerSchedule(momentum=MOMENTUM))
    assert weight(model) == pytest.approx(sgd(MU, NONE), rel=1e-4)


def test_a_run_that_is_resumed_goes_on_as_if_it_had_not_stopped(tmp_path):
    """From a checkpoint, which has the numbers that the optimizer was made with."""
    path = tmp_path / "model.keras"
    model = made(optimizers.SGD(RATE, momentum=0.9, weight_decay=0.2))
    keep = keras.callbacks.ModelCheckpoint(path)
    both = {"momentum": MOMENTUM, "weight_decay": decay}
    trained(model, OptimizerSchedule(**both), keep, epochs=1)
    loaded = keras.models.load_model(path, custom_objects={"Climbing": Climbing})
    optimizer = loaded.optimizer
    assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 0.2)
    assert len(optimizer.variables) == 2  # the steps, and the momentum of the weight
    trained(loaded, OptimizerSchedule(**both), initial_epoch=1)
    assert weight(loaded) == pytest.approx(sgd(MU, DECAY), rel=1e-4)


def test_values_go_by_the_count_that_the_rate_goes_by():
    """Where gradients are accumulated, that counts the batches."""
    optimizer = optimizers.SGD(RATE, momentum=0.9, gradient_accumulation_steps=3)
    model = made(optimizer)
    trained(model, OptimizerSchedule(momentum=MOMENTUM))
    m, w = 0.0, 1.0
    for t in (2, 5):
        m = MU[t] * m - LR[t]
        w += m
    assert weight(model) == pytest.approx(w, rel=1e-4)


OWN = [kind for kind, case in CASES.items() if case.decays]


def both(kind, made_with, schedule):
    """Weights where a number is given, and where a schedule says the same."""
    case, found = CASES[kind], []
    for options, callbacks in [(made_with, []), ({}, [OptimizerSchedule(**schedule)])]:
        options = {"weight_decay": 0.1, **options}
        model = common.model_with(case.make(case.rate, **options))
        found.append(common.train(model, 6 + case.silent, callbacks=callbacks).weights)
    return [common.numpy(weights) for weights in found]


def of_own(kinds):
    """Those that are not typical run with the slow tests."""
    slow = {kind: [] if CASES[kind].typical else [pytest.mark.slow] for kind in kinds}
    return [pytest.param(kind, marks=marks) for kind, marks in slow.items()]


@pytest.mark.slow
@pytest.mark.parametrize("kind", of_own(OWN))
def test_weight_decay_of_our_optimizers_follows(kind):
    schedule = {"weight_decay": lambda step: 0.3 + 0.0 * step}
    numbers, scheduled = both(kind, {"weight_decay": 0.3}, schedule)
    assert common.close(numbers, scheduled, atol=1e-6)
    other, _ = both(kind, {}, schedule)
    assert not common.close(other, scheduled, atol=1e-4)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="it has no float64")
def test_weight_decay_follows_in_float64():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        schedule = {"weight_decay": lambda step: 0.3 + 0.0 * step}
        ours, theirs = both(perfkit.optimizers.LAMB, {"weight_decay": 0.3}, schedule)
    finally:
        keras.config.set_dtype_policy(policy)
    assert common.close(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("kind", of_own(x for x in OWN if not hasattr(x, "averaged")))
def test_momentum_of_our_optimizers_follows(kind):
    name = "momentum" if kind is perfkit.optimizers.LARS else "beta_1"
    schedule = {"momentum": lambda step: 0.5 + 0.0 * step}
    numbers, scheduled = both(kind, {name: 0.5}, schedule)
    assert common.close(numbers, scheduled, atol=1e-6)
    other, _ = both(kind, {}, schedule)
    assert not common.close(other, scheduled, atol=1e-4)


def test_what_a_fit_that_broke_off_left_behind_is_replaced():
    model = made(KINDS["SGD"][0]())
    broken = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: 1 / 0)
    callback = OptimizerSchedule(momentum=lambda step: 0.0 * step)
    with pytest.raises(ZeroDivisionError):
        trained(model, callback, broken)
    trained(model, OptimizerSchedule(momentum=MOMENTUM))
    assert weight(model) == pytest.approx(sgd(MU, NONE), rel=1e-4)
    assert "apply" not in vars(model.optimizer)


class Other(optimizers.SGD):
    """A wrapper that does not do its steps by the optimizer inside."""

    def __init__(self):
        super().__init__(0.1)
        self.inner_optimizer = optimizers.SGD(0.1, momentum=0.9)


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (
            optimizers.SGD(0.1),
            r"momentum=...\)` must be that of an optimizer made with some",
        ),
        (optimizers.Ftrl(0.1), r"momentum=...\)` must be left out, as Ftrl has none"),
        (
            perfkit.optimizers.ScheduleFreeSGD(0.1),
            r"momentum=...\)` must be left out, as ScheduleFreeSGD computes its av",
        ),
        (
            Other(),
            r"model=...\)` must be that of a model whose optimizer calls `apply`",
        ),
    ],
)
def test_an_optimizer_with_nothing_of_the_kind_is_told(optimizer, words):
    with pytest.raises(ValueError, match=words):
        trained(made(optimizer), OptimizerSchedule(momentum=MOMENTUM))


@pytest.mark.parametrize("argument", ["momentum", "weight_decay"])
@pytest.mark.parametrize("begin", [-0.1, 0.8])
def test_a_value_out_of_bounds_is_told(argument, begin):
    """At the begin, or at the end of the epoch in which it got there."""
    callback = OptimizerSchedule(**{argument: lambda step: begin + (begin * step)})
    model = made(optimizers.SGD(0.1, momentum=0.9))
    if argument == "weight_decay" and begin > 0:
        trained(model, callback)
        return
    with pytest.raises(ValueError, match=rf"{argument}=...\)` must be a schedule of"):
        trained(model, callback)


def test_wrong_arguments_are_told():
    with pytest.raises(
        ValueError, match=r"`OptimizerSchedule\(momentum=...\)` must be"
    ):
        OptimizerSchedule()
    with pytest.raises(TypeError, match=r"\(weight_decay=...\)` must be a schedule"):
        OptimizerSchedule(weight_decay=0.1)
