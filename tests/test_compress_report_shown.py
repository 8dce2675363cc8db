"""Reports: times, how they are shown, and what is refused."""

import json

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.compress.reporting import _timing
from perfkit.graph import latency
from tests.test_compress_report import QUIET, X, Y, net, noisy, rows

layers = keras.layers


def test_speed_ups_are_ratios_of_times_in_turn_on_the_same_runtime(monkeypatch):
    took = np.array([[4.0, 2.0], [6.0, 2.0], [8.0, 8.0], [10.0, 4.0]])

    def measured(calls, runs, *, settling):
        assert (len(calls), runs, settling) == (2, 4, 1)
        for call in calls:
            call()
        return took

    monkeypatch.setattr(_timing, "alternately", measured)
    models = {"a": net(), "b": net()}
    report = compress.report(models, runs=4, lite=False, verbose=False)
    first, second = (model.latency for model in report.models)
    assert (first.median_ms, second.median_ms) == (7.0, 3.0)
    assert first.p90_ms == pytest.approx(np.quantile(took[:, 0], 0.9))
    assert (first.than, first.speed_up) == (None, None)
    ratios = [2.0, 3.0, 1.0, 2.5]
    quartiles = np.quantile(ratios, (0.5, 0.25, 0.75)).tolist()
    assert second.than == "a"
    assert list(second.speed_up) == pytest.approx(quartiles)
    text = str(report)
    assert "2.25 (1.75 to 2.62)" in text
    assert "batch 1" in text
    assert "4 runs, in turn" in text
    assert report.cpu in text


def test_nothing_is_said_of_times_that_were_not_taken():
    report = compress.report({"a": net(), "b": net()}, **QUIET)
    assert all(model.latency is None for model in report.models)
    assert not {"fast", "ms", "Times"} & set(str(report).replace(",", " ").split())


def test_calls_settle_before_they_are_timed():
    order = []
    calls = [lambda: order.append("a"), lambda: order.append("b")]
    took = latency.alternately(calls, 2, settling=1)
    assert took.shape == (2, 2)
    assert order == ["a", "b", *"aabb", *"aabb"]


def test_a_compiled_prediction_has_the_weights_of_then():
    model = net()
    program = latency.compiled(model, lambda batch: model(batch, training=False))
    before = model.predict(X[:2], verbose=0)
    np.testing.assert_allclose(program(X[:2]), before, rtol=1e-4, atol=1e-5)
    model.set_weights([0 * weight for weight in model.get_weights()])
    np.testing.assert_allclose(program(X[:2]), before, rtol=1e-4, atol=1e-5)


# What it looks like


@pytest.fixture(scope="module")
def shown():
    model = net()
    models = {"<b>float</b>": model, "same": model, "noisy": noisy(model)}
    models["same"] = keras.models.clone_model(model)
    models["same"].set_weights(model.get_weights())
    return compress.report(models, data=(X, Y), runs=2, lite=False, verbose=False)


def test_the_dict_is_json_and_holds_what_the_report_holds(shown):
    found = json.loads(json.dumps(shown.to_dict(), allow_nan=False))
    first, same, other = found["models"]
    assert (same["sqnr"], first["sqnr"]) == ("inf", None)
    assert other["sqnr"] == shown["noisy"].sqnr
    assert other["layers"][0]["path"] == "conv"
    assert other["latency"]["median_ms"] == shown["noisy"].latency.median_ms
    assert (found["samples"], found["runs"]) == (40, 2)


def test_the_table_is_aligned_and_names_everything(shown):
    table = str(shown).partition("\n\n")[0].splitlines()
    assert len({len(line) for line in table}) == 1
    for part in ("parameters", "849", "<b>float</b>", "accuracy", "SQNR", "p90"):
        assert part in str(shown)
    text = str(shown["noisy"])
    assert f"{rows(shown['noisy'])['conv'].sqnr:.1f}" in text
    assert "BatchNormalization" in text
    with pytest.raises(KeyError, match="there are"):
        shown["int8"]


@pytest.fixture(scope="module")
def many():
    model = net()
    models = {f"model {number}": noisy(model) for number in range(11)}
    return compress.report({"first": model, **models}, data=(X, Y), **QUIET)


def test_of_many_models_each_is_a_row(many):
    tables, _, _ = str(many).rpartition("\n\n")
    parts = tables.split("\n\n")
    assert len(parts) > 1
    for part in parts:
        lines = part.splitlines()
        assert len(lines) == 2 + 12
        assert lines[2].startswith("first ")
        assert len({len(line) for line in lines}) == 1
        assert len(lines[0]) <= 100
    assert sum(part.count("849") for part in parts) == 12
    assert str(many).count("SQNR of the outputs, dB") == 1


def test_in_a_picture_of_many_models_no_two_look_alike(many):
    (below,) = [x for x in many.show().get_axes() if x.get_legend()]
    looks = {
        (tuple(dots.get_edgecolor()[0]), dots.get_paths()[0].vertices.tobytes())
        for dots in below.collections
    }
    assert len(looks) == 11


def drawn(**compared):
    """Names along the lower plot of models, and its legend.

    Each model has ratios of layers: their names, what they are against, and the ratio.
    """
    counts = {"parameters": 1, "macs": 1, "sparsity": 0.0, "distinct": 1}
    counts |= {"weight_bytes": 1, "weight_gzip_bytes": 1}
    models = []
    for name, layers_of in compared.items():
        rows = [
            compress.LayerReport(path, "CONV_2D", against=against, sqnr=sqnr)
            for path, against, sqnr in layers_of
        ]
        models.append(
            compress.ModelReport(name, ".tflite", layers=tuple(rows), **counts)
        )
    figure = compress.Report(tuple(models), 8, 0, "cpu", "net").show()
    (below,) = [x for x in figure.get_axes() if x.get_title().startswith("SQNR")]
    legend = [text.get_text() for text in below.get_legend().get_texts()]
    return [text.get_text() for text in below.get_xticklabels()], legend, below


def test_layers_of_files_are_drawn_in_order_whatever_their_names():
    a = [("norm", "norm", 40.0), ("add", "add", 41.0), ("head", "head", 42.0)]
    b = [("conv", "norm", 30.0), ("mean", "mean", 31.0), ("head", "head", 32.0)]
    names, legend, axes = drawn(a=a, b=b)
    assert names == ["norm", "add", "mean", "head"]  # of each its order
    assert [path.get_offsets()[:, 0].tolist() for path in axes.collections] == [
        [0.0, 1.0, 3.0],
        [0.0, 2.0, 3.0],
    ]
    assert legend == ["a", "b"]
    names, _, _ = drawn(a=a[1:], b=b[:1] + a[1:])
    assert names == ["conv", "add", "head"]
    names, _, _ = drawn(a=a, b=[("head", "head", 1.0), ("add", "add", 2.0)])
    assert sorted(names) == ["add", "head", "norm"]  # where no order is that of both


def test_a_model_of_which_one_layer_is_compared_is_said_beside_the_lines():
    whole = [("conv", "conv", 40.0), ("head", "head", 42.0)]
    _, legend, axes = drawn(whole=whole, half=[("head", "head", -0.25)])
    assert legend == ["whole", "half: -0.2 at head"]
    assert len(axes.collections) == 1
    _, legend, axes = drawn(half=whole[1:], quarter=whole[1:])
    assert legend == ["half", "quarter"]
    assert len(axes.collections) == 2


def test_a_reference_that_is_among_the_models_has_its_name_there(tmp_path):
    path = tmp_path / "net.keras"
    net().save(path)
    models = {"other": net(), "whole": str(path)}
    found = compress.report(models, data=(X, Y), reference=path, **QUIET)
    assert (found.reference, found["whole"].sqnr) == ("whole", None)


def test_a_low_ratio_has_a_word_of_caution(shown):
    word = "is not meant to return the same numbers"
    assert word not in str(shown)
    model = net()
    models = {"float": model, "other": net()}
    assert word in str(compress.report(models, data=(X, Y), **QUIET))


def test_html_escapes_and_folds_up_layers(shown):
    html = shown._repr_html_()
    assert "&lt;b&gt;float&lt;/b&gt;" in html
    assert "<b>" not in html
    assert "<details><summary>Layers of noisy" in shown["noisy"]._repr_html_()


def test_pictures_have_a_panel_for_each_figure(shown, tmp_path):
    figure = shown.show(tmp_path / "models.png")
    titles = [axes.get_title() for axes in figure.get_axes()]
    assert (tmp_path / "models.png").stat().st_size > 10_000
    assert [title.split()[0] for title in titles] == [
        "SQNR",
        "weights,",
        "accuracy",
        "Keras,",
    ]
    figure = shown["noisy"].show(size=(5, 4))
    assert tuple(figure.get_size_inches()) == (5.0, 4.0)
    titles = [axes.get_title() for axes in figure.get_axes()]
    assert titles == ["weights, bytes", "SQNR, dB"]
    names = [text.get_text() for text in figure.get_axes()[0].get_yticklabels()]
    assert names == ["conv", "norm", "relu", "flat", "head"]


# What is refused

MODEL = net()


def unbuilt():
    return keras.Sequential([layers.Dense(1)])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"models": {}}, "one model or more"),
        ({"models": 3}, "the path of a .keras or .tflite file, or a LiteModel"),
        ({"models": {"a": [MODEL]}}, "a Keras model, the path"),
        ({"models": "no.tflite"}, "a .keras or .tflite file that is there"),
        ({"models": __file__}, "a .keras or .tflite file that is there"),
        ({"models": unbuilt()}, "a built model; call it once"),
        ({"data": (X[:, :4], Y)}, "of shape (batch, 8, 8, 3), as 'net' takes them"),
        ({"data": (X, Y[:3])}, "as many samples of x as of y"),
        ({"data": X[0]}, "not one sample: write x[None], or call .batch()"),
        ({"data": list(zip(X, Y, strict=True))}, "single samples call .batch()"),
        ({"data": (X, Y, Y)}, "without weights of samples"),
        ({"data": (X, Y + 1)}, "labels within [0, 4], as there are 5 outputs"),
        ({"data": (X * np.nan, Y)}, "free of NaN and infinity"),
        ({"data": X[:0]}, "of one sample or more"),
        ({"data": []}, "of one sample or more"),
        ({"data": 3}, "an array x, (x, y), or an iterable"),
        ({"data": [(X, Y), X]}, "batches all with labels or all without"),
        ({"data": None, "metric": max}, "given, with `metric` or `reference`"),
        ({"data": None, "reference": MODEL}, "given, with `metric` or `reference`"),
        ({"data": X, "metric": max}, "a pair (x, y), with `metric`"),
        ({"metric": "accuracy"}, "a function"),
        ({"reference": "no.keras"}, "a .keras or .tflite file that is there"),
        ({"runs": -1}, "a whole number of at least 0"),
        ({"threads": 0}, "a whole number of at least 1"),
        ({"samples": 0}, "a whole number of at least 1"),
        ({"batch_size": 0}, "a whole number of at least 1"),
        ({"lite": 1}, "True or False"),
        ({"verbose": "no"}, "True or False"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(changed, expected):
    arguments = {"models": MODEL, "data": (X, Y), **QUIET, **changed}
    with pytest.raises((TypeError, ValueError)) as caught:
        compress.report(arguments.pop("models"), **arguments)
    assert str(caught.value).startswith("`report(")
    assert expected in str(caught.value)


@pytest.mark.parametrize("path", ["missing/report.png", "."])
def test_a_picture_that_cannot_be_written_is_refused(path, shown, tmp_path):
    for found in (shown, shown["noisy"]):
        with pytest.raises(ValueError, match=r"show\(path=...\).*an existing folder"):
            found.show(tmp_path / path)


def test_a_data_set_without_end_is_refused():
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensors((X, Y)).repeat()
    with pytest.raises(ValueError, match="a data set that ends"):
        compress.report(MODEL, data=data, **QUIET)
