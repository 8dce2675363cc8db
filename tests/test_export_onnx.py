"""ONNX files, against onnxruntime; and what is said where its packages are missing."""

import gzip
import sys

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.compress import _files
from tests.support import networks

layers = keras.layers
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
CONVERTER = "tf2onnx" if ON_TENSORFLOW else "jax2onnx"


@pytest.fixture
def onnxruntime():
    """The runtime, where everything that writes ONNX is installed too."""
    pytest.importorskip("onnx")
    pytest.importorskip(CONVERTER)
    return pytest.importorskip("onnxruntime")


@pytest.fixture
def no_packages(monkeypatch):
    """As if what writes ONNX were installed, for what is refused before."""
    for name in ("onnx", CONVERTER):
        monkeypatch.setitem(sys.modules, name, sys)


def dense():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3)])


def with_several_ends():
    first, second = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    both = layers.Concatenate()([layers.Dense(5)(first), second])
    ends = {"wide": both, "narrow": layers.Dense(2)(both)}
    return keras.Model({"first": first, "second": second}, ends)


def nested():
    inner = networks.stirred(networks.residual())
    return keras.Sequential([keras.Input((8, 8, 3)), inner, layers.Softmax()])


def recurrent():
    return keras.Sequential([keras.Input((6, 4)), layers.LSTM(5)])


def of_integers():
    kinds = keras.Input((7,), dtype="int32")
    table = layers.Embedding(3, 4, "glorot_normal")
    return keras.Model(kinds, table(kinds))


def augmented():
    """Whose augmentation would change each image, were it in training."""
    turn = layers.RandomRotation((0.25, 0.25), seed=0)
    return keras.Sequential([keras.Input((8, 8, 3)), turn, layers.Conv2D(2, 3)])


def heavy():
    """With more than jax2onnx puts into one file."""
    wide = layers.Dense(700, kernel_initializer="glorot_normal")
    return keras.Sequential([keras.Input((400,)), wide, layers.Dense(2)])


@pytest.mark.parametrize(
    "make",
    [
        networks.plain,
        networks.residual,
        with_several_ends,
        nested,
        recurrent,
        of_integers,
        augmented,
        heavy,
    ],
)
def test_the_file_returns_what_keras_does(make, tmp_path, onnxruntime):
    model = networks.stirred(make())
    report = compress.export_onnx(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == [report.path]
    rng = np.random.default_rng(0)
    arrays = [
        rng.uniform(0, 3, (3, *x.shape[1:])).astype(x.dtype) for x in model.inputs
    ]
    session = onnxruntime.InferenceSession(report.path)
    assert [x.name for x in session.get_inputs()] == list(report.inputs)
    assert [x.name for x in session.get_outputs()] == list(report.outputs)
    found = session.run(None, dict(zip(report.inputs, arrays, strict=True)))
    taken = arrays[0]
    if not isinstance(model, keras.Sequential):
        taken = keras.tree.pack_sequence_as(model.input, arrays)
    expected = keras.tree.flatten(model(taken, training=False))
    for mine, theirs in zip(found, expected, strict=True):
        theirs = keras.ops.convert_to_numpy(theirs)
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)
        assert np.ptp(theirs) > 0.1  # agreement is no accident


def test_the_report_tells_what_lies_on_the_disk(tmp_path, onnxruntime):
    onnx = pytest.importorskip("onnx")
    report = compress.export_onnx(with_several_ends(), str(tmp_path / "ends.onnx"))
    content = report.path.read_bytes()
    assert report.size == len(content)
    assert report.gzip_size == len(gzip.compress(content))
    proto = onnx.load_from_string(content)
    onnx.checker.check_model(proto, full_check=True)
    assert report.opset == {x.domain: x.version for x in proto.opset_import}[""]
    assert report.inputs == {
        "first": "float32 (None, 4)",
        "second": "float32 (None, 3)",
    }
    assert list(report.outputs.values()) == ["float32 (None, 2)", "float32 (None, 8)"]
    for part in ("ends.onnx", f"{len(content):,} bytes", "  input   first: float32 ("):
        assert part in str(report)


def test_a_stripped_model_is_written_with_its_rounded_kernels(tmp_path, onnxruntime):
    model, x = networks.stirred(networks.plain()), networks.images(8)
    plain = compress.strip(compress.quantize(model, x, bits=4, verbose=False))
    report = compress.export_onnx(plain, tmp_path / "plain.onnx")
    session = onnxruntime.InferenceSession(report.path)
    (found,) = session.run(None, dict(zip(report.inputs, [x], strict=True)))
    (expected,) = networks.outputs(plain, x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="jax2onnx writes it")
def test_for_exact_gelu_the_error_says_what_to_use_instead(tmp_path, onnxruntime):
    exact = layers.Dense(3, activation="gelu")
    model = keras.Sequential([keras.Input((4,)), exact])
    with pytest.raises(ValueError, match=r"Erfc.*approximate=True"):
        compress.export_onnx(model, tmp_path / "model.onnx")


def test_an_operation_that_cannot_be_written_is_named(
    tmp_path, onnxruntime, capfd, caplog
):
    inputs = keras.Input((8,))
    real, _ = keras.ops.fft((inputs, inputs))
    path = tmp_path / "model.onnx"
    path.write_text("before")
    with pytest.raises(ValueError, match=r"as ONNX\. It says: .*(Complex|complex64)"):
        compress.export_onnx(keras.Model(inputs, real), path)
    assert path.read_text() == "before"
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


# What is refused, with or without the packages


@keras.saving.register_keras_serializable(package="test_export_onnx")
class Subclassed(keras.Model):
    def call(self, x):
        return x


def half():
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(2, dtype="mixed_float16", name="half")]
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"model": "model.keras"}, "of type Model. Received: model='model.keras'"),
        ({"model": keras.Sequential([layers.ReLU()])}, "a built Sequential or Functi"),
        ({"model": Subclassed()}, "around any other, keras.Model(inputs, outputs)"),
        ({"model": half()}, "compute in another type: half (float16)"),
        ({"model": compress.quantize_aware(dense())}, "plain model: strip(model)"),
        ({"path": "model.keras"}, "a file name ending in .onnx"),
        ({"path": "missing/model.onnx"}, "in an existing folder"),
        ({"path": 3}, "of type str or Path"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_argument_is_refused(
    changed, expected, tmp_path, monkeypatch, no_packages
):
    monkeypatch.chdir(tmp_path)
    arguments = {"model": dense(), "path": "model.onnx"}
    with pytest.raises((ValueError, TypeError)) as caught:
        compress.export_onnx(**{**arguments, **changed})
    (name,) = changed
    assert str(caught.value).startswith(f"`export_onnx({name}=...)` must be ")
    assert expected in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["onnx", CONVERTER])
def test_without_a_package_the_error_names_the_extra(
    missing, tmp_path, monkeypatch, no_packages
):
    monkeypatch.setitem(sys.modules, missing, None)
    extra = "onnx" if missing != "jax2onnx" else "onnx-jax"
    expected = rf"export_onnx` needs {missing}.*'perfkit\[{extra}\]'"
    with pytest.raises(ImportError, match=expected):
        compress.export_onnx(dense(), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


# Writing


@pytest.mark.parametrize("step", ["write_bytes", "chmod", "replace"])
def test_an_interrupted_write_leaves_what_was_there(step, tmp_path, monkeypatch):
    def interrupted(self, *arguments):
        raise KeyboardInterrupt

    path = tmp_path / "model.onnx"
    path.write_text("before")
    monkeypatch.setattr(type(path), step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        _files.write(path, b"after")
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_text() == "before"


def test_what_is_written_replaces_what_was_there(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("before")
    _files.write(path, b"after")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [
        ("model.onnx", "after")
    ]


def test_a_link_leads_where_it_led_and_a_mode_stays(tmp_path):
    path, link = tmp_path / "model.onnx", tmp_path / "latest.onnx"
    path.write_text("before")
    path.chmod(0o640)
    link.symlink_to(path.name)
    _files.write(link, b"after")
    assert link.is_symlink()
    assert path.read_text() == "after"
    assert path.stat().st_mode & 0o777 == 0o640
