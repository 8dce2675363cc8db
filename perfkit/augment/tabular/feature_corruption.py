"""Feature corruption."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.tabular.feature import FeatureAugment
from perfkit.ops import choice, noise


@keras.saving.register_keras_serializable(package="perfkit")
class FeatureCorruption(FeatureAugment):
    """Replace random features of each row by those of other rows of the batch.

    Each replaced feature comes from another row, all as likely, so it is drawn from
    its own distribution, whatever its scale; whole numbers and categories stay such.

    Args:
        fraction: Share of the features that are replaced, or `(low, high)` of it,
            uniform and drawn per sample. A number that is not whole is rounded up or
            down at random. Within [0, 1].
        **kwargs: See `FeatureAugment` (`rate`, `seed`, ...).

    Shape:
        `(batch, features)`; same shape out.

    Raises:
        ValueError: If `fraction` is not an ordered pair within bounds; at the call, if
            the features are not a batch.

    Example:
        >>> import numpy as np
        >>> rows = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
        >>> corrupted = keras.ops.convert_to_numpy(FeatureCorruption(0.5)(rows))
        >>> (corrupted != rows).sum(axis=1).tolist()
        [2, 2]

    Reference: Bahri et al., SCARF: Self-Supervised Contrastive Learning using Random
        Feature Corruption, 2021, 2106.15147. Values come from other rows of the batch;
        the paper's come from all of the data.
    """

    borrows = True

    def __init__(self, fraction=0.6, **kwargs):
        super().__init__(**kwargs)
        owner = "FeatureCorruption"
        self.fraction = _check.fixed_or_span(owner, "fraction", fraction, 0.0, 1.0)

    def parameters(self, rng):
        return {
            "features": rng.bits(),
            "rows": rng.bits(),
            "fraction": rng.uniform(*self.fraction),
            "rounding": rng.uniform(),
        }

    def features(self, features, params, batch):
        many, columns = ops.shape(batch)
        number = ops.cast(columns, "float32") * params["fraction"]
        number = choice.rounded(number, params["rounding"])
        replaced = choice.pick(params["features"], columns, number)
        field = noise.uniform(params["rows"], columns)
        others = ops.cast(many - 1, "float32")
        step = ops.minimum(ops.floor(field * others) + 1.0, others)
        row = params["row"] + ops.cast(step, "int32")
        row = ops.where(row < many, row, row - many)
        place = row * columns + ops.arange(columns, dtype="int32")[None, :]
        other = ops.take(ops.reshape(batch, (-1,)), place, axis=0)
        return ops.where(replaced, other, features)
