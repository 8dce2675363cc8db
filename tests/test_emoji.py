"""The file of emoji that ships with the examples, and the example that reads it."""

import collections
import hashlib
import importlib
import pathlib
import re
import sys

import numpy as np
import pytest

from tests.conformance import common

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
COUNTS = {
    "Activities": 85,
    "Animals & Nature": 159,
    "Flags": 270,
    "Food & Drink": 131,
    "Objects": 264,
    "People & Body": 386,
    "Smileys & Emotion": 169,
    "Symbols": 224,
    "Travel & Places": 218,
}


@pytest.fixture
def imported(monkeypatch):
    """Import a module of the examples, and forget it after the test."""
    folders = (EXAMPLES, EXAMPLES / "data")
    for folder in folders:
        monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and any(
            pathlib.Path(sys.modules[name].__file__).parent == f for f in folders
        ):
            del sys.modules[name]


@pytest.fixture
def arrays(imported):
    return imported("emoji").load()


def words_of(texts):
    return {word for text in texts for word in re.findall("[a-z]+", str(text).lower())}


def test_counts_are_those_of_the_package(arrays):
    assert arrays["images"].shape == (1906, 32, 32, 3)
    assert arrays["images"].dtype == "uint8"
    tally = collections.Counter(arrays["categories"][arrays["labels"]].tolist())
    assert dict(tally) == COUNTS
    assert len(arrays["subcategories"]) == 98
    page = (EXAMPLES / "data" / "emoji.md").read_text()
    assert all(f"{name} {count}" in page for name, count in COUNTS.items())
    content = (EXAMPLES / "data" / "emoji.npz").read_bytes()
    assert hashlib.sha256(content).hexdigest() in page
    assert f"{len(content):,} bytes" in page
    assert sum(arrays["texts"] == "") == 27


def test_pictures_are_on_white_and_differ(arrays):
    corners = arrays["images"][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.mean((corners == 255).all(axis=(1, 2))) > 0.7  # but for those of squares
    distinct = {image.tobytes() for image in arrays["images"]}
    assert len(distinct) == 1873  # flags of some islands are those of a country


def test_no_word_of_a_category_or_subcategory_is_in_a_text(arrays):
    telling = words_of([*arrays["categories"], *arrays["subcategories"]])
    telling |= {f"{word}s" for word in telling} | {w.removesuffix("s") for w in telling}
    assert not words_of(arrays["texts"]) & telling


def test_no_word_holds_that_of_a_category(arrays):
    stems = [word[:6].rstrip("s") for word in words_of(arrays["categories"])]
    assert "flag" in stems
    found = words_of(arrays["texts"])
    assert not [word for word in found if any(stem in word for stem in stems)]
    assert min(map(len, found)) == 3  # shorter ones are codes of countries


def test_no_word_stands_for_a_category(arrays):
    """Words that one category has most of cover a small part of it, each."""
    tallies = collections.defaultdict(collections.Counter)
    for text, label in zip(arrays["texts"], arrays["labels"], strict=True):
        for word in set(str(text).split()):
            tallies[word][str(arrays["categories"][label])] += 1
    for word, tally in tallies.items():
        ((category, count),) = tally.most_common(1)
        if count > 0.6 * tally.total():
            assert count < 0.3 * COUNTS[category], word


def test_words_are_chosen_by_rule(imported):
    make = imported("make_emoji")
    entries = [
        {"category": "Flags", "subcategory": "country-flag"},
        {"category": "Symbols", "subcategory": "other-symbol"},
    ]
    forbidden = make.telling(entries)
    assert {"flag", "flags", "country", "other", "symbol"} <= forbidden
    flag = {"name": "Åland Islands Flag", "short_names": ["flag-ax", "ax"]}
    assert make.words(flag, forbidden) == ["aland", "islands"]
    sign = {"name": "ATOM SYMBOL", "short_names": ["atom_symbol", "nature_atom"]}
    assert make.words(sign, forbidden) == ["atom"]
    word = {"name": "SHIP'S WHEEL", "short_names": ["fireplace", "wheel"]}
    assert make.words(word, forbidden) == ["ships", "wheel"]


def test_a_picture_is_laid_on_white_and_halved(imported, tmp_path):
    import cv2

    read = np.zeros((64, 64, 4), "uint8")
    read[:, :32] = (10, 20, 30, 255)  # blue, green, red
    read[0, 0, 3] = 0
    cv2.imwrite(str(tmp_path / "x.png"), read)
    found = imported("make_emoji").picture(tmp_path / "x.png")
    assert found.shape == (32, 32, 3)
    assert found[5, 5].tolist() == [30, 20, 10]
    assert found[5, 20].tolist() == [255, 255, 255]
    assert found[0, 0].tolist() == [86, 79, 71]  # a quarter of it white


def test_numbers_of_texts_are_of_runs_of_letters(imported):
    emoji = imported("emoji")
    rows = emoji.ids(["cat", "cats eye", ""])
    assert rows.shape == (3, emoji.LENGTH)
    assert (rows > 0).sum(axis=1).tolist() == [3, 7, 0]
    assert set(rows[0, :2]) <= set(rows[1])  # <ca, cat
    assert rows[0, 2] not in rows[1]  # at>
    texts = emoji.load()["texts"]
    rows = emoji.ids(texts)
    assert rows.min() >= 0
    assert rows.max() < emoji.VOCABULARY
    assert (rows[:, -1] > 0).mean() < 0.01  # hardly any is cut off


@pytest.mark.slow
def test_the_example_compares_the_three_of_a_seed(imported, tmp_path, monkeypatch):
    example = imported("multimodal")
    common.run_cheaply(monkeypatch)
    (data, labels), (test, test_labels) = example.split(0)
    assert len(labels) + len(test_labels) == 1906
    monkeypatch.setattr(
        example,
        "split",
        lambda seed: [
            ({k: x[:96] for k, x in data.items()}, labels[:96]),
            ({k: x[:64] for k, x in test.items()}, test_labels[:64]),
        ],
    )
    rows = [example.compared(0, 1, stage) for stage in ("late", "middle")]
    for found in rows:
        assert len(found) == 5
        assert all(0.0 <= value <= 1.0 for value in found.values())
    assert example.gain({"both": 0.8, "picture alone": 0.5, "words alone": 0.7}) == (
        pytest.approx(0.1)
    )
    example.show(rows)
    example.draw(rows, tmp_path / "accuracies.png")
    assert (tmp_path / "accuracies.png").stat().st_size > 5000
