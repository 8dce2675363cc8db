"""A plateau lowers the rate of schedules and constants alike."""

import json

import keras
import numpy as np
import pytest
from keras.optimizers import schedules

from perfkit import _backend
from perfkit.callbacks import Lowered, PlateauAware

DATA = {"x": np.ones((2, 1), "float32"), "y": np.zeros((2, 1), "float32")}


class Climbing(keras.losses.Loss):
    """A loss of gradient 1 for each weight, so that steps are the rate."""

    def call(self, y_true, y_pred):
        return keras.ops.mean(y_pred, axis=-1)


class Figures(keras.callbacks.Callback):
    """Put a figure of one's own into the logs of each epoch."""

    def __init__(self, *values, key="val_loss"):
        super().__init__()
        self.values, self.key = iter(values), key

    def on_epoch_end(self, epoch, logs=None):
        logs[self.key] = next(self.values)


def made(rate=0.5, wrap=lambda optimizer: optimizer):
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), dense])
    optimizer = wrap(keras.optimizers.SGD(rate))
    model.compile(optimizer, Climbing(), jit_compile=True)
    return model


def weight(model):
    return float(model.get_weights()[0][0, 0])


def fitted(model, plateau, *values, **options):
    callbacks = [Figures(*values), plateau]
    options = {"epochs": len(values), "verbose": 0, **options}
    return model.fit(**DATA, callbacks=callbacks, **options).history


FALLING = schedules.PolynomialDecay(1.0, 10, 0.0)  # 1, 0.9, 0.8, ...
RATES = {
    "constant": (lambda: 0.5, [0.5] * 7),
    "schedule": (lambda: FALLING, np.arange(10, 3, -1) / 10),
}
EITHER = pytest.mark.parametrize("kind", RATES)


@pytest.mark.slow
@EITHER
@pytest.mark.parametrize("wrap", [lambda o: o, keras.optimizers.LossScaleOptimizer])
def test_k13_the_step_follows_the_schedule_at_a_fraction(kind, wrap):
    """Two epochs without improvement, twice. The weight sums up the rates."""
    rate, plain = RATES[kind]
    model = made(rate(), wrap)
    plateau = PlateauAware(factor=0.5, patience=2)
    history = fitted(model, plateau, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5)
    used = plain * np.array([1, 1, 1, 0.5, 0.5, 0.5, 0.25])
    assert weight(model) == pytest.approx(-used.sum(), rel=1e-5)
    assert plateau.state == {"best": 0.5, "wait": 1, "cooldown": 0, "factor": 0.25}
    after = plain if kind == "constant" else [*plain[1:], plain[-1] - 0.1]
    logged = after * np.array([1, 1, 1, 0.5, 0.5, 0.5, 0.25])
    np.testing.assert_allclose(history["learning_rate"], logged, rtol=1e-5)


@pytest.mark.parametrize("patience", [1, 3])
@pytest.mark.parametrize("cooldown", [0, 2])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_it_lowers_when_keras_does(patience, cooldown, mode):
    values = np.random.default_rng(1).normal(size=24).round(1)
    arguments = {
        "monitor": "figure",
        "factor": 0.8,
        "patience": patience,
        "cooldown": cooldown,
        "mode": mode,
        "min_delta": 0.15,
    }
    stock = keras.callbacks.ReduceLROnPlateau(min_lr=0.1, **arguments)
    ours = PlateauAware(min_rate=0.1, **arguments)
    rates = []
    for plateau in (stock, ours):
        figures, model = Figures(*values, key="figure"), made()
        for callback in (figures, plateau):
            callback.set_model(model)
            callback.on_train_begin()
        logs = [{} for _ in values]
        for epoch, log in enumerate(logs):
            figures.on_epoch_end(epoch, log)
            plateau.on_epoch_end(epoch, log)
        rates.append([log["learning_rate"] for log in logs])
    np.testing.assert_allclose(rates[1], rates[0], rtol=1e-6)
    assert len(set(rates[0])) > 2


def test_the_rate_stays_above_its_least():
    model = made(FALLING)
    plateau = PlateauAware(factor=0.1, patience=1, min_rate=0.55)
    fitted(model, plateau, *[1.0] * 6)
    # Of 1, 0.9, 0.8, 0.7, 0.6, 0.5 at 1, 1, then 0.1, but no less than 0.55.
    used = [1.0, 0.9, 0.55, 0.55, 0.55, 0.5]
    assert weight(model) == pytest.approx(-sum(used), rel=1e-5)


@pytest.mark.slow
@EITHER
@pytest.mark.parametrize("stop", [3, 4])
def test_a_run_that_is_resumed_goes_on_as_if_it_had_not_stopped(kind, stop, tmp_path):
    rate, _ = RATES[kind]
    values = [1.0, 0.9, 0.9, 0.9, 0.9, 0.9]
    whole, plateau = made(rate()), PlateauAware(factor=0.5, patience=2)
    fitted(whole, plateau, *values)
    model, first = made(rate()), PlateauAware(factor=0.5, patience=2)
    fitted(
        model, first, *values[:stop]
    )  # in the middle of the patience, or just lowered
    model.save(tmp_path / "model.keras")
    state = json.loads(json.dumps(first.state))
    loaded = keras.models.load_model(
        tmp_path / "model.keras", custom_objects={"Climbing": Climbing}
    )
    second = PlateauAware(factor=0.5, patience=2)
    second.state = state
    fitted(loaded, second, *values[stop:], initial_epoch=stop, epochs=6)
    assert weight(loaded) == pytest.approx(weight(whole), rel=1e-5)
    assert second.state == plateau.state
    assert len(loaded.optimizer.variables) == len(whole.optimizer.variables)


def test_what_was_lowered_is_lowered_again_under_a_new_schedule(tmp_path):
    """As where weights alone are restored into a model made by the same code."""
    model, plateau = made(FALLING), PlateauAware(factor=0.5, patience=1)
    fitted(model, plateau, 1.0, 1.0)
    model.save_weights(tmp_path / "it.weights.h5")
    again, second = made(FALLING), PlateauAware(factor=0.5, patience=1)
    again.optimizer.build(again.trainable_variables)
    again.load_weights(tmp_path / "it.weights.h5")
    second.state = plateau.state
    before = weight(again)
    fitted(again, second, 0.5)
    assert before - weight(again) == pytest.approx(0.8 * 0.5, rel=1e-5)


def test_a_second_fit_goes_on():
    model, plateau = made(), PlateauAware(factor=0.5, patience=2)
    fitted(model, plateau, 1.0, 1.0)
    fitted(model, plateau, 1.0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.25)


def test_the_state_of_the_optimizer_is_as_without():
    model = made(FALLING)
    fitted(model, PlateauAware(factor=0.5, patience=1), 1.0, 1.0, 1.0)
    plain = made(FALLING)
    plain.fit(**DATA, verbose=0)
    names = [[v.name for v in m.optimizer.variables] for m in (model, plain)]
    assert names[0] == names[1]


def test_it_goes_by_the_name_of_the_figure():
    rising = PlateauAware("val_accuracy", patience=1)
    assert (rising.mode, PlateauAware("loss").mode) == ("max", "min")
    with pytest.raises(ValueError, match="'figure' does not tell"):
        PlateauAware("figure")


def test_not_a_number_is_no_improvement():
    model, plateau = made(), PlateauAware(factor=0.5, patience=2)
    fitted(model, plateau, float("nan"), 1.0, float("nan"), 0.5)
    assert plateau.state == {"best": 0.5, "wait": 0, "cooldown": 0, "factor": 1.0}


def test_it_says_what_it_did(capsys):
    fitted(made(), PlateauAware(factor=0.5, patience=1, verbose=1), 1.0, 1.0)
    assert capsys.readouterr().out == "\nEpoch 2: learning rate lowered to 0.25.\n"


def test_a_figure_that_is_missing_is_told():
    with pytest.raises(ValueError, match=r"one of the logs, which are \['learn"):
        fitted(made(), PlateauAware("other_loss"), 1.0)
    with pytest.warns(UserWarning, match="waits for val_loss"):
        made().fit(**DATA, verbose=0, callbacks=[PlateauAware()])


def test_a_rate_that_is_a_function_is_refused():
    with pytest.raises(TypeError, match=r"`PlateauAware\(model=...\)` must be that"):
        fitted(made(lambda: 0.5), PlateauAware(), 1.0)


WRONG = [
    {"monitor": 1},
    {"factor": 1.0},
    {"factor": 0.0},
    {"patience": 0},
    {"verbose": 2},
    {"mode": "up"},
    {"min_delta": -1.0},
    {"cooldown": -1},
    {"min_rate": -0.1},
]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_a_wrong_argument_is_named(change):
    (name,) = change
    start = rf"^`PlateauAware\({name}=...\)` must be "
    with pytest.raises((ValueError, TypeError), match=start):
        PlateauAware(**change)


def test_a_state_of_something_else_is_told():
    with pytest.raises(ValueError, match=r"`PlateauAware\(state=...\)` must be of the"):
        PlateauAware().state = {"best": 1.0}


def test_a_lowered_schedule_is_made_again_from_its_config():
    schedule = Lowered(FALLING, 0.3, min_rate=0.2)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(schedule)
    )
    rates = [[float(s(step)) for step in range(12)] for s in (schedule, again)]
    np.testing.assert_allclose(*rates)
    expected = [
        min(x, max(0.3 * x, 0.2)) for x in np.maximum(1 - np.arange(12) / 10, 0)
    ]
    np.testing.assert_allclose(rates[0], expected, atol=1e-6)
    with pytest.raises(TypeError, match=r"`Lowered\(schedule=...\)` must be"):
        Lowered(0.1, 0.5)


def test_where_an_optimizer_keeps_its_rate():
    """The one private spot of Keras that this relies on."""
    assert isinstance(_backend.rate_of(keras.optimizers.SGD(0.1)), keras.Variable)
    assert _backend.rate_of(keras.optimizers.SGD(FALLING)) is FALLING
