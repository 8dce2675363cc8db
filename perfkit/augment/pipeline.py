"""Several operations as one."""

import keras

from perfkit import _check
from perfkit.augment.combination import Combination


@keras.saving.register_keras_serializable(package="perfkit")
class Pipeline(Combination):
    """Apply augmentation layers one after the other, compiled into one program.

    Geometric operations multiply into one matrix per sample, crops and resizes
    included, and the images are resampled once. Colour operations multiply into
    one matrix per sample, rescaling and normalization included, and values are cut
    off once, where a range changes. So what one operation pushes out of the frame
    or out of the range is not lost to the next, and nothing is blurred twice. What
    lies outside the image is filled by the last geometric operation; where two
    fill modes or interpolations meet, there is a resample for each. Contrast before
    a geometric operation reads the mean of a resample of its own.

    Args:
        layers: Augmentation layers of perfkit.
        name: Name of the layer.
        fused: Whether to compile as above; `False` does one step after the other,
            as calling the layers would.
        **kwargs: See `Combination` (`seed`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; the last size asked for
        out.

    Raises:
        TypeError: If a layer is not one of perfkit's.
        ValueError: If there are no layers, or they disagree on the layout.

    Example:
        >>> import numpy as np
        >>> from perfkit import augment
        >>> pipeline = Pipeline([augment.RandomCrop(24, 24), augment.RandomFlip()])
        >>> pipeline(np.zeros((8, 32, 32, 3), "uint8")).shape == (8, 24, 24, 3)
        True

    Reference: Karras et al., Training Generative Adversarial Networks with Limited
        Data, 2020, 2006.06676, compose one geometric and one colour matrix per
        sample, for fixed operations.
    """

    deals = False
    draws_itself = False

    def __init__(self, layers, name=None, *, fused=True, **kwargs):
        super().__init__(layers, name=name, **kwargs)
        self.fused = _check.boolean("Pipeline", "fused", fused)

    def draw(self, rng, training):
        return self.draw_layers(rng, training)

    def perform(self, canvas, params, constants, chosen=None):
        outer, canvas.fused = canvas.fused, canvas.fused and self.fused
        for layer, own, fixed in zip(self.layers, params, constants, strict=True):
            layer.perform(canvas, own, fixed, chosen)
        canvas.fused = outer
