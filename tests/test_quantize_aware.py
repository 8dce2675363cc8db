"""Models that train as they will be quantized."""

import keras
import numpy as np
import pytest

from perfkit import compress
from tests.support import networks
from tests.support.compressing import (
    about_the_file,
    fitted,
    labels,
    ranges,
    reparameterized,
    sqnr,
    tinted,
    value,
)

layers = keras.layers
pytestmark = pytest.mark.usefixtures("seeded")


@pytest.mark.parametrize("make", networks.ALL)
def test_each_weight_is_at_the_nearest_step(make):
    aware = compress.quantize_aware(networks.stirred(make()))
    for wrapper in reparameterized(aware):
        kernel = value(wrapper.kernel)
        before = value(wrapper.variable)
        others = tuple(k for k in range(-kernel.ndim, 0) if k not in wrapper.axes)
        step = np.abs(before).max(axis=others, keepdims=True) / 127
        assert (np.abs(kernel - before) <= 0.5001 * step).all()
        np.testing.assert_allclose(kernel / step, np.round(kernel / step), atol=1e-3)


def test_a_range_stands_where_the_file_rounds_and_nowhere_else():
    aware = compress.quantize_aware(networks.residual())
    relus = [layer.name for layer in aware.layers if isinstance(layer, layers.ReLU)]
    norms = [
        layer.name
        for layer in aware.layers
        if isinstance(layer, layers.BatchNormalization)
    ]
    adds = [layer.name for layer in aware.layers if isinstance(layer, layers.Add)]
    pools = [
        layer.name
        for layer in aware.layers
        if isinstance(layer, layers.GlobalAveragePooling2D)
    ]
    expected = ["input_1", *relus, norms[-1], *adds, *pools, "last"]
    assert set(ranges(aware)) == {f"{name}_range" for name in expected}


@pytest.mark.slow
@pytest.mark.parametrize(
    "jit_compile", [pytest.param(False, marks=pytest.mark.slow), True]
)
def test_it_learns_compiled_by_xla_or_not(jit_compile):
    aware, x = compress.quantize_aware(networks.plain()), networks.images(64)
    fitted(aware, x, jit_compile=jit_compile)
    (made,) = networks.outputs(aware, x)
    assert np.mean(made.argmax(axis=1) == labels(x)) > 0.95
    assert all(
        low <= 0.0 <= high and low < high for low, high in ranges(aware).values()
    )


def test_ranges_are_those_of_what_comes_to_them():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(3, name="dense"), layers.ReLU(name="relu")]
    )
    model.set_weights([np.eye(3), np.zeros(3)])
    aware = compress.quantize_aware(model, momentum=0.5)
    for x in ([[-2.0, 0.0, 4.0]], [[-4.0, 0.0, 2.0]]):
        aware(np.array(x), training=True)
    assert ranges(aware) == {
        "input_1_range": (-3.0, 3.0),
        "relu_range": pytest.approx((0.0, 3.0), rel=0.01),
    }


def test_gradients_reach_the_kernels_that_are_kept_in_full():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    aware = compress.quantize_aware(model)
    (wrapper,) = reparameterized(aware)
    before = value(wrapper.variable)
    aware.compile(keras.optimizers.SGD(1e-4), "mse")
    x = np.random.default_rng(0).normal(size=(32, 4))
    aware.fit(x, x.sum(axis=1), verbose=0)
    moved = value(wrapper.variable) - before
    assert (np.abs(moved) > 0).all()
    assert np.abs(moved).max() < np.abs(before).max() / 127  # less than a step


def test_the_model_stays():
    model = networks.stirred(networks.nested())
    before = model.get_weights()
    fitted(compress.quantize_aware(model), networks.images(32), steps=2)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_run_that_is_saved_goes_on_exactly(tmp_path):
    x = networks.images(32)
    aware = compress.quantize_aware(networks.gated())
    fitted(aware, x, steps=2)
    aware.save(tmp_path / "aware.keras")
    again = keras.models.load_model(tmp_path / "aware.keras")
    ours, theirs = networks.outputs(again, x), networks.outputs(aware, x)
    np.testing.assert_array_equal(ours[0], theirs[0])
    for model in (again, aware):
        model.fit(x, labels(x), batch_size=32, shuffle=False, verbose=0)
    for one, other in zip(again.get_weights(), aware.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@about_the_file
@pytest.mark.parametrize(
    ("make", "bits"),
    [
        (networks.residual, 8),
        pytest.param(networks.gated, 8, marks=pytest.mark.slow),
        pytest.param(networks.joined, 8, marks=pytest.mark.slow),
        pytest.param(networks.residual, 4, marks=pytest.mark.slow),
        pytest.param(networks.gated, 4, marks=pytest.mark.slow),
    ],
)
def test_the_file_gives_the_answer_of_the_model_in_99_of_100_cases(
    make, bits, tmp_path
):
    aware = compress.quantize_aware(make(), bits=bits, momentum=0.8)
    fitted(aware, tinted(512), steps=60)
    report = compress.export_tflite(aware, tmp_path / "aware.tflite")
    assert set(report.tensor_dtypes) <= {"int8", "int32"}
    x = tinted(1000, seed=3)
    found = compress.LiteModel(report.path).predict(x)
    (expected,) = networks.outputs(aware, x)
    answers = expected.argmax(axis=1)
    assert np.mean(answers == labels(x)) > 0.85  # it has something to say
    assert np.mean(found.argmax(axis=1) == answers) >= 0.99
    noise = np.square(found - expected).sum() / np.square(expected).sum()
    assert noise < 0.001


def test_a_model_that_saw_nothing_is_not_written(tmp_path):
    aware = compress.quantize_aware(networks.plain())
    path = tmp_path / "aware.tflite"
    with pytest.raises(ValueError, match=r"whose ranges were seen.*input_1_range"):
        compress.export_tflite(aware, path)
    assert not path.exists()
    quantized = compress.quantize(networks.plain(), networks.images(), verbose=False)
    with pytest.raises(ValueError, match="left out where the model has ranges"):
        compress.export_tflite(quantized, path, data=networks.images())


def test_an_interrupted_export_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "small.tflite"
    path.write_bytes(b"before")
    model = compress.quantize(networks.plain(), networks.images(), verbose=False)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("perfkit.compress._converter.convert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compress.export_tflite(model, path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_a_quantized_model_trains_on():
    x = networks.images(64)
    small = compress.quantize(networks.plain(), x, verbose=False)
    first = fitted(small, x, steps=10)
    assert fitted(small, x, steps=10) < first


def test_precision_and_what_is_frozen_go_along():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, activation="relu", dtype="mixed_float16"),
            layers.Flatten(dtype="mixed_float16"),
            layers.Dense(2, dtype="float32", name="last"),
        ]
    )
    model.layers[0].trainable = False
    aware, x = compress.quantize_aware(model), networks.images(32)
    fitted(aware, x, steps=3)
    (found,) = networks.outputs(aware, x)
    (expected,) = networks.outputs(compress.strip(aware), x)
    assert 25.0 < sqnr(expected, found) < 80.0
    trained = {id(variable) for variable in aware.trainable_variables}
    (conv, last) = reparameterized(aware)
    assert id(conv.variable) not in trained
    assert id(last.variable) in trained
    assert conv.layer.compute_dtype == "float16"


@pytest.mark.parametrize(
    "wrong",
    [
        {"bits": 3},
        {"bits": {"x": 8}},
        {"per_channel": 2},
        {"momentum": -1},
        {"strict": 2},
    ],
)
def test_wrong_arguments_are_named(wrong):
    pattern = rf"`quantize_aware\({next(iter(wrong))}="
    with pytest.raises((TypeError, ValueError), match=pattern):
        compress.quantize_aware(networks.plain(), **wrong)


def test_recurrent_layers_are_named_as_having_no_integer_form():
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"lstm\w* \(LSTM\)"):
        compress.quantize_aware(model)
    aware = compress.quantize_aware(model, strict=False)
    x = np.random.default_rng(0).normal(size=(32, 5, 3)).astype("float32")
    aware(x, training=True)
    (expected,), (found,) = networks.outputs(model, x), networks.outputs(aware, x)
    assert 25.0 < sqnr(expected, found) < 80.0


@about_the_file
def test_one_range_for_a_kernel_is_written_too(tmp_path):
    aware = compress.quantize_aware(networks.residual(), per_channel=False)
    x = networks.images(32)
    aware(x, training=True)
    report = compress.export_tflite(aware, tmp_path / "one.tflite")
    assert set(report.tensor_dtypes) <= {"int8", "int32"}
    (expected,) = networks.outputs(aware, x)
    found = compress.LiteModel(report.path).predict(x)
    noise = np.square(found - expected).sum() / np.square(expected).sum()
    assert noise < 0.015
