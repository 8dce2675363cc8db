"""Normalization."""

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment import _moments
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class Normalization(ColorAugment):
    """Shift and scale channels to mean 0 and variance 1.

    It works at inference too.

    Args:
        axis: -1 for a mean and a variance of each channel, wherever `data_format`
            has the channels; `None` for one of each. For other axes use
            `keras.layers.Normalization`.
        mean: Number, or one for each channel. `None` to `adapt` to data.
        variance: Number of at least 0, or one for each channel.
        invert: Whether to undo the normalization instead.
        **kwargs: See `ColorAugment` (`data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If only one of `mean` and `variance` is given, or one is out of
            bounds; at the call, if neither is given and `adapt` was not called.

    Example:
        >>> import numpy as np
        >>> layer = Normalization(mean=[10.0], variance=[4.0])
        >>> keras.ops.convert_to_numpy(layer(np.array([[[8.0], [14.0]]]))).ravel()
        array([-1.,  2.], dtype=float32)

    Reference: none (standard).
    """

    random = False

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        owner = "Normalization"
        if isinstance(axis, (list, tuple)):
            axis = None if not axis else axis[0] if len(axis) == 1 else tuple(axis)
        channels = {"channels_last": (-1, 3), "channels_first": (-1, -3, 1)}
        if axis is not None and axis not in channels[self.data_format]:
            expected = f"the channels' axis, one of {channels[self.data_format]}"
            _check.fail(owner, "axis", f"{expected}, or None", axis)
        self.axis = axis
        if (mean is None) != (variance is None):
            missing = "mean" if mean is None else "variance"
            _check.fail(owner, missing, "given with the other of the two", None)
        self.mean = self.variance = None
        if mean is not None:
            self.mean = _check.per_channel(owner, "mean", mean)
            self.variance = _check.per_channel(owner, "variance", variance)
            if np.min(self.variance) < 0.0:
                _check.fail(owner, "variance", "at least 0", variance)
        self.invert = _check.boolean(owner, "invert", invert)

    def adapt(self, data) -> None:
        """Take mean and variance from data, once over all of it.

        They become arguments of the layer, as if they had been passed, and are
        saved with a model's weights too.

        Args:
            data: Images, or an iterable of batches of images (`tf.data.Dataset`,
                `keras.utils.PyDataset`), of `(images, labels)`, or of dicts with
                `"images"`.

        Raises:
            ValueError: If there are no data, or they are not finite.
        """
        channel_axis = -1 if self.data_format == "channels_last" else -3

        def columns(images):
            channels = 1 if self.axis is None else images.shape[channel_axis]
            return np.moveaxis(images, channel_axis, -1).reshape(-1, channels)

        images = _moments.arrays(data, "images")
        mean, variance = _moments.mean_and_variance(self.name, map(columns, images))
        self.mean, self.variance = mean.tolist(), variance.tolist()

    def save_own_variables(self, store):
        if self.mean is not None:
            store["mean"] = np.asarray(self.mean)
            store["variance"] = np.asarray(self.variance)

    def load_own_variables(self, store):
        if "mean" in store:
            self.mean = np.asarray(store["mean"]).tolist()
            self.variance = np.asarray(store["variance"]).tolist()

    def check_inputs(self, inputs):
        symbolic = isinstance(inputs["images"], keras.KerasTensor)
        if self.mean is None and not symbolic:  # a model may be built before `adapt`
            raise ValueError(
                f"{self.name}: no mean and variance yet. Call `adapt(data)` first, or "
                "pass `mean` and `variance`."
            )

    def constants(self):
        known = self.mean is not None
        mean, variance = (self.mean, self.variance) if known else (0.0, 1.0)
        return {
            "mean": ops.convert_to_tensor(mean, "float32"),
            "variance": ops.convert_to_tensor(variance, "float32"),
        }

    def color(self, params):
        mean = ops.reshape(params["mean"], (1, -1))
        deviation = ops.sqrt(ops.reshape(params["variance"], (1, -1)))
        deviation = ops.maximum(deviation, 1e-7)
        if self.invert:
            return color.ColorMatrix(deviation, mean)
        return color.ColorMatrix(1.0 / deviation, -mean / deviation)
