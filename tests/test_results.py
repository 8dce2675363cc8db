"""The table of what each trick gains: what is compared, and what is said of it."""

import importlib
import json
import pathlib
import sys

import keras
import numpy as np
import pytest
import scipy.stats

import perfkit
from benchmarks.tricks import __main__ as tricks
from benchmarks.tricks import jobs, records, report, setting, table, training

ROOT = pathlib.Path(__file__).parent.parent
RECORDS, PAGE = ROOT / "docs" / "results.jsonl", ROOT / "docs" / "results.md"
FAMILIES = {"regularizers", "layers", "losses", "optimizers", "schedules"}
IMAGES = np.zeros((64, 28, 28, 1), "uint8")
NO_ROW = {
    "layers.ASPP": "of networks that segment",
    "layers.BlurPool": "of strided convolutions, of which the network has none",
    "layers.FilterResponseNormalization": "goes with another unit than the network has",
    "layers.GatedFeedForward": "the family of dense layers with gates",
    "layers.GEGLU": "of transformers, and the network convolves",
    "layers.GlobalResponseNormalization": "of ConvNeXt's blocks",
    "layers.RotaryEmbedding": "of transformers, and the network convolves",
    "layers.SPP": "a part of heads, for images of several sizes",
    "layers.SwiGLU": "of transformers, and the network convolves",
    "layers.ThresholdedLinearUnit": "goes with another normalization than it has",
    "layers.AttentionPool": "a part of heads, which transfer measures",
    "layers.AttentionPool2D": "a part of architectures",
    "layers.CBAM": "a part of architectures",
    "layers.ConcatPool": "a part of heads, which transfer measures",
    "layers.CosineDense": "a part of heads, which transfer measures",
    "layers.DropBlock": "the family of the two",
    "layers.DropBlock1D": "of sequences, and the data are images",
    "layers.Dropping": "the family of layers that drop",
    "layers.GeM": "a part of heads, which transfer measures",
    "layers.GlobalMaxPool": "a part of heads, which transfer measures",
    "layers.CoordinateAttention": "a part of architectures",
    "layers.EfficientChannelAttention": "a part of architectures",
    "layers.FeatureAttention": "the family of layers that weigh what an image holds",
    "layers.GlobalContext": "a part of architectures",
    "layers.NonLocal2D": "a part of architectures",
    "layers.SelectiveKernel": "a part of architectures",
    "layers.SimAM": "a part of architectures",
    "layers.SqueezeExcite": "a part of architectures",
    "layers.MultiSampleDropout": "a part of heads, which transfer measures",
    "layers.Pooling": "the family of layers that pool all places",
    "losses.ClassificationLoss": "the family of losses of class labels",
    "losses.WrappingLoss": "the family of losses that add to another one",
    "optimizers.Averaging": "the family of optimizers that average weights",
    "optimizers.GradientTransform": "the family of what changes gradients",
    "optimizers.WithStatistics": "the family of what keeps moving statistics",
    "optimizers.Wrapper": "the family of what goes around an optimizer",
    "optimizers.find": "finds an optimizer inside of others",
    "optimizers.attach": "lets a model train by what its optimizer asks for",
    "regularizers.detach": "takes off what was put on",
    "schedules.plot": "draws",
}
TRIAL = {"kind": "trial", "seed": setting.CHOOSING_SEED, "trick": "baseline"}


def test_every_public_trick_has_a_row_or_a_reason_to_have_none():
    names = (ROOT / "tests" / "public_names.txt").read_text().split()
    wanted = {name for name in names if name.split(".")[0] in FAMILIES}
    covered = {name for trick in table.ROWS for name in trick.covers}
    others = {name for name in covered if name.split(".")[0] not in FAMILIES}
    assert sorted((covered - others) | set(NO_ROW)) == sorted(wanted)
    assert others <= set(names)
    assert not covered & set(NO_ROW)


def test_what_a_row_covers_is_there_and_no_name_is_taken_twice():
    for trick in table.ROWS:
        for name in trick.covers:
            family, _, attribute = name.partition(".")
            assert hasattr(getattr(perfkit, family), attribute)
        assert not trick.base or trick.base in table.TRICKS
    assert len(table.TRICKS) == len(table.ROWS)


def test_network_is_that_of_the_quickstart(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    theirs = importlib.import_module("quickstart").network()
    sys.modules.pop("quickstart")
    ours = setting.network(0)

    def said(model):
        for layer in model.layers:
            if isinstance(layer, keras.layers.InputLayer):
                continue
            config = layer.get_config()
            for key in ("name", "kernel_initializer"):
                config.pop(key, None)
            yield type(layer).__name__, config

    assert list(said(ours)) == list(said(theirs))


@pytest.mark.slow
@pytest.mark.parametrize("trick", table.ROWS, ids=lambda trick: trick.name)
def test_a_trick_begins_with_the_kernels_of_the_network(trick):
    value = trick.grid[0] if trick.grid else None
    training.start(trick, 1, IMAGES, 2, 1e-3, value)


def test_other_kernels_at_the_start_are_an_error():
    other = setting.Trick("x", lambda s: setting.Training(setting.network(5), s.adam()))
    with pytest.raises(AssertionError, match="x: a kernel"):
        training.start(other, 1, IMAGES, 1, 1e-3, None)


def test_a_seed_has_one_order_and_an_epoch_each_image_once():
    order = training.orders(1, 130, 3).reshape(3, 128)
    assert np.array_equal(order.ravel(), training.orders(1, 130, 3))
    assert not np.array_equal(order.ravel(), training.orders(2, 130, 3))
    assert all(len(set(epoch)) == 128 for epoch in order.tolist())
    assert not np.array_equal(order[0], order[1])


def test_numbers_are_chosen_on_held_out_images_of_those_to_train_on(monkeypatch):
    seen = {}

    def train(trick, seed, data, *rest):
        seen[seed] = data
        return {}

    monkeypatch.setattr(training, "train", train)
    (images, labels), (test_images, _) = setting.load()
    for kind, seed in (("trial", setting.CHOOSING_SEED), ("run", 0)):
        jobs.Job(kind, "baseline", seed, 1, None, 1e-3, 1e-3).train()
    (part, _), (held_out, held_labels) = seen[setting.CHOOSING_SEED]
    assert np.array_equal(np.concatenate([part, held_out]), images)
    assert np.array_equal(held_labels, labels[6000:])
    assert np.array_equal(seen[0][1][0], test_images)


def test_the_best_number_is_chosen_and_of_equals_the_first():
    assert records.choose_rate({1e-4: 0.8, 1e-3: 0.9, 1e-2: 0.9}) == 1e-3


def test_accuracy_and_loss_are_those_of_keras():
    (images, labels), _ = setting.load(70)
    network = setting.network(3)
    accuracy, loss = training.evaluate(network, images, labels)
    logits = network.predict(images, verbose=0)
    losses = keras.losses.sparse_categorical_crossentropy(
        labels, logits, from_logits=True
    )
    assert loss == pytest.approx(float(keras.ops.mean(losses)), rel=1e-5)
    assert accuracy == np.mean(logits.argmax(axis=1) == labels)


@pytest.fixture
def trials(tmp_path):
    """A file in which the baseline's rate is chosen already, and a line is cut off."""
    base = table.TRICKS["baseline"]
    asked = {"set": base.set, "epochs": 1, "images": 72, "evaluated": 24}
    asked["backend"] = keras.backend.backend()
    lines = [
        json.dumps({**TRIAL, **asked, "rate": r, "value": r, "accuracy": 1.0 - r})
        for r in base.grid
    ]
    path = tmp_path / "records.jsonl"
    path.write_text("\n".join([*lines, lines[0][:50]]))
    return path


def test_a_record_is_found_by_all_that_tells_it_from_others(tmp_path):
    kept = records.Records(tmp_path / "records.jsonl")
    kept.add(run("L2", 0, 0.9))
    again = records.Records(kept.path)
    assert again.find(**run("L2", 0, 0.8)) == run("L2", 0, 0.9)
    others = {"seed": 1, "rate": 1.0, "value": 1.0, "epochs": 1, "images": 1}
    for name, value in {**others, "set": "x", "kind": "trial", "backend": ""}.items():
        assert not again.find(**{**run("L2", 0, 0.9), name: value})


@pytest.mark.slow
def test_a_run_adds_lines_and_the_next_one_finds_them(trials, tmp_path, monkeypatch):
    seen, evaluate = [], training.evaluate
    monkeypatch.setattr(
        training, "evaluate", lambda *given: seen.append(given) or evaluate(*given)
    )
    command = ["--out", str(trials), "--only", "L1L2", "--epochs", "1"]
    command += ["--limit", "96", "--seeds", "0"]
    assert tricks.main(command) == 0
    lines = trials.read_text().splitlines()
    runs = [json.loads(line) for line in lines[len(setting.RATES) :]]
    assert [(run["kind"], run["trick"]) for run in runs] == [
        ("run", "baseline"),
        ("run", "L1L2"),
    ]
    assert [run["rate"] for run in runs] == [1e-4, 1e-4]
    assert 0 <= runs[1]["accuracy"] <= 1
    assert runs[0]["parameters"] == setting.network(0).count_params() - 336
    assert runs[0]["keras"] == keras.__version__

    for _, images, labels in seen:
        assert np.array_equal(images, setting.load(96)[1][0])
        assert np.array_equal(labels, setting.load(96)[1][1])

    figures = tmp_path / "figures.json"
    page = tmp_path / "page.md"
    assert tricks.main([*command, "--json", str(figures)]) == 0
    assert trials.read_text().splitlines() == lines
    assert [row["trick"] for row in json.loads(figures.read_text())] == [
        "baseline",
        "L1L2",
    ]
    assert tricks.main([*command, "--report", str(page)]) == 0
    assert "| L1L2 |" in page.read_text()


@pytest.mark.slow
def test_a_cost_is_that_of_a_step_and_not_measured_twice(trials, monkeypatch):
    monkeypatch.setattr(training.Cost, "steps", 2)
    command = ["--out", str(trials), "--only", "L1L2", "--cost", "--rounds", "1"]
    assert tricks.main(command) == 0
    found = json.loads(trials.read_text().splitlines()[-1])
    assert found["kind"] == "cost"
    assert found["cost"] == pytest.approx(found["step_ms"] / found["base_ms"])
    tricks.main(command)
    assert sum("cost" in line for line in trials.read_text().splitlines()) == 1


def run(trick, seed, accuracy, **more):
    return {
        "kind": "run",
        "trick": trick,
        "set": table.TRICKS[trick].set,
        "seed": seed,
        "rate": 1e-3,
        "value": None,
        "accuracy": accuracy,
        "epochs": 20,
        "images": 8000,
        "evaluated": 2000,
        "kept": 300 if trick == "L2" else 200,
        "parameters": 100,
        "cores": 2,
        "backend": "jax",
        "perfkit": "0.1.0",
        "keras": "3.15.1",
        "date": "2026-01-02",
        **more,
    }


FOUND = {
    "baseline": (0.80, 0.81, 0.82),
    "L1L2": (0.80, 0.82, 0.81),  # +0, +1, -1
    "L2": (0.90, 0.91, 0.921),  # +10, +10, +10.1
    "L1": (0.70, 0.71, 0.721),
}


def made_up():
    made = [
        run(trick, seed, accuracy)
        for trick, accuracies in FOUND.items()
        for seed, accuracy in enumerate(accuracies)
    ]
    trial = {"value": 1e-3, "rate": 1e-3, "accuracy": 0.5}
    made += [{**made[0], **TRIAL, **trial, "evaluated": 1500}]
    cost = {"kind": "cost", "trick": "L2", "set": "", "cost": 1.25, "cores": 1}
    return [*made, cost]


def test_gains_are_paired_and_judged_by_two_standard_errors():
    rows = {row["trick"]: row for row in report.rows(made_up())}
    gains = {
        name: 100 * np.subtract(FOUND[name], FOUND["baseline"])
        for name in FOUND
        if name != "baseline"
    }
    for name, each in gains.items():
        assert rows[name]["gain"] == pytest.approx(each.mean())
        assert rows[name]["error"] == pytest.approx(scipy.stats.sem(each))
        assert rows[name]["deviation"] == pytest.approx(
            100 * np.std(FOUND[name], ddof=1)
        )
    evidence = {name: row["evidence"] for name, row in rows.items()}
    assert evidence == {
        "baseline": "",
        "L1L2": "none",
        "L2": "**better**",
        "L1": "worse",
    }
    assert rows["L2"]["cost"] == 1.25
    assert rows["L2"]["memory"] == 1.5


def test_a_gain_within_the_error_of_all_rows_is_none_however_small_its_own():
    rows = report.rows(made_up())
    pooled = report.pooled_error(rows)
    errors = [row["error"] for row in rows if row["base"]]
    assert pooled == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    row = {"gain": 1.9 * pooled, "error": 0.0}
    assert report.evidence(row, pooled) == "none"
    assert report.evidence({**row, "gain": 2.1 * pooled}, pooled) == "**better**"


def test_rows_are_sorted_by_gain_behind_the_baseline():
    names = [row["trick"] for row in report.rows(made_up())]
    assert names == ["baseline", "L2", "L1L2", "L1"]


def test_records_of_several_settings_make_no_page():
    page = report.page(made_up())
    assert "20 epochs" in page
    assert "1 of the machine's CPU cores" in page
    with pytest.raises(ValueError, match="several epochs"):
        report.page([*made_up(), run("L2", 4, 0.9, epochs=10)])
    with pytest.raises(ValueError, match="several backend"):
        report.page([*made_up(), run("L2", 4, 0.9, backend="tensorflow")])


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_chance_of_two_errors_is_that_of_student(count):
    expected = 2 * scipy.stats.t.sf(2.0, count - 1)
    assert report.beyond_two_errors(count) == pytest.approx(expected, rel=1e-4)


needs_records = pytest.mark.skipif(not RECORDS.exists(), reason="nothing was run yet")


@needs_records
def test_page_is_what_the_records_give():
    assert PAGE.read_text() == report.page(records.Records(RECORDS).all), (
        "run: python -m benchmarks.tricks --out docs/results.jsonl"
        " --report docs/results.md"
    )


@needs_records
def test_every_row_was_run_as_it_stands_in_the_table_with_every_seed_and_timed():
    found = records.Records(RECORDS).all
    runs = records.runs_by_trick(found)
    assert set(runs) == set(table.TRICKS)
    for name, trick in table.TRICKS.items():
        assert set(runs[name]) == {0, 1, 2}
        assert {run["set"] for run in runs[name].values()} == {trick.set}
        assert len(report.tried_of(runs[name][0], found)) == len(trick.grid)
    costs = {record["trick"] for record in found if record["kind"] == "cost"}
    assert costs == {name for name, trick in table.TRICKS.items() if trick.base}
