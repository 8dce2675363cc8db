"""Linear maps of colours that wait to be done, and their cut-offs."""

from typing import Any, NamedTuple

from perfkit._backend import ops
from perfkit.ops import color


class Stage(NamedTuple):
    """A colour map per image, then a cut-off at `bounds` if there are any."""

    map: color.ColorMatrix
    value_range: tuple[float, float] | None
    bounds: tuple[Any, Any] | None

    @property
    def mixes(self):
        """Whether channels are mixed with each other."""
        return self.map.mixes

    def joins(self, value_range):
        """Whether a map that is cut off at `value_range` can be one with it."""
        return self.value_range in (None, value_range)

    def apply(self, values):
        """New values of NHWC images."""
        return through([self], values, color.apply)


def then(first, second):
    """The stage that does as two stages, of which the second joins the first."""
    bounds = second.bounds
    if first.bounds is not None:
        bounds = (
            ops.maximum(first.bounds[0], second.bounds[0]),
            ops.minimum(first.bounds[1], second.bounds[1]),
        )
    return Stage(color.compose(second.map, first.map), second.value_range, bounds)


def through(stages, x, apply):
    """Send pixels or single colours, channels last, through the stages."""
    for stage in stages:
        x = apply(stage.map, x)
        if stage.bounds is not None:
            low, high = stage.bounds
            while len(low.shape) < len(x.shape):
                low, high = low[:, None], high[:, None]
            x = ops.minimum(ops.maximum(x, low), high)
    return x
