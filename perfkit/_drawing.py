"""Figures of matplotlib, without pyplot."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


class Drawing(Figure):
    """A figure that notebooks show as a picture, and that `savefig` writes.

    Args:
        size: Inches across and down.
    """

    def __init__(self, size):
        super().__init__(size, layout="constrained")
        FigureCanvasAgg(self)

    def _repr_png_(self):  # IPython's name for it
        file = io.BytesIO()
        self.savefig(file, format="png", bbox_inches="tight")
        return file.getvalue()
