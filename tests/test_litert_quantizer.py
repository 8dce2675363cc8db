"""Int8 files by litert-quantizer, against those of TensorFlow's converter."""

import sys

import keras
import numpy as np
import pytest

from perfkit import compress
from tests.support import networks

layers = keras.layers


@pytest.fixture
def quantizer():
    pytest.importorskip("litert_quantizer")


def exported(model, folder, engine="litert", **options):
    path = folder / f"{engine}.tflite"
    options = {"quantization": "int8", "data": networks.images(64), **options}
    return compress.export_tflite(model, path, engine=engine, **options)


def dense():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3)])


@pytest.mark.parametrize("make", [networks.plain, networks.residual])
def test_the_file_is_all_integers_and_as_good_as_the_converter_s(
    make, tmp_path, quantizer
):
    model, x = networks.stirred(make()), networks.images(64)
    (expected,) = networks.outputs(model, x)
    report = exported(model, tmp_path)
    assert list(tmp_path.iterdir()) == [report.path]
    assert set(report.tensor_dtypes) == {"int8", "int32"}
    assert report.quantization == "int8"
    theirs = exported(model, tmp_path, "tensorflow")
    noise = [
        np.square(compress.LiteModel(each.path).predict(x) - expected).mean()
        for each in (report, theirs)
    ]
    assert noise[0] < 1.3 * noise[1]
    for mine, converted in (
        (report.input, theirs.input),
        (report.output, theirs.output),
    ):
        # Both take the least and the largest value seen.
        assert mine.scale == pytest.approx(converted.scale, rel=1e-4)
        assert mine.zero_point == converted.zero_point


def test_the_scale_spans_the_data_whatever_its_order(tmp_path, quantizer):
    relu = keras.Sequential([keras.Input((4,)), layers.Activation("relu")])
    data = np.linspace(-1, 3, 40).reshape(10, 4)
    for rows in (data, data[::-1]):
        report = exported(relu, tmp_path, data=rows)
        assert report.input.scale == pytest.approx(4 / 255, rel=1e-4)
        assert report.input.zero_point == round(-128 + 255 / 4)


def test_a_float_interface_quantizes_inside(tmp_path, quantizer):
    model, x = networks.stirred(networks.plain()), networks.images(64)
    outside = exported(model, tmp_path)
    expected = compress.LiteModel(outside.path).predict(x)
    report = exported(model, tmp_path, float_interface=True)
    assert report.input.dtype == report.output.dtype == "float32"
    assert report.tensor_dtypes["float32"] == 2
    found = compress.LiteModel(report.path).predict(x)
    np.testing.assert_allclose(found, expected, atol=1.01 * outside.output.scale)
    assert np.mean(found == expected) > 0.99


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.LayerNormalization(), r"exist in int8; not so: .*Neg"),
        (layers.LSTM(4), "free of loops for int8; give .* unroll=True"),
    ],
    ids=["float inside", "loop"],
)
def test_a_model_that_cannot_be_int8_is_refused(layer, expected, tmp_path, quantizer):
    model = keras.Sequential([keras.Input((8, 4)), layer])
    data = np.random.default_rng(0).normal(size=(10, 8, 4))
    with pytest.raises(ValueError, match=expected):
        exported(model, tmp_path, data=data)
    assert list(tmp_path.iterdir()) == []


def test_not_strict_leaves_in_float_what_has_no_integers(tmp_path, quantizer):
    model = keras.Sequential([keras.Input((8, 4)), layers.LayerNormalization()])
    data = np.random.default_rng(0).normal(size=(10, 8, 4))
    report = exported(model, tmp_path, data=data, strict=False)
    assert report.tensor_dtypes["float32"] > 0


def test_what_litert_quantizer_cannot_do_is_its_own_word(
    tmp_path, quantizer, monkeypatch
):
    from litert_quantizer import quantizer as package

    def quantize(self, ranges, **options):
        raise RuntimeError("no such thing\nand pages more")

    monkeypatch.setattr(package.Quantizer, "quantize", quantize)
    with pytest.raises(ValueError, match=r"It says: no such thing\. Received: model="):
        exported(networks.plain(), tmp_path)


def test_a_file_that_no_runtime_takes_is_not_written(tmp_path, quantizer, monkeypatch):
    def refuse(path):
        raise RuntimeError("failed to prepare\nand pages more")

    module = sys.modules["perfkit.compress.export_tflite"]
    monkeypatch.setattr(module, "LiteModel", refuse)
    with pytest.raises(ValueError, match=r"can run\. It says: failed to prepare"):
        exported(networks.plain(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_export_prints_nothing(tmp_path, quantizer, capfd):
    deep = [layers.Dense(4, None, True, "orthogonal") for _ in range(60)]
    model = keras.Sequential([keras.Input((4,)), *deep])  # of so many it shows a bar
    exported(model, tmp_path, data=np.eye(4))
    assert capfd.readouterr() == ("", "")


# What is refused, with or without the package


def test_a_model_with_ranges_needs_no_engine(tmp_path):
    model = compress.quantize_aware(dense())
    model(np.ones((2, 4)), training=True)
    expected = r"\(engine=...\)` must be left out where the model has ranges"
    with pytest.raises(ValueError, match=expected):
        compress.export_tflite(model, tmp_path / "model.tflite", engine="litert")


def test_a_float_file_needs_no_engine(tmp_path):
    expected = r"\(engine=...\)` must be left out without quantization='int8'"
    with pytest.raises(ValueError, match=expected):
        compress.export_tflite(dense(), tmp_path / "model.tflite", engine="litert")


def test_an_unknown_engine_is_refused(tmp_path):
    expected = r"\(engine=...\)` must be one of \['litert', 'tensorflow'\]"
    with pytest.raises(ValueError, match=expected):
        exported(networks.plain(), tmp_path, "tflite")


def test_without_the_package_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "litert_quantizer", None)
    with pytest.raises(ImportError, match=r"litert_quantizer.*'perfkit\[litert\]'"):
        exported(networks.plain(), tmp_path)
    assert list(tmp_path.iterdir()) == []
