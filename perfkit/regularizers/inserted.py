"""The report of layers that were put into a model."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Inserted:
    """Report where `attach_dropout` or `attach_drop_path` put layers.

    Attributes:
        places: Path of the layer behind which, or of the sum before which, each new
            layer lies, by the path of the new layer.
        kinds: The class of each new layer, by its path.
        rates: The rate of each new layer, by its path.
        skipped: Places that were selected and left alone, and why, by their path.
    """

    places: Mapping[str, str]
    kinds: Mapping[str, str]
    rates: Mapping[str, float]
    skipped: Mapping[str, str]

    def __str__(self):
        noun = "layer" if len(self.places) == 1 else "layers"
        lines = [f"{len(self.places)} {noun} in a new model; compile it before `fit`"]
        for path, place in self.places.items():
            lines.append(f"  {self.kinds[path]}({self.rates[path]:.4g}) at {place}")
        lines += [f"  not at {path}: {why}" for path, why in self.skipped.items()]
        return "\n".join(lines)
