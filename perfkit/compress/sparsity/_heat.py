"""A table of numbers as colours."""

import numpy as np

from perfkit._drawing import Drawing


def heat(rows, columns, label, size=None) -> Drawing:
    """Draw a row of colours and numbers for each entry of a dict.

    Args:
        rows: Numbers by the name of the row, as many as there are columns.
        columns: Names of the columns.
        label: What the numbers are.
        size: Width and height, in inches; None is what it takes.
    """
    values = np.array(list(rows.values()))
    known = values[np.isfinite(values)]
    reach = float(np.abs(known).max()) if known.size else 0.0
    figure = Drawing(size or (2.5 + 1.1 * len(columns), 1.2 + 0.26 * len(rows)))
    axes = figure.subplots()
    image = axes.imshow(
        values, cmap="RdBu", vmin=-(reach or 1.0), vmax=reach or 1.0, aspect="auto"
    )
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=8)
    for row, column in np.ndindex(values.shape):
        number = values[row, column]
        dark = reach and abs(number) > 0.6 * reach
        axes.text(
            column,
            row,
            f"{number:+.3g}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark else "black",
        )
    figure.colorbar(image, ax=axes, label=label)
    return figure
