"""DropBlock over images."""

import keras

from perfkit.layers.drop_block import DropBlock


@keras.saving.register_keras_serializable(package="perfkit")
class DropBlock2D(DropBlock):
    """Drop squares of feature maps while training.

    Neighbouring places say nearly the same, so that dropping single ones hides little.
    It goes behind a convolution, with a rate that grows from 0 in the first epochs.

    Args:
        **kwargs: See `DropBlock` (`rate`, `block_size`, `per_channel`, ...).

    Shape:
        `(batch, height, width, channels)`, or channels first; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> ones = np.ones((1, 4, 4, 1))
        >>> out = DropBlock2D(0.9, block_size=4, seed=1)(ones, training=True)
        >>> keras.ops.convert_to_numpy(out).sum().tolist()
        0.0

    Reference: Ghiasi et al., DropBlock, 2018, arXiv 1810.12890.
        They take blocks for each channel by itself; here one for all is the default,
        as in timm.
    """

    spatial_axes = 2
