"""The family of operations on rows of features."""

import types
from typing import Any

from perfkit._backend import ops
from perfkit.augment._arrays import Arrays
from perfkit.augment.operation import Operation


class Rows(Arrays):
    """Rows of a table, as one array of numbers."""

    main = "features"
    one = "one row"
    axes = ("features",)
    beside = types.MappingProxyType({})
    mistaken = types.MappingProxyType(
        {"label": "labels", "feature": "features", "rows": "features"}
    )
    one_shape = "Bring the rows to one number of features"


class FeatureAugment(Operation):
    """Change the features of rows; labels stay.

    Inputs are features `(batch, features)` or one row `(features,)`, or a dict with
    `"features"` and any of `"labels"` and keys that pass by untouched. Features are
    integers or floats, and come out in the layer's compute dtype.

    Args:
        **kwargs: See `Operation` (`rate`, `seed`, ...).
    """

    modality = Rows()
    borrows = False  # whether samples take from others of the batch

    def features(self, features, params, batch) -> Any:
        """Operation: return new features, from float32 ones `(rows, features)`.

        `params` come in shape `(rows, 1)`, one for each row, and with them its number
        `"row"` in the `batch`, features of all rows; constants as they are.
        """
        raise NotImplementedError

    def check_inputs(self, inputs):
        if self.borrows:
            self.modality.check_batch(self.name, inputs)

    def transform(self, canvas, params, chosen):
        batch = canvas.parts[canvas.main]
        fixed = {name: params[name] for name in self.constants()}
        params = {name: x for name, x in params.items() if name not in fixed}
        params["row"] = ops.arange(canvas.samples, dtype="int32")

        def change(parts, params):
            params = {name: x[:, None] for name, x in params.items()}
            rows = parts[canvas.main]
            return {canvas.main: self.features(rows, {**params, **fixed}, batch)}

        canvas.change(change, params, chosen)
