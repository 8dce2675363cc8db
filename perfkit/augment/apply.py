"""Random apply."""

import keras

from perfkit import _check
from perfkit.augment.chosen import Chosen, both
from perfkit.augment.combination import Combination


@keras.saving.register_keras_serializable(package="perfkit")
class RandomApply(Combination):
    """Apply layers one after the other to some of the images, chosen per image.

    One coin is tossed for all the layers; each layer's own `rate` comes after it.
    Nothing is applied at inference.

    Args:
        layers: Augmentation layers that keep the size of images.
        rate: Probability that an image is changed. Within [0, 1].
        **kwargs: See `Combination` (`seed`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        TypeError: If a layer is not one of perfkit's.
        ValueError: If there are no layers, or `rate` is out of bounds; at the call,
            if a layer changes the size.

    Example:
        >>> import numpy as np
        >>> from perfkit import augment
        >>> negative = augment.RandomInvert(1.0, value_range=(0, 1))
        >>> some = RandomApply([negative], rate=0.25)(np.zeros((8, 2, 2, 1)))
        >>> float(np.array(some)[:, 0, 0, 0].sum())
        2.0

    Reference: none (standard). A batch has `batch * rate` images changed, rounded up
        or down at random.
    """

    def __init__(self, layers, rate=0.5, **kwargs):
        super().__init__(layers, **kwargs)
        self.rate = _check.unit("RandomApply", "rate", rate)

    def draw(self, rng, training):
        if not training:
            return None
        return {
            "applied": rng.dealt(self.rate),
            "layers": self.draw_layers(rng, training),
        }

    def perform(self, canvas, params, constants, chosen=None):
        if params is None:
            return
        chosen = both(Chosen(params["applied"], ((self.rate,),)), chosen)
        for number in range(len(self.layers)):
            self.perform_one(canvas, number, params["layers"], constants, chosen)
