"""The family of fusions that first give modalities one width."""

from typing import Any

from perfkit import _check
from perfkit.fusion.fusion import Fusion


class Projecting(Fusion):
    """Give all modalities one number of channels, and join them then.

    Args:
        units: Channels, to which each modality has a dense layer of its own; or `None`
            for those of the widest, without dense layers if all have as many.
        **kwargs: See `Fusion`.
    """

    def __init__(self, units=None, **kwargs):
        super().__init__(**kwargs)
        if units is not None:
            units = _check.integer(type(self).__name__, "units", units)
        self.units = units

    def width(self, shapes):
        """Channels that all have behind the projections."""
        return self.units or max(shape[-1] for shape in shapes)

    def build_of(self, shapes):
        width = self.width(shapes)
        self.projections = []
        if self.units is not None or any(shape[-1] != width for shape in shapes):
            self.projections = [
                self.dense(width, f"projection_{number}", shape)
                for number, shape in enumerate(shapes)
            ]

    def projected(self, parts, seen):
        """Modalities of one width; zeros where they are absent."""
        if not self.projections:
            return parts
        pairs = zip(self.projections, parts, strict=True)
        return seen.hide_each([project(x) for project, x in pairs])

    def shape_of(self, shapes) -> Any:
        self.require_alike(shapes)
        return (*shapes[0][:-1], self.width(shapes))

    def require_alike(self, shapes):
        """Check that shapes differ in their channels alone."""
        first = shapes[0][1:-1]
        if not all(
            len(shape) == len(shapes[0]) and _agree(shape[1:-1], first)
            for shape in shapes
        ):
            expected = "tensors whose shapes differ in their channels alone"
            _check.fail(type(self).__name__, "inputs", expected, shapes)


def _agree(sizes, others):
    pairs = zip(sizes, others, strict=True)
    return all(a is None or b is None or a == b for a, b in pairs)
