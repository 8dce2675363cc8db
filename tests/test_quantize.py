"""Models that are quantized without training, and their files."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from perfkit import compress
from tests.support import networks
from tests.support.compressing import (
    about_the_file,
    quantized,
    ranges,
    reparameterized,
    sqnr,
    value,
)

layers = keras.layers
pytestmark = pytest.mark.usefixtures("seeded")


@pytest.mark.parametrize("make", networks.ALL)
def test_eight_bits_are_nearly_the_model_itself(make):
    model, x = networks.stirred(make()), networks.images(64)
    small = quantized(model, x)
    for expected, found in zip(
        networks.outputs(model, x), networks.outputs(small, x), strict=True
    ):
        assert 25.0 < sqnr(expected, found) < 80.0


@about_the_file
@pytest.mark.parametrize("make", networks.SINGLE)
def test_a_file_of_integers_returns_what_the_model_does(make, tmp_path):
    model, x = networks.stirred(make()), networks.images(64)
    small = quantized(model, x)
    report = compress.export_tflite(small, tmp_path / "small.tflite")
    assert set(report.tensor_dtypes) <= {"int8", "int32"}
    assert report.quantization == "int8"
    (expected,) = networks.outputs(small, x)
    found = compress.LiteModel(report.path).predict(x)
    (exact,) = networks.outputs(model, x)
    assert sqnr(exact, found) > 25.0
    step = report.output.scale
    assert np.abs(found - expected).max() < 10 * step
    assert np.abs(found - expected).mean() < 2 * step


@about_the_file
def test_ranges_of_the_file_are_those_of_the_model(tmp_path):
    model, x = networks.stirred(networks.residual()), networks.images(32)
    small = quantized(model, x)
    report = compress.export_tflite(small, tmp_path / "small.tflite")
    (first,) = [r for name, r in ranges(small).items() if name.startswith("input")]
    assert report.input.scale == pytest.approx((first[1] - first[0]) / 255, rel=0.01)
    assert first == pytest.approx((x.min(), x.max()))
    last = ranges(small)["last_range"]
    assert report.output.scale == pytest.approx((last[1] - last[0]) / 255, rel=0.01)


@about_the_file
def test_weights_of_the_file_are_those_of_the_model(tmp_path):
    model, x = networks.stirred(networks.residual()), networks.images(32)
    small = quantized(model, x)
    report = compress.export_tflite(small, tmp_path / "small.tflite")
    lite = Interpreter(model_content=report.path.read_bytes())
    lite.allocate_tensors()
    found = []
    for details in lite.get_tensor_details():
        scales = details["quantization_parameters"]["scales"]
        if details["dtype"] == np.int8 and len(scales) > 1:
            shape = [1] * len(details["shape"])
            axis = details["quantization_parameters"]["quantized_dimension"]
            shape[axis] = len(scales)
            values = lite.get_tensor(details["index"]) * scales.reshape(shape)
            found.append(np.sort(values.ravel()))
    for wrapper in reparameterized(small):
        kernel = np.sort(np.ravel(value(wrapper.kernel)))
        same = [v for v in found if v.shape == kernel.shape]
        assert any(np.abs(v - kernel).max() < 1e-6 for v in same), wrapper.name


# Ranges


def test_minmax_holds_all_values():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="dense")])
    model.set_weights([np.eye(2), np.array([0.5, 0.0])])
    x = np.array([[-3.0, 1.0], [2.0, 7.0]])
    found = ranges(quantized(model, x))
    assert found["input_1_range"] == (-3.0, 7.0)
    assert found["dense_range"] == (-2.5, 7.0)


def test_a_moving_mean_follows_the_batches():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    data = [np.full((4, 1), value) for value in (1.0, 2.0, -1.0)]
    x = np.concatenate(data)
    found = ranges(quantized(model, np.repeat(x, 8, axis=0), calibration="ema"))
    # Three batches of 32: 1, 2, -1, with a momentum of 0.9.
    high = 0.9 * (0.9 * 1.0 + 0.1 * 2.0) - 0.1
    assert found["input_1_range"] == pytest.approx((0.0, high))


@pytest.mark.parametrize("kind", ["percentile", "kl"])
def test_outliers_are_left_out(kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 64)).astype("float32")
    x[7, 3] = 300.0
    model = keras.Sequential([keras.Input((64,)), layers.Dense(4)])
    options = {"percentile": 99.9} if kind == "percentile" else {}
    low, high = ranges(quantized(model, x, calibration=kind, **options))[
        "input_1_range"
    ]
    assert 2.0 < high < 100.0
    assert -100.0 < low < -2.0
    widest = ranges(quantized(model, x))["input_1_range"]
    assert widest[1] == 300.0


def test_the_least_squared_error_leaves_out_what_costs_more_than_it_brings():
    # One value of a million: that it is held makes the steps of all others long.
    x = np.random.default_rng(0).normal(size=(300, 4096)).astype("float32")
    x[7, 3] = 30.0
    model = keras.Sequential([keras.Input((4096,)), layers.Dense(4)])
    (expected,) = networks.outputs(model, x)
    noise = {}
    for kind in ("minmax", "mse"):
        small = quantized(model, x, calibration=kind, corrected=False)
        (found,) = networks.outputs(small, x)
        noise[kind] = sqnr(expected, found)
    low, high = ranges(small)["input_1_range"]
    assert 5.0 < high < 15.0
    assert -5.0 < low < -3.0
    assert noise["mse"] > noise["minmax"] + 2.0


def test_without_data_ranges_come_from_batch_normalization():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(16, 3, use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv2D(4, 1, name="last"),
        ]
    )
    model.get_layer("norm").set_weights(
        [np.full(16, 2.0), np.full(16, 1.0), np.zeros(16), np.ones(16)]
    )
    found = ranges(quantized(model, value_range=(-2, 2)))
    assert found["input_1_range"] == (-2.0, 2.0)
    assert found["relu_range"] == pytest.approx((0.0, 1.0 + 6 * 2.0))
    kernel, bias = model.get_layer("last").get_weights()
    grid = np.random.default_rng(0).normal(1.0, 2.0, (200_000, 16)).clip(0.0)
    made = grid @ kernel[0, 0] + bias
    expected = made.mean(axis=0) + 6 * made.std(axis=0)
    assert found["last_range"][1] == pytest.approx(expected.max(), rel=0.05)


def test_without_data_something_has_to_know_the_ranges():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="has no BatchNormalization"):
        quantized(model, value_range=(0, 1))
    with pytest.raises(
        ValueError, match=r"data=...\)` must be some hundred inputs, or left out"
    ):
        quantized(networks.plain())
    with pytest.raises(ValueError, match=r"data=...\)` must be given for this"):
        quantized(networks.plain(), calibration="mse", value_range=(0, 1))
    with pytest.raises(ValueError, match="left out where data are given"):
        quantized(networks.plain(), networks.images(), value_range=(0, 1))


def test_corrected_biases_make_up_for_what_rounding_moves():
    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((64,)), layers.Dense(8)])
    x = rng.uniform(0.0, 1.0, (300, 64)).astype("float32")  # of a mean that is not 0
    (expected,) = networks.outputs(model, x)

    def shift(**options):
        (found,) = networks.outputs(quantized(model, x, bits=4, **options), x)
        return np.abs((found - expected).mean(axis=0)).max()

    assert shift(corrected=False) > 0.05
    assert shift(corrected=True) < 0.01


def test_without_data_biases_are_corrected_by_what_is_known():
    model = networks.stirred(
        keras.Sequential(
            [
                keras.Input((4, 4, 3)),
                layers.Conv2D(32, 1, use_bias=False),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.Conv2D(8, 1, name="last"),
            ]
        )
    )
    norm = model.layers[1]
    kernel = value(model.layers[0].kernel)[0, 0]
    x = np.random.default_rng(0).uniform(-1, 1, (4000, 4, 4, 3)).astype("float32")
    made = x.reshape(-1, 3) @ kernel
    norm.moving_mean.assign(made.mean(axis=0))
    norm.moving_variance.assign(made.var(axis=0))
    (expected,) = networks.outputs(model, x)

    def shift(corrected):
        options = {"bits": 4, "value_range": (-1, 1), "corrected": corrected}
        (found,) = networks.outputs(quantized(model, **options), x)
        return np.abs((found - expected).mean(axis=(0, 1, 2))).max()

    assert shift(True) < 0.5 * shift(False)


# What has no integer form


def with_normalization():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, name="conv")(inputs)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(2, name="last")(x))


@about_the_file
def test_a_layer_without_integers_is_named_or_stays_in_float(tmp_path):
    model, x = with_normalization(), networks.images(16)
    with pytest.raises(ValueError, match=r"not so: norm \(LayerNormalization\)"):
        quantized(model, x)
    small = quantized(model, x, strict=False)
    path = tmp_path / "mixed.tflite"
    with pytest.raises(ValueError, match="made of operations that exist in int8"):
        compress.export_tflite(small, path)
    assert not path.exists()
    report = compress.export_tflite(small, path, strict=False)
    assert "float32" in report.tensor_dtypes
    (expected,) = networks.outputs(model, x)
    assert sqnr(expected, compress.LiteModel(path).predict(x)) > 25


@about_the_file
def test_a_model_of_half_precision_becomes_a_file(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, activation="relu", dtype="mixed_float16"),
            layers.Flatten(dtype="mixed_float16"),
            layers.Dense(4, dtype="float32"),
        ]
    )
    x = networks.images(16)
    report = compress.export_tflite(quantized(model, x), tmp_path / "half.tflite")
    (expected,) = networks.outputs(model, x)
    assert sqnr(expected, compress.LiteModel(report.path).predict(x)) > 25


def test_several_inputs_are_calibrated():
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    x = layers.Add()([layers.Dense(4)(left), layers.Dense(4)(right)])
    model = keras.Model({"left": left, "right": right}, x)
    rng = np.random.default_rng(0)
    data = {"left": rng.normal(size=(8, 4)), "right": 5 + rng.normal(size=(8, 4))}
    for given in (data, [data, data], [(data, np.zeros(8))]):
        small = quantized(model, given)
        (expected,), (found,) = (
            networks.outputs(model, data),
            networks.outputs(small, data),
        )
        assert sqnr(expected, found) > 25
    with pytest.raises(ValueError, match="in the structure of the model's inputs"):
        quantized(model, [data["left"]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"calibration": "max"},
        {"percentile": 20},
        {"samples": 0},
        {"bits": 6},
        {"bits": {"nobody": 4}},
        {"per_channel": 1},
        {"corrected": None},
        {"equalized": "yes"},
        {"strict": 0},
    ],
)
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(
        (TypeError, ValueError), match=rf"`quantize\({next(iter(wrong))}="
    ):
        quantized(networks.plain(), networks.images(), **wrong)


def test_data_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"`quantize\(data="):
        quantized(networks.plain(), np.zeros((4, 9, 9, 3)))
    with pytest.raises(ValueError, match="free of NaN"):
        quantized(networks.plain(), np.full((4, 8, 8, 3), np.nan))


def test_a_stripped_model_is_plain_and_rounded():
    model, x = networks.stirred(networks.residual()), networks.images(16)
    small = quantized(model, x)
    plain = compress.strip(small)
    kinds = {type(layer).__module__.split(".")[0] for layer in plain.layers}
    assert kinds == {"keras"}
    for wrapper in reparameterized(small):
        kernel = value(plain.get_layer(wrapper.name).kernel)
        rounded = value(wrapper.kernel)
        np.testing.assert_array_equal(kernel, rounded)


def test_a_quantized_model_is_saved(tmp_path):
    small = quantized(networks.gated(), networks.images(16))
    small.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    x = networks.images()
    ours, theirs = networks.outputs(again, x), networks.outputs(small, x)
    np.testing.assert_array_equal(ours[0], theirs[0])


@about_the_file
@pytest.mark.parametrize("offset", [0.0, -1.0])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_rescaled_inputs_cost_no_operation_where_that_is_exact(
    offset, padding, tmp_path
):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling([1 / 255, 2 / 255, 3 / 255], offset),
            layers.Conv2D(8, 3, padding=padding, name="conv"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )
    x = np.random.default_rng(0).uniform(0, 255, (32, 8, 8, 3)).astype("float32")
    small = quantized(networks.stirred(model), x)
    assert not small.layers[2].layer.trainable
    report = compress.export_tflite(small, tmp_path / "small.tflite")
    found = compress.report(report.path, verbose=False, runs=1)
    operators = found.models[0].operators
    left = "DEPTHWISE_CONV_2D" in operators
    assert left == (offset != 0.0 and padding == "same")
    (expected,) = networks.outputs(model, x)
    assert sqnr(expected, compress.LiteModel(report.path).predict(x)) > 28


@about_the_file
def test_biases_that_are_all_the_same_are_those_of_the_file(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(6, 3)])
    kernel, _ = model.get_weights()
    scales = 10.0 ** np.linspace(-1, 1, 6)
    model.set_weights([kernel * scales, np.full(6, -4.6)])
    x = networks.images(16)
    small = quantized(model, x, corrected=False)
    report = compress.export_tflite(small, tmp_path / "small.tflite")
    (expected,) = networks.outputs(model, x)
    found = compress.LiteModel(report.path).predict(x)
    assert np.abs(found - expected).mean(axis=(0, 1, 2)).max() < report.output.scale


def test_a_model_of_bytes_is_refused():
    model = keras.Sequential(
        [keras.Input((4, 4, 3), dtype="uint8"), layers.Rescaling(1 / 255)]
    )
    with pytest.raises(ValueError, match="begins with a float32"):
        quantized(model, np.zeros((4, 4, 4, 3), "uint8"))
    with pytest.raises(ValueError, match="begins with a float32"):
        compress.quantize_aware(model)


def test_layers_of_perfkit_that_drop_are_no_hindrance():
    from perfkit import layers as ours

    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 1, name="first")(inputs)
    x = layers.Add()([x, ours.DropPath(0.5)(layers.Conv2D(16, 1)(x))])
    x = layers.GlobalAveragePooling2D()(ours.DropBlock2D(0.1, 3)(x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    x = networks.images(16)
    fewer = compress.shrink(networks.stirred(model), verbose=False)
    small = quantized(fewer, x)
    assert small.get_layer("first").layer.filters == 8
    (expected,), (found,) = networks.outputs(fewer, x), networks.outputs(small, x)
    assert sqnr(expected, found) > 25
