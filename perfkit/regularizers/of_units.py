"""What looks at a kernel by its output units."""

from perfkit import _check
from perfkit._config import Configured
from perfkit.ops import kernels


class OfUnits(Configured):
    """Mixin for penalties and constraints that have to know a kernel's output units.

    They see a tensor and not of which layer; `axis` says what they cannot see.

    Args:
        axis: Axis of the kernel that numbers its output units, or several. `None` is
            the last, which is right for `Dense` and plain convolutions; `attach` and
            `constrain` put what is right for the layer in the place of `None`.
    """

    factory: str

    def __init__(self, axis=None):
        self.axis = axis
        if axis is not None:
            several = axis if isinstance(axis, (list, tuple)) else (axis,)
            several = _check.choices(self.factory, "axis", several, -8, 7)
            self.axis = several[0] if len(several) == 1 else several

    @property
    def units(self) -> tuple[int, ...]:
        """The axes of the output units, as a tuple."""
        if self.axis is None:
            return kernels.UNITS["dense"]
        return self.axis if isinstance(self.axis, tuple) else (self.axis,)

    def along(self, units):
        """Return this for kernels of these units, unless `axis` was given."""
        if self.axis is not None or tuple(units) == self.units:
            return self
        return type(self)(**{**self.get_config(), "axis": tuple(units)})
