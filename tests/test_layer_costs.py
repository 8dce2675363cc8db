"""The page on what layers cost is made of figures, and no layer is forgotten."""

from benchmarks import layer_table
from tests.layer_cases import CASES


def test_every_layer_with_a_case_has_a_row():
    rows = [layer for row in layer_table.ROWS.values() for layer in row]
    assert len(rows) == len(set(rows))
    assert set(rows) == set(CASES)


def test_every_row_was_measured_on_both_backends():
    names = {layer.__name__ for row in layer_table.ROWS.values() for layer in row}
    figures = layer_table.load()
    assert {name: set(one["rows"]) for name, one in figures.items()} == {
        "tensorflow": names,
        "jax": names,
    }


def test_the_page_is_made_of_the_figures():
    assert layer_table.PAGE.read_text() == layer_table.text(layer_table.load())
