"""Feature maps whose channels are weighted by what all modalities have."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.fusion import _maps
from perfkit.fusion.fusion import Fusion


@keras.saving.register_keras_serializable(package="perfkit")
class MMTM(Fusion):
    """Weight the channels of each modality by averages over places of all of them.

    It stands between the layers of two or more networks, whose feature maps may be of
    different sizes and ranks, and begins as the identity. An absent modality stays
    zeros.

    Args:
        ratio: Sum of all channels, divided by the units they are squeezed to. At
            least 1.
        data_format: `"channels_last"` or `"channels_first"`; `None` for Keras's own
            setting.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, ..., channels)` each, or channels first; a list of the same shapes out,
        or a dictionary.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> images, sounds = np.ones((1, 4, 4, 6)), np.ones((1, 9, 2))
        >>> [tuple(x.shape) for x in MMTM()([images, sounds])]
        [(1, 4, 4, 6), (1, 9, 2)]

    Reference: Joze et al., MMTM: Multimodal Transfer Module for CNN Fusion, 2020, arXiv
        1911.08670. Behind the squeeze is a ReLU, as in the authors' code, and the last
        weights begin as zeros, so that all factors begin as 1.
    """

    least = 1

    def __init__(self, ratio=4, *, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.ratio = _check.integer("MMTM", "ratio", ratio)
        self.data_format = _check.data_format("MMTM", data_format)

    def build_of(self, shapes):
        axis = _maps.channel_axis(self.data_format)
        channels = [shape[axis] for shape in shapes]
        units = max(1, sum(channels) // self.ratio)
        self.squeeze = self.dense(
            units, "squeeze", (None, sum(channels)), activation="relu"
        )
        self.excitations = [
            self.dense(
                count,
                f"excitation_{number}",
                (None, units),
                activation="sigmoid",
                kernel_initializer="zeros",
            )
            for number, count in enumerate(channels)
        ]

    def fuse(self, parts, seen):
        averages = [_maps.averages(x, self.data_format) for x in parts]
        squeezed = ops.concatenate(averages, axis=-1)
        squeezed = self.squeeze(ops.cast(squeezed, self.compute_dtype))
        pairs = zip(self.excitations, parts, strict=True)
        return [
            x * _maps.per_channel(2.0 * excite(squeezed), x, self.data_format)
            for excite, x in pairs
        ]

    def compute_mask(self, inputs, previous_mask=None):
        return previous_mask

    def shape_of(self, shapes):
        return list(shapes)
