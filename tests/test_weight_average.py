"""Averages of weights in a model: its moving statistics, validation and files."""

import keras
import numpy as np
import pytest

from perfkit import callbacks, optimizers
from perfkit.graph import batch_norm

RNG = np.random.default_rng(0)
X = RNG.normal(1.0, 2.0, size=(24, 3)).astype("float32")
Y = np.sin(X.sum(axis=1, keepdims=True)).astype("float32")


def network():
    dense = [
        keras.layers.Dense(n, kernel_initializer=keras.initializers.GlorotUniform(n))
        for n in (4, 1)
    ]
    norm = keras.layers.BatchNormalization(momentum=0.5)
    return keras.Sequential([keras.Input((3,)), dense[0], norm, dense[1]])


def averaging(**arguments):
    return optimizers.WeightAverage(
        keras.optimizers.SGD(0.1, momentum=0.5), **{"decay": 0.7, **arguments}
    )


def compiled(optimizer=None):
    model = network()
    model.compile(optimizer or averaging(), "mse", jit_compile=True)
    return model


def fit(model, epochs=1, hooks=None, **options):
    hooks = [callbacks.SwapWeights()] if hooks is None else hooks
    history = model.fit(
        X,
        Y,
        batch_size=6,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=hooks,
        **options,
    )
    return history.history


class Snapshots(keras.callbacks.Callback):
    """All weights after each step."""

    def __init__(self):
        super().__init__()
        self.taken = []

    def on_train_batch_end(self, batch, logs=None):
        self.taken.append([np.array(w) for w in self.model.get_weights()])


def averaged(snapshots, decay=0.7, power=2 / 3):
    average = snapshots[0]
    for count, weights in enumerate(snapshots[1:], 1):
        stays = min(decay, 1 - (1 + count) ** -power)
        pairs = zip(average, weights, strict=True)
        average = [stays * a + (1 - stays) * w for a, w in pairs]
    return average


def test_k9_averages_of_keras_leave_moving_statistics_out_and_ours_do_not():
    snapshots = Snapshots()
    model = compiled()
    fit(model, 3, [callbacks.SwapWeights(), snapshots])
    assert len(model.get_weights()) == 8
    for ours, expected in zip(
        model.get_weights(), averaged(snapshots.taken), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)

    theirs, snapshots = network(), Snapshots()
    inner = keras.optimizers.SGD(0.1, momentum=0.5, use_ema=True, ema_momentum=0.7)
    theirs.compile(inner, "mse", jit_compile=True)
    fit(theirs, 3, [snapshots])
    last = snapshots.taken[-1]
    equal = [np.array_equal(*w) for w in zip(theirs.get_weights(), last, strict=True)]
    assert sum(equal) == 2  # the moving mean and variance of the raw weights
    statistics = [4, 5]
    assert [k for k, same in enumerate(equal) if same] == statistics


def test_training_is_that_of_the_optimizer_inside_bit_for_bit():
    plain, ours = Snapshots(), Snapshots()
    fit(compiled(keras.optimizers.SGD(0.1, momentum=0.5)), 3, [plain])
    fit(compiled(), 3, [callbacks.SwapWeights(), ours], validation_data=(X, Y))
    for first, second in zip(plain.taken, ours.taken, strict=True):
        for x, y in zip(first, second, strict=True):
            np.testing.assert_array_equal(x, y)


def test_validation_evaluation_and_prediction_see_the_averages():
    hook = callbacks.SwapWeights()
    model = compiled()
    history = fit(model, 2, [hook], validation_data=(X, Y))
    assert model.optimizer.averaged
    loss = model.evaluate(X, Y, verbose=0)
    assert loss == pytest.approx(history["val_loss"][-1], rel=1e-5)
    model.optimizer.swap()
    raw = model.evaluate(X, Y, verbose=0)
    assert raw != pytest.approx(loss, rel=1e-3)
    assert model.evaluate(X, Y, verbose=0, callbacks=[hook]) == pytest.approx(loss)
    predicted = model.predict(X, verbose=0, callbacks=[hook])
    assert not model.optimizer.averaged
    assert np.mean((predicted - Y) ** 2) == pytest.approx(loss, rel=1e-5)


def test_what_is_saved_after_an_epoch_holds_the_averages(tmp_path):
    model = compiled()
    save = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
    history = fit(model, 2, [callbacks.SwapWeights(), save], validation_data=(X, Y))
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.averaged
    loss = loaded.evaluate(X, Y, verbose=0)
    assert loss == pytest.approx(history["val_loss"][-1], rel=1e-5)


@pytest.mark.slow
def test_a_model_that_was_saved_goes_on_bit_for_bit(tmp_path):
    model = compiled()
    fit(model, 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        fit(each)
    ours = [*model.weights, *model.optimizer.variables]
    theirs = [*loaded.weights, *loaded.optimizer.variables]
    assert len(model.optimizer.statistic_slots) == 2
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (x, y)))


def test_statistics_wait_for_a_model_that_is_attached(tmp_path):
    model = compiled()
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"call `perfkit\.optimizers\.attach\(model\)"):
        loaded.optimizer.swap()
    optimizers.attach(loaded)
    loaded.optimizer.swap()
    assert not loaded.optimizer.averaged


def test_an_average_begins_where_it_is_told_to():
    snapshots = Snapshots()
    model = compiled(averaging(decay=1.0, warm_up=1.0, start=4, every=4))
    fit(model, 4, [callbacks.SwapWeights(), snapshots])
    expected = np.mean([s[0] for s in snapshots.taken[7::4]], axis=0)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5, atol=1e-6)
    expected = np.mean([s[4] for s in snapshots.taken[7::4]], axis=0)
    np.testing.assert_allclose(model.get_weights()[4], expected, rtol=1e-4, atol=1e-5)


def test_statistics_can_be_those_of_data_under_the_averages():
    model = compiled()
    hook = callbacks.SwapWeights(recalibrate=[X[:12], (X[12:], Y[12:])])
    fit(model, 2, [hook], validation_data=(X, Y))
    kernel, bias = model.get_weights()[:2]
    hidden = X.astype("float64") @ kernel + bias
    mean, variance = model.get_weights()[4:6]
    np.testing.assert_allclose(mean, hidden.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variance, hidden.var(axis=0), rtol=1e-4)


@pytest.mark.slow
def test_statistics_of_data_leave_training_as_it_was():
    plain, ours = Snapshots(), Snapshots()
    fit(compiled(), 3, [callbacks.SwapWeights(), plain])
    hook = callbacks.SwapWeights(recalibrate=[X])
    fit(compiled(), 3, [hook, ours], validation_data=(X, Y))
    for first, second in zip(plain.taken, ours.taken, strict=True):
        for x, y in zip(first, second, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.slow
def test_schedule_free_training_is_as_it_was_between_validations():
    plain, ours = Snapshots(), Snapshots()
    fit(compiled(optimizers.ScheduleFreeSGD(0.1)), 3, [plain])
    hook = callbacks.SwapWeights(recalibrate=[X])
    fit(compiled(optimizers.ScheduleFreeSGD(0.1)), 3, [hook, ours])
    for first, second in zip(plain.taken, ours.taken, strict=True):
        for x, y in zip(first, second, strict=True):
            np.testing.assert_array_equal(x, y)


def test_averages_without_statistics_of_their_own_are_warned_of():
    with pytest.warns(UserWarning, match="Give `recalibrate=` some batches"):
        fit(compiled(optimizers.ScheduleFreeSGD(0.1)), 1)


def test_recalibration_gives_back_momenta_seeds_and_frozen_weights():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dropout(0.5, seed=1),
            keras.layers.BatchNormalization(momentum=0.9),
        ]
    )
    seeds = [np.array(v) for v in model.layers[0].variables]
    batch_norm.recalibrate(model, [X])
    assert model.layers[1].momentum == 0.9
    for before, now in zip(seeds, model.layers[0].variables, strict=True):
        np.testing.assert_array_equal(before, np.array(now))
    with pytest.raises(ValueError, match="at least one batch"):
        batch_norm.recalibrate(model, [])
    assert model.layers[1].momentum == 0.9


@pytest.mark.parametrize(
    ("recalibrate", "message"),
    [
        (3, "batches"),
        ((x for x in [X]), "no generator"),
        (X, "list of batches"),
        ((X, Y), "list of"),
    ],
)
def test_data_that_cannot_be_had_again_are_refused(recalibrate, message):
    with pytest.raises(ValueError, match=message):
        callbacks.SwapWeights(recalibrate=recalibrate)


def test_swapping_needs_an_optimizer_that_averages():
    with pytest.raises(ValueError, match="needs an optimizer that averages"):
        fit(compiled("sgd"))


def test_a_model_without_statistics_needs_nothing_else():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(averaging(), "mse")
    model.fit(X, Y, verbose=0)
    trained = model.get_weights()
    model.optimizer.swap()
    model.optimizer.swap()
    for x, y in zip(trained, model.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.slow
def test_inside_of_a_loss_that_is_scaled_averages_are_found():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled()
        fit(model, 2, validation_data=(X, Y))
        assert model.optimizer.inner_optimizer.averaged
    finally:
        keras.config.set_dtype_policy(policy)


@pytest.mark.slow
def test_sharpness_and_averages_go_together():
    """Averaged statistics are those that the model keeps, of the first gradient."""
    inner = optimizers.SharpnessAware(keras.optimizers.SGD(0.1), 0.5)
    snapshots = Snapshots()
    model = compiled(optimizers.WeightAverage(inner, 0.7))
    fit(model, 3, [callbacks.SwapWeights(), snapshots])
    for ours, expected in zip(
        model.get_weights(), averaged(snapshots.taken), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_before_the_first_step_the_averages_are_the_weights():
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    before = model.get_weights()
    model.optimizer.swap()
    for x, y in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.slow
def test_statistics_that_are_averaged_later_begin_where_they_are():
    model = compiled()
    fit(model, 2, [])
    before = model.get_weights()[5]
    fit(model)
    after = model.get_weights()[5]
    model.optimizer.swap()
    trained = model.get_weights()[5]
    low, high = np.minimum(before, trained), np.maximum(before, trained)
    assert (after >= 0.8 * low).all()
    assert (after <= 1.2 * high).all()


@pytest.mark.parametrize("first", [None, [X]])
@pytest.mark.parametrize("second", [None, [X]])
@pytest.mark.slow
def test_statistics_may_be_averaged_now_and_of_data_then(first, second, tmp_path):
    model = compiled()
    fit(model, 2, [callbacks.SwapWeights(recalibrate=first)])
    model.save(tmp_path / "model.keras")
    for each in (model, keras.models.load_model(tmp_path / "model.keras")):
        fit(each, 1, [callbacks.SwapWeights(recalibrate=second)])
        assert each.optimizer.averaged
        if second:
            kernel, bias = each.get_weights()[:2]
            mean = (X @ kernel + bias).mean(axis=0)
            np.testing.assert_allclose(
                each.get_weights()[4], mean, rtol=1e-3, atol=1e-4
            )


def test_a_model_that_is_compiled_again_stays_attached():
    model = compiled()
    optimizers.attach(model)
    model.compile(averaging(), "mse", jit_compile=True)
    fit(model, 1, [])
    assert len(model.optimizer.watched) == 2


def test_a_second_fit_traces_nothing_again():
    traces = []

    class Counting(keras.layers.Layer):
        def call(self, inputs):
            traces.append(1)
            return inputs

    model = keras.Sequential([keras.Input((3,)), Counting(), keras.layers.Dense(1)])
    model.compile(averaging(), "mse", jit_compile=True)
    fit(model)
    before = len(traces)
    fit(model)
    assert len(traces) == before


def test_an_average_that_would_never_move_is_refused():
    with pytest.raises(ValueError, match="would stay the first"):
        optimizers.WeightAverage("sgd", 1.0, warm_up=None)


def test_averages_of_half_precision_are_kept_in_full():
    variable = keras.Variable([1.0], dtype="bfloat16")
    wrapped = averaging(decay=0.999, warm_up=None)
    wrapped.build([variable])
    wrapped.steps.assign(1)
    wrapped.count.assign(1)
    wrapped.averages[0].assign([1.0])
    variable.assign([2.0])
    for _ in range(100):
        wrapped.apply([keras.ops.zeros((1,), "bfloat16")], [variable])
    (average,) = wrapped.averages[0].numpy()
    assert average == pytest.approx(2 - 0.999**100, abs=1e-3)


def test_an_optimizer_is_found_inside_of_others():
    inner = optimizers.LayerwiseRates("adam", {"kernel": 0.5})
    model = compiled(
        keras.optimizers.LossScaleOptimizer(optimizers.WeightAverage(inner))
    )
    assert optimizers.find(model, optimizers.LayerwiseRates) is inner
    with pytest.raises(ValueError, match="WeightAverage, LayerwiseRates, Adam"):
        optimizers.find(model, optimizers.Lookahead)
