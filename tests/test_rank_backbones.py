"""Rankings of pretrained models: what is measured, and what happens to failures."""

import csv
import json

import keras
import numpy as np
import pytest
from keras import layers
from scipy import stats

from perfkit import transfer
from perfkit.graph import latency
from perfkit.ops import transferability
from perfkit.transfer.ranking.ranking import Row

RNG = np.random.default_rng(0)
Y = np.arange(45) % 3
X = (np.eye(3)[Y][:, None, None] + RNG.normal(size=(45, 4, 4, 3))).astype("float32")


def pooled():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, layers.ReLU()(inputs), name="pooled")


def classifier(units=4):
    """A model that ends in probabilities, as those of Keras Applications do."""
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(5, 2, kernel_initializer=keras.initializers.GlorotUniform(1))
    x = layers.GlobalAveragePooling2D()(x(inputs))
    start = keras.initializers.GlorotUniform(2)
    x = layers.Dense(units, activation="softmax", kernel_initializer=start)(x)
    return keras.Model(inputs, x, name="classifier")


def blind():
    inputs = keras.Input((4, 4, 3))
    return keras.Model(inputs, layers.Lambda(lambda x: 0.0 * x + 1.0)(inputs))


def one_channel():
    inputs = keras.Input((4, 4, 3))
    return keras.Model(inputs, layers.Lambda(lambda x: x[..., :1])(inputs))


def rank(candidates, data=(X, Y), **arguments):
    usual = {"repeats": 0, "verbose": False, "batch_size": 16, "preprocessing": "none"}
    arguments = {**usual, **arguments}
    return transfer.rank_backbones(candidates, data, **arguments)


def only(candidate, data=(X, Y), **arguments):
    return rank({"it": candidate}, data, **arguments).rows[0]


def test_scores_are_those_of_the_features_of_all_samples():
    model = classifier()
    row = only(model)
    below = keras.Model(model.inputs, model.layers[-2].output)
    features = below.predict(X, verbose=0)
    assert row.scores == pytest.approx(
        {
            "logme": transferability.logme(features, Y),
            "leep": transferability.leep(model.predict(X, verbose=0), Y),
            "nleep": transferability.nleep(features, Y),
            "knn": transferability.knn(features, Y),
            "linear_probe": transferability.linear_probe(features, Y),
        },
        abs=1e-4,
    )
    assert row.parameters == 5 * 12 + 5 + 5 * 4 + 4
    assert row.macs == 9 * 12 * 5 + 20
    assert (row.error, row.note) == ("", "")


def test_features_of_a_headless_model_are_means_over_space():
    row = only(pooled())
    means = np.maximum(X, 0.0).mean(axis=(1, 2))
    assert row.scores["knn"] == pytest.approx(transferability.knn(means, Y))
    assert row.scores["logme"] == pytest.approx(
        transferability.logme(means, Y), abs=1e-5
    )
    assert np.isnan(row.scores["leep"])


class Subclassed(keras.Model):
    """A classifier with a `call` of its own and a convolution as its head."""

    def __init__(self):
        super().__init__(name="subclassed")
        self.head, self.softmax = layers.Conv2D(4, 1), layers.Softmax()

    def call(self, inputs):
        scores = self.head(keras.ops.relu(inputs))
        return self.softmax(keras.ops.mean(scores, axis=(1, 2)))


def test_the_head_is_found_in_models_of_any_class():
    model = Subclassed()
    probabilities = model.predict(X, verbose=0)
    scores = only(model, scores=["leep", "knn"]).scores
    means = np.maximum(X, 0.0).mean(axis=(1, 2))
    assert scores["knn"] == pytest.approx(transferability.knn(means, Y))
    expected = transferability.leep(probabilities, Y)
    assert scores["leep"] == pytest.approx(expected, abs=1e-5)


def test_models_that_return_something_else_have_no_classes():
    inputs = keras.Input((4, 4, 3))
    logits = layers.Dense(4)(layers.Flatten()(inputs))
    gates = layers.Dense(3, activation="softmax")(inputs)
    groups = layers.Softmax()(layers.Reshape((2, 4))(layers.Dense(8)(logits)))
    for outputs in (logits, inputs * gates, layers.Dense(4)(gates), groups):
        model = keras.Model(inputs, outputs)
        scores = only(model, scores=["leep", "knn"]).scores
        returned = model.predict(X, verbose=0)
        returned = returned.mean(axis=tuple(range(1, returned.ndim - 1)))
        assert scores["knn"] == pytest.approx(transferability.knn(returned, Y))
        assert np.isnan(scores["leep"])


def test_rows_are_in_the_order_of_the_score_and_failures_last():
    def broken():
        raise RuntimeError("no weights\n  for this one")

    candidates = {"bad": broken, "one": one_channel, "pooled": pooled}
    ranking = rank(candidates, by="knn")
    assert ranking.best == "pooled"
    assert [row.name for row in ranking.rows] == ["pooled", "one", "bad"]
    assert ranking.rows[-1].error == "RuntimeError: no weights for this one"
    assert ranking.sorted_by("logme").rows[0].name == "pooled"
    assert ranking.sorted_by("logme").by == "logme"
    text = repr(ranking)
    assert "RuntimeError: no weights" in text.splitlines()[-1]


def test_an_error_of_keras_is_said_without_what_frames_it():
    other = keras.Sequential([keras.Input((4, 4, 5)), layers.Conv2D(2, 3)])
    said = only(other, preprocessing="none").error
    assert said.startswith("ValueError: ")
    assert "incompatible" in said
    assert not any(part in said for part in ("\x1b", "\n", "Arguments", "Exception en"))
    assert len(said) < 200


def test_a_score_that_fails_leaves_the_others(monkeypatch):
    def fails(*arguments, **named):
        raise FloatingPointError("singular")

    monkeypatch.setattr(transferability, "nleep", fails)
    row = only(pooled())
    assert row.error == "nleep: FloatingPointError: singular"
    assert np.isnan(row.scores["nleep"])
    assert row.scores["knn"] > 0.5


def test_an_interrupt_keeps_what_there_is():
    def interrupted():
        raise KeyboardInterrupt

    ranking = rank({"pooled": pooled(), "stopped": interrupted, "never": pooled()})
    assert ranking.rows[0].scores["knn"] > 0.5
    assert [row.error for row in ranking.rows] == ["", "interrupted", "interrupted"]
    with pytest.raises(KeyboardInterrupt):
        rank({"stopped": interrupted})


def test_features_that_say_nothing_are_an_error():
    inputs = keras.Input((4, 4, 3))
    row = only(keras.Model(inputs, layers.Lambda(keras.ops.log)(inputs)))
    assert row.error == "ValueError: the features are not finite"
    assert (
        only(blind()).error == "ValueError: the features are the same for all samples"
    )


def test_images_are_resized_and_the_row_says_so():
    large = RNG.normal(size=(45, 10, 10, 3)) + np.eye(3)[Y][:, None, None]
    large = large.astype("float32")
    row = only(classifier(), (large, Y), scores=["logme"])
    assert row.note == "images resized to 4 x 4"
    small = keras.ops.image.resize(large, (4, 4), interpolation="bilinear")
    small = keras.ops.convert_to_numpy(small)
    same = only(classifier(), (small, Y), scores=["logme"])
    assert row.scores == pytest.approx(same.scores, abs=1e-5)
    assert same.note == ""


PIXELS = np.clip(60 * X + 100, 0, 255)


def test_inputs_are_preprocessed_for_all_or_for_some():
    scores = {"scores": ["logme"], "batch_size": 45}
    plain = only(pooled(), (X, Y), **scores)
    less = only(pooled(), (X - 1.0, Y), **scores)
    assert less.scores["logme"] != plain.scores["logme"]
    for preprocessing in (lambda x: x - 1.0, {"it": lambda x: x - 1.0}):
        row = only(pooled(), preprocessing=preprocessing, **scores)
        assert row.scores["logme"] == pytest.approx(less.scores["logme"])


@pytest.mark.parametrize("given", ["tf", {"it": "tf"}, "auto"])
def test_what_a_backbone_wants_done_to_pixels_is_found_or_named(given):
    scores = {"scores": ["logme"], "batch_size": 45}
    plain = only(pooled(), (PIXELS, Y), **scores).scores["logme"]
    scaled = only(pooled(), (PIXELS / 127.5 - 1, Y), **scores).scores["logme"]
    assert plain != pytest.approx(scaled, rel=1e-2)
    body = pooled()
    known = keras.Model(body.input, body.output, name="resnet50v2")  # wants "tf"
    found = only(known, (PIXELS, Y), preprocessing=given, **scores)
    assert found.scores["logme"] == pytest.approx(scaled, rel=1e-3)


def test_a_backbone_of_which_it_is_not_known_is_a_row_that_says_so():
    row = only(pooled(), preprocessing="auto", scores=["logme"])
    assert not row.scores
    assert "Elsewhere give `preprocessing=`" in row.error


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, number):
        part = slice(15 * number, 15 * number + 15)
        return X[part], np.eye(3)[Y[part]]


def test_labels_and_data_sets_of_every_kind_are_the_same():
    import tensorflow as tf

    few = {"scores": ["logme", "knn"]}
    expected = only(pooled(), **few).scores
    kinds = [
        (X, np.eye(3)[Y]),
        (X, np.array(["a", "b", "c"])[Y]),
        (X, 10 * Y[:, None] + 5),
        Batches(),
        tf.data.Dataset.from_tensor_slices((X, Y)).batch(20),
    ]
    for data in kinds:
        assert only(pooled(), data, **few).scores == pytest.approx(expected)


def test_floats_are_targets_of_regression():
    targets = X.mean(axis=(1, 2)) @ [1.0, -2.0, 0.5] + 7.0
    inputs = keras.Input((4, 4, 3))
    scores = only(keras.Model(inputs, 1.0 * inputs), (X, 1e3 * targets)).scores
    assert set(scores) == {"logme", "linear_probe"}
    assert scores["linear_probe"] > 0.95
    model = keras.Model(inputs, 1.0 * inputs)
    assert only(model, (X, targets)).scores == pytest.approx(scores)
    both = np.stack([targets, X[:, 0, 0, 0]], axis=1)
    assert only(model, (X, both)).scores["linear_probe"] < scores["linear_probe"]
    with pytest.raises(ValueError, match=r"^`rank_backbones\(scores=...\)` must be "):
        rank({"it": pooled()}, (X, targets), scores=["knn"])


def test_a_cap_takes_of_each_class_its_share():
    y = np.repeat([0, 1], [36, 9])
    seen = []

    def look(x):
        seen.append(np.array(x))
        return x

    few = {"samples": 10, "scores": ["knn"], "preprocessing": look}
    only(pooled(), (X, y), batch_size=10, **few)
    places = [np.flatnonzero((x == X).all(axis=(1, 2, 3)))[0] for x in seen[-1]]
    assert np.bincount(y[places]).tolist() == [8, 2]
    first, seen[:] = seen[-1], []
    only(pooled(), (X, y), batch_size=10, seed=1, **few)
    assert not np.array_equal(first, seen[-1])


def test_times_are_taken_in_turn_with_the_first_candidate():
    ranking = rank({"a": pooled, "b": classifier}, scores=["knn"], repeats=3)
    assert all(row.latency_ms > 0.0 for row in ranking.rows)


def test_times_share_the_noise(monkeypatch):
    now = [0.0]
    slow = iter([*[1.0] * 9, *[3.0] * 20])  # the machine, after the second candidate

    def call(milliseconds):
        def advance():
            now[0] += milliseconds * 1e-3 * next(slow)

        return advance

    monkeypatch.setattr(latency.time, "perf_counter", lambda: now[0])
    clock = latency.Latencies(2)
    for name, milliseconds in {"a": 1.0, "b": 2.0, "c": 4.0, "d": 0.5}.items():
        clock.add(name, call(milliseconds))
    found = clock.milliseconds()
    ratios = {name: found[name] / found["a"] for name in found}
    assert ratios == pytest.approx({"a": 1.0, "b": 2.0, "c": 4.0, "d": 0.5})


def test_a_list_of_models_has_their_names():
    names = {row.name for row in rank([pooled(), classifier()], scores="logme").rows}
    assert names == {"pooled", "classifier"}


def ranking():
    rows = [
        Row("cheap", {"knn": 0.5, "leep": float("nan")}, 10**4, 10**6, 2.0),
        Row("good", {"knn": 0.9, "leep": -1.25}, 4253864, 568740352, 20.0, "resized"),
        Row("waste", {"knn": 0.6, "leep": -1.5}, 10**7, 10**9, 30.0),
        Row("failed", error="ValueError: no"),
    ]
    return transfer.Ranking(rows, "knn")


def test_the_mean_rank_is_over_the_scores_that_all_have():
    rng = np.random.default_rng(1)
    values = rng.integers(0, 4, size=(6, 3)).astype("float64")
    rows = [
        Row(str(k), {"a": a, "b": b, "c": c, "d": c if k else np.nan})
        for k, (a, b, c) in enumerate(values)
    ]
    found = transfer.Ranking([Row("failed", error="no"), *rows])
    expected = stats.rankdata(-values, axis=0).mean(axis=1)
    ranks = [found.mean_ranks[str(k)] for k in range(6)]
    np.testing.assert_allclose(ranks, expected)
    assert found.best == str(expected.argmin())
    assert found.rows[-1].name == "failed"
    with pytest.raises(ValueError, match=r"^`plot\(cost=...\)` must be a cost above 0"):
        found.plot()


def test_there_is_no_best_where_nothing_is_known():
    nothing = transfer.Ranking([Row("a", error="no weights"), Row("b", error="no")])
    with pytest.raises(ValueError, match=r"no candidate has a score.*: no weights"):
        _ = nothing.best
    by_leep = transfer.Ranking([Row("a", {"leep": float("nan"), "knn": 0.5})], "leep")
    with pytest.raises(ValueError, match="score 'leep'"):
        _ = by_leep.best
    assert by_leep.sorted_by("knn").best == "a"


def test_the_table_is_read_easily():
    expected = """
            mean_rank   knn v     leep  parameters   MACs    ms
    good          1.0  0.9000  -1.2500      4.25 M   569 M  20.0  resized
    waste         2.0  0.6000  -1.5000      10.0 M  1.00 G  30.0
    cheap         3.0  0.5000        -      10.0 k  1.00 M   2.0
    failed          -       -        -           -       -     -  ValueError: no
    """
    assert repr(ranking()).split() == expected.split()
    lines = repr(ranking()).splitlines()
    assert lines[1].index("20.0") + 4 == lines[2].index("30.0") + 4


def test_files_hold_the_table(tmp_path):
    ranking().to_csv(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["good", "waste", "cheap", "failed"]
    assert float(rows[0]["knn"]) == 0.9
    assert (rows[2]["leep"], rows[3]["macs"], rows[3]["error"]) == (
        "",
        "",
        "ValueError: no",
    )
    ranking().to_json(tmp_path / "table.json")
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["by"] == "knn"
    assert table["rows"] == ranking().records()
    assert table["rows"][2]["leep"] is None


def test_the_picture_joins_those_that_none_surpasses(tmp_path):
    figure = ranking().plot(tmp_path / "picture.png")
    (axes,) = figure.axes
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[2.0, 0.5], [20.0, 0.9]]
    assert axes.get_xscale() == "log"
    assert {text.get_text() for text in axes.texts} == {"cheap", "good", "waste"}
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    by_ranks = ranking().sorted_by("mean_rank").plot(cost="parameters")
    assert by_ranks.axes[0].get_ylabel() == "knn"
    costs = ranking().plot(cost="macs", score="leep").axes[0].lines[0].get_xdata()
    assert costs.tolist() == [568740352]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"candidates": {}}, ValueError),
        ({"candidates": {"a": 3}}, TypeError),
        ({"candidates": [3]}, TypeError),
        ({"data": (X, Y[:-1])}, ValueError),
        ({"data": (X, 0 * Y)}, ValueError),
        ({"data": [X]}, ValueError),
        ({"scores": ["logme", "luck"]}, ValueError),
        ({"by": "luck"}, ValueError),
        ({"batch_size": 0}, ValueError),
        ({"folds": 1}, ValueError),
        ({"samples": 1}, ValueError),
        ({"repeats": -1}, ValueError),
        ({"seed": -1}, ValueError),
        ({"verbose": 1}, TypeError),
        ({"preprocessing": "imagenet"}, TypeError),
        ({"scores": 5}, ValueError),
        ({"preprocessing": {"b": abs}}, TypeError),
    ],
)
def test_a_wrong_argument_is_named(change, error):
    (name,) = change
    arguments = {"candidates": {"a": blind}, "data": (X, Y), **change}
    with pytest.raises(error, match=rf"^`rank_backbones\({name}=...\)` must be "):
        transfer.rank_backbones(**arguments)
