"""The table of what layers cost: what is measured, and what the page says of it."""

import json

import keras
import numpy as np
import pytest

from benchmarks import layers as benchmark
from benchmarks.costs import page, rows
from benchmarks.costs.steps import Step
from tests.layer_cases import CASES

FIGURES = {"ratio": 2.5, "spread": [2.0, 3.0], "temporary_mib": 7.25, "parameters": 12}
ROW = rows.ROWS[0]


def report(**more):
    return {
        "versions": "Keras 1, JAX 2",
        "device": "a machine",
        "repeats": 9,
        "rows": {ROW.name: FIGURES | more},
        "yardsticks": {},
    }


def line_of(text, name):
    (line,) = [x for x in text.splitlines() if x.startswith(f"| `{name}` |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_layer_has_a_row_or_a_reason_to_have_none():
    kinds = [row.kind for row in rows.ROWS]
    assert len(set(kinds)) == len(kinds)
    assert not set(kinds) & set(rows.NO_ROW)
    assert set(kinds) | set(rows.NO_ROW) == set(CASES)


@pytest.mark.parametrize("row", rows.ROWS, ids=lambda row: row.name)
def test_a_row_takes_its_inputs(row):
    shape = rows.INPUTS[row.inputs].shape
    row.make()(keras.KerasTensor((rows.BATCH, *shape)))


@pytest.mark.parametrize("inputs", rows.INPUTS.values(), ids=list(rows.INPUTS))
def test_a_yardstick_takes_its_inputs(inputs):
    inputs.yardstick()(keras.KerasTensor((rows.BATCH, *inputs.shape)))


def test_page_is_what_the_file_gives():
    costs = json.loads(benchmark.FILE.read_text())
    assert benchmark.PAGE.read_text() == page.page(costs), (
        "run: python -m benchmarks.layers --page"
    )


def test_what_was_measured_is_every_row_as_it_is_now():
    costs = json.loads(benchmark.FILE.read_text())
    assert set(costs) <= set(page.BACKENDS)
    for found in costs.values():
        assert set(found["rows"]) == {row.name for row in rows.ROWS}
        assert set(found["yardsticks"]) == set(rows.INPUTS)


def test_page_shows_backends_side_by_side():
    text = page.page({"jax": report(ratio=0.5), "tensorflow": report()})
    cells = line_of(text, ROW.name)
    assert cells[2:] == ["2.50", "0.50", "7.2", "7.2", "12"]
    assert all(f"| `{row.name}` |" in text for row in rows.ROWS)


def test_page_shows_what_is_not_known_as_a_dash():
    cells = line_of(page.page({"jax": report(temporary_mib=None)}), ROW.name)
    assert cells[2:] == ["-", "2.50", "-", "-", "12"]


def test_a_run_of_some_layers_leaves_the_figures_of_others():
    backend = keras.backend.backend()
    before = {backend: report(), "other": {"kept": True}}
    before[backend]["rows"]["WasTakenAway"] = FIGURES
    second = rows.ROWS[1].name
    after = benchmark.merged(before, {**report(), "rows": {second: FIGURES}})
    assert after["other"] == {"kept": True}
    assert set(after[backend]["rows"]) == {ROW.name, second}


def test_a_ratio_is_that_of_neighbouring_runs():
    class Clock:
        temporary_bytes, parameters = 2**20, 3

        def __init__(self, *times):
            self._times = iter(times)

        def milliseconds(self, steps):
            return next(self._times)

    base, step = Clock(1.0, 3.0, 1.0, 1.0, 2.0, 2.0), Clock(6.0, 5.0, 2.0)
    found = benchmark.compare(base, step, 3, 1)
    assert found["ratio"] == 3.0
    assert found["spread"] == [1.0, 5.0]
    assert (found["temporary_mib"], found["parameters"]) == (1.0, 3)


def test_a_step_goes_forward_and_backward():
    layer = keras.layers.Dense(3, bias_initializer="ones")
    step = Step(layer, (4,), 2)
    x, w = step.inputs, np.array(keras.ops.convert_to_numpy(layer.kernel))
    slope = 2 * (x @ w + 1)
    for ours, wanted in zip(
        step.gradients(), [slope @ w.T, x.T @ slope, slope.sum(0)], strict=True
    ):
        np.testing.assert_allclose(np.array(ours), wanted, rtol=1e-4, atol=1e-5)
    assert step.parameters == 15
    assert step.temporary_bytes >= 0
    assert step.milliseconds(2) > 0.0


def test_a_step_needs_what_it_keeps_for_the_way_back():
    @keras.saving.register_keras_serializable(package="test")
    class Twice(keras.layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(64, 64), initializer="glorot_normal")

        def call(self, x):
            return keras.ops.tanh(x @ self.kernel) @ self.kernel

    # The hyperbolic tangents are kept: 32 x 64 floats.
    assert Step(Twice(), (64,), 32).temporary_bytes >= 4 * 32 * 64


def test_what_is_drawn_moves_on_from_step_to_step():
    step = Step(keras.layers.Dropout(0.5), (50,), 2)
    first, second = (np.array(step.gradients()[0]) for _ in range(2))
    assert np.any((first == 0.0) != (second == 0.0))


def test_programs_that_are_not_optimized_are_not_written(monkeypatch, capsys):
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")
    with pytest.raises(SystemExit):
        benchmark.parse(["--write"])
    assert "XLA_FLAGS" in capsys.readouterr().err
    assert benchmark.parse([]).rows == rows.ROWS


def test_a_pattern_without_a_layer_is_an_error(capsys):
    with pytest.raises(SystemExit):
        benchmark.parse(["--only", "Nothing*"])
    assert "no layer is called Nothing*" in capsys.readouterr().err
