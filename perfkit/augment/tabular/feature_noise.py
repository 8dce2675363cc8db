"""Feature noise."""

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment import _moments
from perfkit.augment.tabular.feature import FeatureAugment
from perfkit.ops import noise


@keras.saving.register_keras_serializable(package="perfkit")
class FeatureNoise(FeatureAugment):
    """Add normal noise to the features of each row, on the scale of each feature.

    Args:
        factor: Deviation of the noise as a share of the feature's scale, or
            `(low, high)` of it, uniform and drawn per sample. Within [0, 100].
        scale: Number of at least 0, or one for each feature: its standard deviation,
            say. 0 leaves a feature alone, such as a category. `None` to `adapt` to
            data.
        **kwargs: See `FeatureAugment` (`rate`, `seed`, ...).

    Shape:
        `(batch, features)` or one `(features,)`; same shape out.

    Raises:
        ValueError: If an argument is out of bounds; at the call, if `scale` is not
            given and `adapt` was not called, or is not of one number a feature.

    Example:
        >>> import numpy as np
        >>> layer = FeatureNoise(0.1, scale=[0.0, 5.0])
        >>> noise = keras.ops.convert_to_numpy(layer(np.zeros((10_000, 2))))
        >>> noise.std(axis=0).round(1).tolist()
        [0.0, 0.5]

    Reference: none (standard).
    """

    def __init__(self, factor=0.1, scale=None, **kwargs):
        super().__init__(**kwargs)
        owner = "FeatureNoise"
        self.factor = _check.fixed_or_span(owner, "factor", factor, 0.0, 100.0)
        self.scale = None if scale is None else _check.sizes(owner, "scale", scale)

    def adapt(self, data) -> None:
        """Take the standard deviation of each feature, once over all data.

        It becomes the argument `scale`, as if it had been passed, and is saved with a
        model's weights too.

        Args:
            data: Features, or an iterable of batches of features (`tf.data.Dataset`,
                `keras.utils.PyDataset`), of `(features, labels)`, or of dicts with
                `"features"`.

        Raises:
            ValueError: If there are no data, or they are not finite.
        """
        rows = _moments.arrays(data, "features")
        _, variance = _moments.mean_and_variance(self.name, rows)
        self.scale = np.sqrt(variance).tolist()

    def save_own_variables(self, store):
        if self.scale is not None:
            store["scale"] = np.asarray(self.scale)

    def load_own_variables(self, store):
        if "scale" in store:
            self.scale = np.asarray(store["scale"]).tolist()

    def check_inputs(self, inputs):
        features = inputs["features"]
        if self.scale is None:
            if isinstance(features, keras.KerasTensor):
                return  # a model may be built before `adapt`
            raise ValueError(
                f"{self.name}: no scale yet. Call `adapt(data)` first, or pass `scale`."
            )
        known = np.size(self.scale)
        if known > 1 and features.shape[-1] not in (None, known):
            raise ValueError(
                f"{self.name}: has {known} scales, one for each of as many features. "
                f"Received: features.shape={tuple(features.shape)}"
            )

    def constants(self):
        scale = 0.0 if self.scale is None else self.scale
        return {"scale": ops.convert_to_tensor(scale, "float32")}

    def parameters(self, rng):
        return {"bits": rng.bits(), "factor": rng.uniform(*self.factor)}

    def features(self, features, params, batch):
        scale = ops.reshape(params["scale"], (1, -1))
        field = noise.normal(params["bits"], ops.shape(features)[1])
        return features + params["factor"] * scale * field
