"""The gallery has all layers that can be seen, and says how they were made."""

import importlib.util
import pathlib
import re

import pytest

from perfkit import augment
from tests.array_cases import ARRAY_CASES
from tests.cases import CASES

DOCS = pathlib.Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def gallery():
    where = DOCS / "make_gallery.py"
    spec = importlib.util.spec_from_file_location("make_gallery", where)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names_in(gallery):
    return [entry.name for group in gallery.GALLERY.values() for entry in group]


def test_page_is_what_the_script_writes(gallery):
    assert (DOCS / "gallery.md").read_text() == gallery.markdown(), (
        "run: python docs/make_gallery.py"
    )


def test_every_layer_that_can_be_seen_is_on_the_page(gallery):
    seen = {op.__name__ for op, _ in CASES}
    sounds = augment.AudioMix.__module__.rpartition(".")[0]
    seen |= {op.__name__ for op, _ in ARRAY_CASES if op.__module__.startswith(sounds)}
    assert sorted(names_in(gallery)) == sorted(seen)


def test_every_layer_has_a_small_picture_and_no_picture_is_left_over(gallery):
    pictures = list((DOCS / "gallery").iterdir())
    names = sorted(f"{name}.jpg" for name in names_in(gallery))
    assert sorted(picture.name for picture in pictures) == names
    assert min(picture.stat().st_size for picture in pictures) > 2000
    assert sum(picture.stat().st_size for picture in pictures) < 2_000_000


def test_groups_are_those_of_the_guide(gallery):
    table = re.findall(
        r"^\| (\w[^|]*) \| (`.*) \|$", (DOCS / "augmentation.md").read_text(), re.M
    )
    groups = {group: re.findall(r"`(\w+)`", layers) for group, layers in table}
    for group, entries in gallery.GALLERY.items():
        assert [entry.name for entry in entries] == groups[group]


def test_a_call_makes_the_layer_that_it_is_filed_under(gallery):
    for group in gallery.GALLERY.values():
        for entry in group:
            layer = eval(entry.call, {"augment": augment})
            assert type(layer) is getattr(augment, entry.name)
