"""The mean of those models that are better together."""

import itertools

import keras
import numpy as np
import pytest

from perfkit import transfer


def of(value):
    dense = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(value))
    return keras.Sequential([keras.Input((1,)), dense])


def kernel(model):
    return float(model.layers[0].kernel[0, 0])


def nearness_to(target):
    return lambda model: -abs(kernel(model) - target)


def greedy(values, target):
    """The paper's recipe, of numbers."""
    order = sorted(range(len(values)), key=lambda k: abs(values[k] - target))
    inside = []
    for k in order:
        mean = np.mean([values[j] for j in [*inside, k]])
        now = np.mean([values[j] for j in inside]) if inside else np.inf
        if abs(mean - target) <= abs(now - target):
            inside.append(k)
    return inside


@pytest.mark.parametrize("target", [0.0, 3.5, 4.0, 7.0])
def test_it_is_the_recipe_of_the_paper(target):
    values = [9.0, 3.0, 6.0, -1.0, 4.5]
    models = [of(value) for value in values]
    soup = transfer.greedy_soup(models, nearness_to(target), verbose=False)
    inside = greedy(values, target)
    assert list(soup.members) == inside
    assert kernel(soup.model) == pytest.approx(np.mean([values[k] for k in inside]))
    assert soup.score == pytest.approx(nearness_to(target)(soup.model))
    assert soup.score >= max(soup.scores)
    assert soup.scores == pytest.approx([-abs(v - target) for v in values])
    assert [kernel(model) for model in models] == values


def test_one_that_leaves_the_score_as_it_is_stays():
    soup = transfer.greedy_soup([of(1.0), of(3.0)], lambda _: 1.0, verbose=False)
    assert soup.members == (0, 1)


def test_what_was_tried_is_in_the_table():
    models = [of(9.0), of(3.0), of(6.0)]
    soup = transfer.greedy_soup(models, nearness_to(4.0), verbose=False)
    assert soup.tried == (-2.0, -1.0, -0.5)
    rows = str(soup).splitlines()
    assert rows[0] == "2 of 3 models, score -0.5; the best alone -1"
    assert [row.split() for row in rows[2:]] == [
        ["1", "-1", "-1", "yes"],
        ["2", "-2", "-0.5", "yes"],
        ["0", "-5", "-2", "no"],
    ]


def test_scores_may_use_what_the_first_was_compiled_with(tmp_path):
    """Nothing is compiled for each of them, and a bar is shown if it is to be."""
    models = [of(9.0), of(3.0), of(6.0)]
    models[0].compile("sgd", lambda y, z: keras.ops.mean(keras.ops.abs(y - z)))
    x, y = np.ones((4, 1)), np.full((4, 1), 4.0)
    seen = []

    def score(model):
        seen.append(model)
        return -model.evaluate(x, y, verbose=0)

    soup = transfer.greedy_soup(models, score, verbose=False)
    assert soup.members == (1, 2)
    assert all(model is models[0] for model in seen)
    assert soup.model is not models[0]
    assert not soup.model.compiled


def test_files_are_models_too(tmp_path, capsys):
    values = [9.0, 3.0, 6.0]
    models = [of(value) for value in values]
    x, y = np.ones((4, 1)), np.full((4, 1), 4.0)
    for model, optimizer in zip(models, ("SGD", "Adam"), strict=False):
        # The file of weights has slots that are not those of the first.
        model.compile(getattr(keras.optimizers, optimizer)(0.0), "mae")
        model.fit(x, y, verbose=0)
    paths = [tmp_path / "0.keras", tmp_path / "1.weights.h5", tmp_path / "2.keras"]
    models[0].save(paths[0])
    models[1].save_weights(paths[1])
    models[2].save(paths[2])
    soup = transfer.greedy_soup(paths, lambda m: -m.evaluate(x, y, verbose=0))
    assert "6/6" in capsys.readouterr().out
    assert soup.members == (1, 2)
    spare = of(7.0)
    again = transfer.greedy_soup(
        paths[::-1], nearness_to(4.0), model=spare, verbose=False
    )
    assert capsys.readouterr().out == ""
    assert again.members == (1, 0)
    assert kernel(spare) == 7.0
    assert kernel(again.model) == kernel(soup.model) == 4.5


def test_weights_are_put_back_where_a_score_fails():
    models = [of(9.0), of(3.0)]
    calls = itertools.count()

    def score(model):
        if next(calls) == 1:
            raise RuntimeError("no score")
        return 1.0

    with pytest.raises(RuntimeError, match="no score"):
        transfer.greedy_soup(models, score, verbose=False)
    assert kernel(models[0]) == 9.0


def test_what_is_no_number_is_the_worst():
    models = [of(9.0), of(3.0)]

    def score(model):
        return float("nan") if kernel(model) > 5.0 else 1.0

    soup = transfer.greedy_soup(models, score, verbose=False)
    assert soup.members == (1,)
    assert soup.scores == (-float("inf"), 1.0)
    with pytest.raises(ValueError, match=r"score=...\)` must be a number for some"):
        transfer.greedy_soup(models, lambda _: float("nan"), verbose=False)
    with pytest.raises(TypeError, match=r"score=...\)` must be a function of a model"):
        transfer.greedy_soup(models, "accuracy")
    with pytest.raises(TypeError, match=r"returns one number.*Received.*0.5, 0.7"):
        transfer.greedy_soup(models, lambda _: [0.5, 0.7], verbose=False)
    assert kernel(models[0]) == 9.0
