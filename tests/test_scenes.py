"""The scenes that the example of detection is trained on, and the example."""

import importlib
import pathlib
import sys

import numpy as np
import pytest

from tests.conformance import common

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


@pytest.fixture
def imported(monkeypatch):
    """Import a module of the examples, and forget it after the test."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and pathlib.Path(file).parent == EXAMPLES:
            del sys.modules[name]


def pictures(count):
    """White blocks on black, each of another size, with wide margins."""
    images = np.zeros((count, 28, 28, 1), "uint8")
    for number in range(count):
        images[number, 4 : 10 + number, 6 : 16 + number // 2] = 255
    return images, np.arange(count)


def test_boxes_are_around_objects(imported):
    made, targets = imported("scenes").compose(*pictures(8), 20, seed=0)
    assert made.shape == (20, 96, 96, 1)
    assert made.dtype == "uint8"
    seen = 0
    for scene, boxes, labels in zip(
        made[..., 0], targets["boxes"], targets["labels"], strict=True
    ):
        inside = np.zeros((96, 96), bool)
        for x1, y1, x2, y2 in boxes[labels >= 0].astype(int):
            assert 0 <= x1 < x2 <= 96
            assert 0 <= y1 < y2 <= 96
            assert scene[y1:y2, x1:x2].min() > 240
            inside[y1:y2, x1:x2] = True
            seen += 1
        assert scene[~inside].max() < 200
        assert not boxes[labels < 0].any()
    assert seen > 40


def test_labels_are_those_of_the_pictures(imported):
    images, labels = pictures(8)
    _, targets = imported("scenes").compose(images, labels, 20, seed=0)
    for box, label in zip(
        targets["boxes"].reshape(-1, 4), targets["labels"].ravel(), strict=True
    ):
        if label >= 0:
            width, height = box[2:] - box[:2]
            assert height / width == pytest.approx(
                (6 + label) / (10 + label // 2), rel=0.08
            )


def test_objects_overlap_a_little_at_most(imported):
    _, targets = imported("scenes").compose(*pictures(8), 50, seed=1)
    for boxes, labels in zip(targets["boxes"], targets["labels"], strict=True):
        there = boxes[labels >= 0]
        corner = np.maximum(there[:, None, :2], there[None, :, :2])
        end = np.minimum(there[:, None, 2:], there[None, :, 2:])
        both = np.prod(np.maximum(end - corner, 0), axis=-1)
        area = np.diagonal(both)
        overlaps = both / (area[:, None] + area - both) - np.eye(len(there))
        assert overlaps.max() <= 0.1 + 1e-6


def test_a_seed_makes_the_same_scenes(imported):
    compose = imported("scenes").compose
    first, second, other = (
        compose(*pictures(4), 3, seed=seed)[0] for seed in (0, 0, 1)
    )
    assert (first == second).all()
    assert (first != other).any()


@pytest.mark.slow
def test_the_example_trains_draws_and_saves(imported, tmp_path, monkeypatch, capsys):
    import keras

    example = imported("detection")
    common.run_cheaply(monkeypatch)
    folder = tmp_path / "output"
    given = ["--epochs", "1", "--scenes", "32", "--held-out", "16"]
    monkeypatch.setattr(sys, "argv", ["detection.py", *given, "--output", str(folder)])
    with pytest.raises(SystemExit, match=r"below 0\.8"):  # of so few scenes
        example.main()
    shown = capsys.readouterr().out
    assert "Ankle boot" in shown
    assert "mean over IoU 0.5 to 0.95" in shown
    assert (folder / "detections.png").stat().st_size > 5000
    assert keras.saving.load_model(folder / "detector.keras").count_params() > 400_000
