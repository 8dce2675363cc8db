"""Export to TFLite, float and int8, and the runner of such files."""

import gzip
import itertools
import os
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from perfkit import augment, compress
from perfkit.compress import _calibration, _converter, _quiet

DATA = Path(__file__).parents[1] / "examples" / "data" / "fashion_mnist_10k.npz"
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
about_the_converter = pytest.mark.skipif(
    not ON_TENSORFLOW, reason="the second process does what is tested on TensorFlow"
)


@pytest.fixture(scope="module")
def images():
    with np.load(DATA) as file:
        train = file["train_images"][:1500], file["train_labels"][:1500]
        test = file["test_images"][:500]
    scaled = [x[..., None].astype("float32") / 255 for x in (train[0], test)]
    return scaled[0], train[1].astype("int32"), scaled[1]


@pytest.fixture(scope="module")
def model(images):
    """A trained depthwise CNN with BatchNorm, ReLU, dropout and softmax."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, strides=2, use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.ReLU(),
            layers.Conv2D(64, 1, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(images[0], images[1], batch_size=50, epochs=3, verbose=0)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lite")


@pytest.fixture(scope="module")
def float_report(model, folder):
    return compress.export_tflite(model, folder / "float.tflite")


@pytest.fixture(scope="module")
def int8_report(model, folder, images):
    path = folder / "int8.tflite"
    return compress.export_tflite(model, path, quantization="int8", data=images[0])


def operators(report):
    """Return the operator names of a file, in order, as its runtime states them."""
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        model_content=report.path.read_bytes(), experimental_op_resolver_type=plain
    )
    return [details["op_name"] for details in interpreter._get_ops_details()]


def identity(shape=(4,), dtype="float32"):
    return keras.Sequential(
        [keras.Input(shape, dtype=dtype), keras.layers.Activation("relu")]
    )


# What is written


def test_a_float_file_predicts_what_keras_predicts(model, float_report, images):
    expected = model.predict(images[2], verbose=0)
    given = compress.LiteModel(float_report.path).predict(images[2])
    np.testing.assert_allclose(given, expected, atol=1e-5)
    assert float_report.quantization is None
    assert float_report.input == compress.LiteTensor((1, 28, 28, 1), "float32")
    assert "float32" in float_report.tensor_dtypes


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_batchnorm_and_relu_are_fused_and_dropout_is_gone(kind, request):
    assert operators(request.getfixturevalue(f"{kind}_report")) == [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "CONV_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]


def test_every_tensor_of_an_int8_file_is_an_integer(int8_report):
    interpreter = Interpreter(model_content=int8_report.path.read_bytes())
    dtypes = {np.dtype(d["dtype"]).name for d in interpreter.get_tensor_details()}
    assert dtypes == {"int8", "int32"}
    assert set(int8_report.tensor_dtypes) == {"int8", "int32"}
    assert int8_report.input.dtype == int8_report.output.dtype == "int8"


def test_an_int8_file_is_more_than_three_times_smaller(float_report, int8_report):
    assert float_report.size > 3.3 * int8_report.size


def test_an_int8_file_answers_as_keras_does(model, int8_report, images):
    expected = model.predict(images[2], verbose=0)
    given = compress.LiteModel(int8_report.path).predict(images[2])
    assert np.mean(given.argmax(1) == expected.argmax(1)) >= 0.98
    assert np.abs(given - expected).mean() < 0.01
    assert len(set(expected.argmax(1))) == 10  # agreement is no accident


def test_the_scales_span_what_the_tensors_take(int8_report):
    pixels, probabilities = int8_report.input, int8_report.output
    assert pixels.scale == pytest.approx(1 / 255, rel=1e-4)  # seen: [0, 1]
    assert pixels.zero_point == probabilities.zero_point == -128
    assert probabilities.scale == 1 / 256  # softmax, fixed by the TFLite standard


@about_the_converter
def test_the_scale_follows_the_calibration_data(tmp_path):
    data = np.linspace(-1, 3, 40).reshape(10, 4)
    path = tmp_path / "relu.tflite"
    report = compress.export_tflite(identity(), path, quantization="int8", data=data)
    assert report.input.scale == pytest.approx(4 / 255, rel=1e-4)
    assert report.input.zero_point == round(-128 + 255 / 4)
    given = compress.LiteModel(path).predict(data)
    np.testing.assert_allclose(given, np.maximum(data, 0), atol=4 / 255)


@about_the_converter
def test_a_float_interface_quantizes_inside(model, folder, images, int8_report):
    report = compress.export_tflite(
        model,
        folder / "interface.tflite",
        quantization="int8",
        data=images[0],
        float_interface=True,
    )
    assert report.tensor_dtypes["float32"] == 2
    assert operators(report) == ["QUANTIZE", *operators(int8_report), "DEQUANTIZE"]
    np.testing.assert_array_equal(
        compress.LiteModel(report.path).predict(images[2][:50]),
        compress.LiteModel(int8_report.path).predict(images[2][:50]),
    )


def test_the_report_tells_what_lies_on_the_disk(int8_report):
    content = int8_report.path.read_bytes()
    assert int8_report.size == len(content)
    assert int8_report.gzip_size == len(gzip.compress(content))
    text = str(int8_report)
    for part in ("int8.tflite", f"{len(content):,} bytes", "zero point -128", "int32"):
        assert part in text


def test_a_functional_model_with_augmentation_inside_is_written(tmp_path, images):
    inputs = keras.Input((28, 28, 1))
    x = augment.Pipeline([augment.RandomTranslation(0.5, 0.5)])(inputs)
    x = keras.layers.Conv2D(4, 5, strides=4, activation="relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    report = compress.export_tflite(model, tmp_path / "functional.tflite")
    given = compress.LiteModel(report.path).predict(images[2][:20])
    expected = model.predict(images[2][:20], verbose=0)
    np.testing.assert_allclose(given, expected, atol=1e-5)
    assert operators(report)[:2] == ["CONV_2D", "RESHAPE"]


@keras.saving.register_keras_serializable(package="test_compress")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2.0 * x


def test_a_custom_layer_of_an_own_module_is_written(tmp_path):
    model = keras.Sequential([keras.Input((4,)), Doubled()])
    report = compress.export_tflite(model, tmp_path / "doubled.tflite")
    given = compress.LiteModel(report.path).predict(np.ones((2, 4)))
    np.testing.assert_array_equal(given, np.full((2, 4), 2.0))


@pytest.mark.skipif(ON_TENSORFLOW, reason="needs no second process")
def test_a_second_process_that_fails_says_why_and_what_to_do(tmp_path):
    class Unknown(Doubled):
        pass

    model = keras.Sequential([keras.Input((4,)), Unknown()])
    with pytest.raises(RuntimeError, match=r"KERAS_BACKEND=tensorflow.*Unknown"):
        compress.export_tflite(model, tmp_path / "unknown.tflite")


# What is refused

ROWS = np.zeros((5, 4))


def two_inputs():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    return keras.Model(inputs, keras.layers.Add()(inputs))


def two_outputs():
    inputs = keras.Input((4,))
    return keras.Model(inputs, [keras.layers.ReLU()(inputs)] * 2)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"model": "model.keras"}, "of type Model. Received: model='model.keras'"),
        ({"model": keras.Sequential([keras.layers.ReLU()])}, "a built Sequential or"),
        ({"model": identity((None, 4))}, "one input of known sizes"),
        ({"model": two_inputs()}, "one input of known sizes"),
        ({"model": two_outputs()}, "one output"),
        ({"path": "model.keras"}, "a file name ending in .tflite"),
        ({"path": "missing/model.tflite"}, "folder; there is no folder missing"),
        ({"path": 3}, "of type str or Path"),
        ({"quantization": "int4"}, "one of ['int8']. Received: quantization='int4'"),
        ({"model": identity(dtype="uint8")}, "begins with a float32 `keras.Input`"),
        ({"data": None}, "some hundred training inputs when quantization='int8'"),
        ({"data": []}, "at least one training input. Received: data=[]"),
        ({"data": np.zeros((0, 4))}, "at least one training input"),
        ({"data": np.zeros((5, 3))}, "of shape (batch, 4), as the model takes them"),
        ({"data": np.zeros((5, 3))}, "Received: data=ndarray of shape (5, 3)"),
        ({"data": [ROWS, np.zeros(3)]}, "Received: data=ndarray of shape (3,)"),
        ({"data": 3}, "an iterable of batches x or (x, y). Received: data=3"),
        ({"data": {"x": ROWS}}, "an iterable of batches x or (x, y)"),
        ({"data": np.full((5, 4), "a")}, "numbers"),
        ({"data": ROWS * np.nan}, "free of NaN and infinity"),
        ({"samples": 0}, "a whole number of at least 1. Received: samples=0"),
        ({"float_interface": 1}, "True or False. Received: float_interface=1"),
        ({"verbose": "yes"}, "True or False. Received: verbose='yes'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_argument_is_refused(changed, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {
        "model": identity(),
        "path": "model.tflite",
        "quantization": "int8",
        "data": ROWS,
    }
    with pytest.raises((ValueError, TypeError)) as caught:
        compress.export_tflite(**{**arguments, **changed})
    (name,) = changed
    assert str(caught.value).startswith(f"`export_tflite({name}=...)` must be ")
    assert expected in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (keras.layers.LayerNormalization(), r"exist in int8; not so: .*Neg"),
        pytest.param(
            keras.layers.LSTM(4),
            "free of loops for int8; give .* unroll=True",
            marks=about_the_converter,
        ),
    ],
    ids=["float inside", "loop"],
)
def test_a_model_that_cannot_be_int8_is_refused(layer, expected, tmp_path):
    model = keras.Sequential([keras.Input((8, 4)), layer])
    data = np.random.default_rng(0).normal(size=(10, 8, 4))
    path = tmp_path / "model.tflite"
    path.write_text("before")
    with pytest.raises(ValueError, match=expected):
        compress.export_tflite(model, path, quantization="int8", data=data)
    assert path.read_text() == "before"


@pytest.mark.parametrize("change", [{"data": ROWS}, {"float_interface": True}])
def test_what_only_int8_takes_is_refused_without_it(change, tmp_path):
    (name,) = change
    expected = rf"export_tflite\({name}=...\)` must be left out without"
    with pytest.raises(ValueError, match=expected):
        compress.export_tflite(identity(), tmp_path / "model.tflite", **change)


def test_half_precision_is_refused(tmp_path):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, dtype="mixed_float16", name="half")]
    )
    with pytest.raises(ValueError, match=r"a float32 model.*half \(float16\)"):
        compress.export_tflite(model, tmp_path / "model.tflite")


def test_without_tensorflow_the_error_says_what_to_install(tmp_path, monkeypatch):
    model = identity()
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ImportError, match="pip install tensorflow"):
        compress.export_tflite(model, tmp_path / "model.tflite")


# Calibration data


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return ROWS[2 * index : 2 * index + 2] + index, np.zeros(2)


@pytest.mark.parametrize(
    "data",
    [
        np.arange(20.0).reshape(5, 4),
        list(np.arange(20.0).reshape(5, 4)),
        [np.arange(12.0).reshape(3, 4), np.arange(12.0, 20.0).reshape(2, 4)],
        (np.arange(20.0).reshape(5, 4), np.zeros(5)),
        ((x[None], 0) for x in np.arange(20.0).reshape(5, 4)),
        keras.ops.reshape(keras.ops.arange(20.0), (5, 4)),
    ],
    ids=["array", "samples", "batches", "(x, y)", "generator", "tensor"],
)
def test_calibration_takes_data_in_every_usual_form(data):
    collected = _calibration.collect("test", data, (4,), "float32", 300)
    np.testing.assert_array_equal(collected, np.arange(20.0).reshape(5, 4))
    assert collected.dtype == "float32"


def test_calibration_takes_tf_data_and_py_datasets():
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices((ROWS, np.zeros(5))).batch(2)
    assert _calibration.collect("test", dataset, (4,), "float32", 300).shape == (5, 4)
    collected = _calibration.collect("test", Batches(), (4,), "float32", 300)
    np.testing.assert_array_equal(collected[:, 0], [0, 0, 1, 1])


def test_calibration_stops_at_the_number_of_samples():
    endless = (np.full((4, 1), i) for i in itertools.count())
    collected = _calibration.collect("test", endless, (1,), "float32", 6)
    np.testing.assert_array_equal(collected[:, 0], [0, 0, 0, 0, 1, 1])


def test_calibration_spreads_over_a_sorted_array():
    rows = np.arange(101.0)[:, None]
    collected = _calibration.collect("test", rows, (1,), "float32", 5)
    np.testing.assert_array_equal(collected[:, 0], [0, 25, 50, 75, 100])


def test_a_long_calibration_shows_a_bar_unless_silenced():
    assert _converter.progress(ROWS, None) is ROWS
    bar = _converter.progress(ROWS, sys.stdout)
    assert type(bar).__name__ == "tqdm"
    np.testing.assert_array_equal(list(bar), ROWS)


# Noise


def test_chatter_is_dropped_and_everything_else_passes(capfd):
    with _quiet.quiet() as live:
        os.write(2, b"W0000 00:00:17 5258 flatbuffer.cc:36] Ignored\nreal trouble\n")
        print("progress", file=live)
    error = capfd.readouterr().err.splitlines()
    assert sorted(error) == ["progress", "real trouble"]


def test_an_export_prints_nothing(tmp_path, capfd):
    path = tmp_path / "relu.tflite"
    compress.export_tflite(identity(), path, quantization="int8", data=ROWS + 1)
    compress.LiteModel(path)
    assert capfd.readouterr() == ("", "")


# The runner


def test_quantize_rounds_saturates_and_inverts():
    tensor = compress.LiteTensor((1, 5), "uint8", scale=0.5, zero_point=10)
    real = np.array([[-100.0, -5.0, 0.3, 0.5, 1000.0]])
    q = tensor.quantize(real)
    np.testing.assert_array_equal(q, [[0, 0, 11, 11, 255]])
    assert q.dtype == "uint8"
    np.testing.assert_array_equal(tensor.dequantize(q), [[-5, -5, 0.5, 0.5, 122.5]])


def test_tensorflow_runs_the_file_where_litert_is_missing(
    float_report, images, monkeypatch
):
    expected = compress.LiteModel(float_report.path).predict(images[2][:5])
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    lite = compress.LiteModel(float_report.path)  # a warning would be an error here
    assert type(lite._interpreter).__module__.startswith("tensorflow")
    np.testing.assert_allclose(lite.predict(images[2][:5]), expected, atol=1e-6)


def test_without_a_runtime_the_error_names_the_extra(float_report, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ImportError, match=r"pip install perfkit\[compress\]"):
        compress.LiteModel(float_report.path)


def test_latency_is_the_median_of_the_timed_runs_in_milliseconds(
    float_report, monkeypatch
):
    lite = compress.LiteModel(float_report.path)
    assert 0 < lite.latency(runs=5, warm_up=1) < 1000
    seconds = [50.0, 60.0, 1.0, 9.0, 2.0]  # two of warm-up, three timed
    ticks = itertools.chain.from_iterable((0.0, s) for s in seconds)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    assert lite.latency(runs=3, warm_up=2) == 2000.0


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda p: compress.LiteModel(p.with_name("no.tflite")), "LiteModel(path=...)"),
        (lambda p: compress.LiteModel(__file__), "a TFLite file"),
        (lambda p: compress.LiteModel(p, threads=0), "LiteModel(threads=...)"),
        (
            lambda p: compress.LiteModel(p).predict(np.zeros((28, 28, 1))),
            "of shape (batch, 28, 28, 1). Received: x=ndarray of shape (28, 28, 1)",
        ),
        (
            lambda p: compress.LiteModel(p).latency(runs=0),
            "LiteModel.latency(runs=...)",
        ),
        (
            lambda p: compress.LiteModel(p).latency(warm_up=-1),
            "LiteModel.latency(warm_up=...)",
        ),
    ],
    ids=["missing", "foreign", "threads", "shape", "runs", "warm_up"],
)
def test_the_runner_refuses_wrong_arguments(call, expected, float_report):
    with pytest.raises(ValueError, match="must be") as caught:
        call(float_report.path)
    assert expected in str(caught.value)
