"""Dropout that follows a schedule: the mean square of what passes tells the rate."""

import keras
import numpy as np
import pytest

from perfkit import layers, schedules
from perfkit.callbacks import DropoutSchedule

SIZE = (64, 16, 32)
DATA = {"x": np.ones(SIZE, "float32"), "y": np.zeros(SIZE, "float32")}
RISING = schedules.WarmUp(0.6, 3)  # 0, 0.2, 0.4, 0.6 with one step in an epoch


def made(*dropping):
    same = keras.layers.Dense(32, use_bias=False, kernel_initializer="identity")
    model = keras.Sequential([keras.Input(SIZE[1:]), same, *dropping])
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=True)
    return model


def trained(model, *callbacks, **options):
    options = {"batch_size": 64, "epochs": 4, "verbose": 0, **options}
    return model.fit(**DATA, callbacks=list(callbacks), **options).history


def squares(rates):
    """What stays is enlarged: the mean of the squares is 1 / (1 - rate)."""
    return 1.0 / (1.0 - np.array(rates))


# Layers, and how many draws of their own a batch has.
KINDS = {
    "Dropout": (lambda: keras.layers.Dropout(0.5, seed=1), 64 * 16 * 32),
    "GaussianDropout": (
        lambda: keras.layers.GaussianDropout(0.5, seed=1),
        64 * 16 * 32,
    ),
    "SpatialDropout1D": (lambda: keras.layers.SpatialDropout1D(0.5, seed=1), 64 * 32),
    "DropBlock1D": (
        lambda: layers.DropBlock1D(0.5, 1, per_channel=True, seed=1),
        64 * 16 * 32,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_each_epoch_drops_at_the_rate_of_the_schedule(kind):
    make, draws = KINDS[kind]
    model = made(make())
    history = trained(model, DropoutSchedule(RISING))
    np.testing.assert_allclose(history["dropout"], [0, 0.2, 0.4, 0.6], atol=1e-6)
    rates = np.array([0, 0.2, 0.4, 0.6])
    expected = squares(rates)
    # Of a square, times a generous 4 for the Gaussian's fourth moment.
    sigma = np.sqrt(4 * rates / (1 - rates) ** 3 / draws)
    if kind == "DropBlock1D":  # it enlarges by what was really dropped
        sigma = sigma + 0.02 * rates
    np.testing.assert_array_less(np.abs(history["loss"] - expected), 4 * sigma + 1e-4)
    assert model.layers[1].rate == 0.5
    after = trained(model, epochs=1)["loss"][0]
    assert after == pytest.approx(2.0, abs=0.3)


@pytest.mark.slow
def test_a_run_that_is_resumed_goes_on_at_the_rate_of_its_steps(tmp_path):
    model = made(keras.layers.Dropout(0.5))
    keep = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    trained(model, DropoutSchedule(RISING), keep, epochs=2)
    loaded = keras.models.load_model(tmp_path / "2.keras")
    history = trained(loaded, DropoutSchedule(RISING), initial_epoch=2)
    np.testing.assert_allclose(history["dropout"], [0.4, 0.6], atol=1e-6)
    np.testing.assert_allclose(history["loss"], squares([0.4, 0.6]), rtol=0.05)


@pytest.mark.slow
def test_it_compiles_only_when_the_rate_moved_enough(monkeypatch):
    model = made(keras.layers.Dropout(0.1))
    made_anew = []
    remake = model.make_train_function

    def counted(force=False):
        made_anew.append(force)
        remake(force=force)

    monkeypatch.setattr(model, "make_train_function", counted)
    slow = DropoutSchedule(lambda step: 0.1 + 0.02 * step, tolerance=0.05)
    history = trained(model, slow, epochs=7)
    np.testing.assert_allclose(history["dropout"], [0.1] * 3 + [0.16] * 3 + [0.22])
    assert sum(made_anew) == 3  # twice meanwhile, once at the end


@pytest.mark.slow
def test_a_run_saved_while_nothing_is_dropped_goes_on(tmp_path):
    path = tmp_path / "{epoch}.keras"
    model = made(keras.layers.Dropout(0.5))
    keep = keras.callbacks.ModelCheckpoint(path)
    trained(model, DropoutSchedule(RISING), keep, epochs=2)
    loaded = keras.models.load_model(str(path).format(epoch=1))
    history = trained(loaded, DropoutSchedule(RISING), initial_epoch=1)
    np.testing.assert_allclose(history["dropout"], [0.2, 0.4, 0.6], rtol=1e-6)


class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = [keras.layers.Dropout(0.5, name="inner")]

    def call(self, inputs):
        return self.inner[0](inputs)


def test_layers_inside_others_follow_and_those_left_out_do_not():
    block, alone, off = Block(), keras.layers.Dropout(0.3), keras.layers.Dropout(0.0)
    nested = keras.Sequential([keras.Input(SIZE[1:]), block])
    model = made(nested, alone, off)
    rates = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: rates.append(
            (block.inner[0].rate, alone.rate, off.rate)
        )
    )
    trained(model, DropoutSchedule(lambda step: 0.25), note, epochs=1)
    chosen = DropoutSchedule(lambda step: 0.25, layers=[alone])
    trained(model, chosen, note, epochs=1)
    assert rates == [(0.25, 0.25, 0.0), (0.5, 0.25, 0.0)]
    assert (block.inner[0].rate, alone.rate) == (0.5, 0.3)


@pytest.mark.parametrize("dropping", [(), (keras.layers.Dropout(0.0),)])
def test_a_model_without_such_layers_is_told(dropping):
    with pytest.raises(ValueError, match="which are none; see `regul"):
        trained(made(*dropping), DropoutSchedule(RISING))


def test_a_layer_of_another_model_is_told():
    other = keras.layers.Dropout(0.5)
    with pytest.raises(ValueError, match=r"that drop .*, which are here\. R"):
        trained(
            made(keras.layers.Dropout(0.5, name="here")),
            DropoutSchedule(RISING, layers=[other]),
        )


def test_wrong_arguments_are_told():
    with pytest.raises(TypeError, match=r"`DropoutSchedule\(schedule=...\)` must be"):
        DropoutSchedule(0.1)
    with pytest.raises(TypeError, match=r"`DropoutSchedule\(layers=...\)` must be"):
        DropoutSchedule(RISING, layers="dropout")
    with pytest.raises(TypeError, match="must be a list of layers"):
        DropoutSchedule(RISING, layers=["dropout"])
    with pytest.raises(ValueError, match=r"`DropoutSchedule\(tolerance=...\)` must be"):
        DropoutSchedule(RISING, tolerance=-1.0)
    with pytest.raises(ValueError, match=r"must be a rate within \[0, 1\)"):
        trained(made(keras.layers.Dropout(0.5)), DropoutSchedule(lambda step: 1.0))
