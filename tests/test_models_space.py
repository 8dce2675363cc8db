"""Spaces are plain data, and what is drawn from them can be built."""

import json

import numpy as np
import pytest

from perfkit import models
from tests.model_cases import KINDS

WHOLE = [
    ("cnn", (8, 8, 3)),
    ("cnn", (6, 3)),
    ("rnn", (6, 3)),
    ("transformer", (8, 8, 3)),
    ("transformer", (6,)),
]
SHAPES = {"images": (8, 8, 3), "features": (6, 3), "tokens": (6,)}


def vocabulary(shape):
    return {"vocabulary": 9} if len(shape) == 1 else {}


@pytest.mark.parametrize(("kind", "shape"), WHOLE)
def test_a_space_survives_json(kind, shape):
    space = models.space(kind, shape)
    again = models.Space.from_json(space.to_json())
    assert again == space
    assert [again.sample(s) for s in range(5)] == [space.sample(s) for s in range(5)]
    json.dumps([space.sample(s) for s in range(5)])


@pytest.mark.parametrize("task", ["classification", "labelling"])
@pytest.mark.parametrize(("kind", "shape"), WHOLE)
def test_draws_are_within_bounds_and_reach_all_of_it(kind, shape, task):
    space = models.space(kind, shape, task)
    drawn = [space.sample(seed) for seed in range(400)]
    for configuration in drawn:
        assert space.validate(configuration) == configuration
    for parameter in space.parameters:
        name = parameter["name"]
        values = [c[name] for c in drawn if name in c]
        if "choices" in parameter:
            assert {repr(x) for x in values} == {repr(x) for x in parameter["choices"]}
            continue
        low, high = parameter["low"], parameter["high"]
        assert low <= min(values)
        assert max(values) <= high
        if parameter["kind"] == "integer":
            assert set(values) == set(range(low, high + 1))
        else:
            error = (high - low) / np.sqrt(12 * len(values))
            assert abs(np.mean(values) - (low + high) / 2) < 4 * error
    assert any("pooling" in c for c in drawn) == (task != "labelling")


def test_conditions_leave_options_out():
    space = models.space("transformer", (6,))
    for seed in range(50):
        drawn = space.sample(seed)
        assert ("activation" in drawn) == (drawn["feed_forward"] == "dense")


def test_a_logarithm_gives_every_factor_the_same_share():
    rate = {"name": "rate", "kind": "number", "low": 1e-4, "high": 1.0}
    space = models.Space("cnn", [{**rate, "log": True, "default": 1e-2, "when": {}}])
    drawn = np.log10([space.sample(seed)["rate"] for seed in range(400)])
    assert abs(drawn.mean() + 2.0) < 4 * 4 / np.sqrt(12 * 400)


def test_the_same_seed_draws_the_same_and_a_generator_moves_on():
    space = models.space("cnn")
    assert space.sample(3) == space.sample(3)
    rng = np.random.default_rng(3)
    assert space.sample(rng) == space.sample(3)
    assert space.sample(rng) != space.sample(3)


@pytest.mark.parametrize(("kind", "shape"), WHOLE)
def test_neighbours_differ_in_one_option(kind, shape):
    space = models.space(kind, shape)
    for seed in range(5):
        here = space.sample(seed)
        beside = space.neighbours(here)
        depends = {p["name"] for p in space.parameters if p["when"]}
        for there in beside:
            assert space.validate(there) == there
            names = set(here) | set(there)
            changed = {n for n in names if here.get(n, ()) != there.get(n, ())}
            assert len(changed - depends) == 1 or len(changed) == 1
        assert len({json.dumps(x) for x in beside}) == len(beside)
        changed = {n for x in beside for n in here if here[n] != x.get(n, ())}
        single = {
            p["name"] for p in space.parameters if len(p.get("choices", "..")) == 1
        }
        assert changed == set(here) - single


@pytest.mark.parametrize(("kind", "shape"), WHOLE)
def test_defaults_are_those_of_the_builder(kind, shape):
    """So that a search begins where one is without it."""
    defaults = models.space(kind, shape).defaults()
    build = getattr(models, kind)
    model = build(shape, 3, **vocabulary(shape), **defaults)
    usual = build(shape, 3, **vocabulary(shape))
    assert [x.name for x in model.layers] == [x.name for x in usual.layers]
    assert model.count_params() == usual.count_params()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"width": 7}, "one of"),
        ({"depth": 10}, r"whole number within \[3, 9\]"),
        ({"depth": 3.0}, "whole number"),
        ({"dropout": True}, "a number within"),
        ({"heads": 2}, "one of"),
        ({"width": None}, "one of"),
    ],
)
def test_a_wrong_configuration_is_refused(change, expected):
    space = models.space("cnn")
    (name,) = change
    with pytest.raises(ValueError, match=rf"configuration\['{name}'\]=.*{expected}"):
        space.validate({**space.defaults(), **change})


def test_options_that_miss_or_are_not_there_are_refused():
    space = models.space("transformer", (6,))
    defaults = space.defaults()
    with pytest.raises(ValueError, match="left out unless"):
        space.validate({**defaults, "feed_forward": "geglu"})
    del defaults["width"]
    with pytest.raises(ValueError, match="a dictionary with 'width'"):
        space.validate(defaults)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "real"},
        {"choices": []},
        {"default": 3},
        {"when": {"depth": [1]}},
        {"low": 1},
    ],
)
def test_a_wrong_parameter_is_refused(wrong):
    right = {"name": "width", "kind": "ordered", "choices": [1], "default": 1}
    with pytest.raises(ValueError, match=r"`Space\(parameters\[0\]=\.\.\.\)` must be"):
        models.Space("cnn", [{**right, "when": {}, **wrong}])


def test_wrong_arguments_of_spaces_are_named():
    with pytest.raises(ValueError, match=r"`space\(kind="):
        models.space("mlp")
    with pytest.raises(ValueError, match=r"`space\(input_shape="):
        models.space("rnn", (8, 8, 3))
    with pytest.raises(ValueError, match=r"`space\(input_shape="):
        models.space("transformer", (7, 7, 3))
    with pytest.raises(ValueError, match=r"`space\(task="):
        models.space("cnn", task="ranking")
    with pytest.raises(ValueError, match=r"`Space\(text="):
        models.Space.from_json("[]")


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "labelling"])
@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_every_draw_builds_and_takes_a_step(kind, data, task):
    shape = SHAPES[data]
    space = models.space(kind, shape, task)
    rng = np.random.default_rng(0)
    for seed in range(4):
        drawn = space.sample(seed)
        build = getattr(models, kind)
        model = build(shape, 2, task, **vocabulary(shape), **drawn)
        x = rng.integers(1, 9, (2, *shape))
        x = x.astype("int32" if data == "tokens" else "float32")
        y = rng.normal(size=(2, *model.output_shape[1:])).astype("float32")
        model.compile("sgd", "mse", jit_compile=False)
        assert np.isfinite(model.train_on_batch(x, y)), drawn
