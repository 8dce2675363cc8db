"""The family of layers that weigh what an image holds."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.layers.attention._parts import part


class FeatureAttention(Configured, keras.layers.Layer):
    """Weigh the channels or the places of images by what these hold.

    With `identity=True` the outputs are `inputs + strength * (weighed - inputs)`, where
    `strength` is one learned number for each channel that begins at 0, so that outputs
    are the inputs exactly, and a trained model stays what it is. At 1 it is the layer
    without `identity`. The other weights learn as soon as `strength` is not 0, which is
    after the first step.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's own.
        identity: Whether the layer begins as the identity.
        **kwargs: See `keras.layers.Layer`.
    """

    # Whether `identity` adds strengths; if not, `prepare` has a way of its own.
    has_strength = True

    def __init__(self, *, data_format=None, identity=False, **kwargs):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.data_format = _check.data_format(owner, data_format)
        self.identity = _check.boolean(owner, "identity", identity)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def prepare(self, channels) -> None:
        """Operation: make the weights for so many channels."""
        raise NotImplementedError

    def attend(self, features, training) -> Any:
        """Operation: features that are weighed.

        Args:
            features: `(batch, height, width, channels)`, whatever the format.
            training: Whether the layer is being trained, or `None`.

        Returns:
            The same shape.
        """
        raise NotImplementedError

    def part(self, kind, *shape, **arguments) -> Any:
        """Make and build an inner layer for samples of `shape`."""
        return part(self, kind, shape, **arguments)

    def build(self, input_shape):
        channels = input_shape[1 if self._first else -1]
        self.prepare(channels)
        if self.identity and self.has_strength:
            self.strength = self.add_weight(
                shape=(channels,), initializer="zeros", name="strength"
            )

    def call(self, inputs, training=None):
        features = ops.moveaxis(inputs, 1, -1) if self._first else inputs
        outputs = self.attend(features, training)
        if self.identity and self.has_strength:
            outputs = features + self.strength * (outputs - features)
        return ops.moveaxis(outputs, -1, 1) if self._first else outputs

    @property
    def _first(self):
        return self.data_format == "channels_first"

    def compute_output_shape(self, input_shape):
        return input_shape


def reduced(channels, ratio, least=1) -> int:
    """Channels of a bottleneck."""
    return max(channels // ratio, least)
