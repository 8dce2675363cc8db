"""Some of several layers."""

import keras

from perfkit import _check
from perfkit.augment import _turns
from perfkit.augment.chosen import Chosen, both
from perfkit.augment.combination import Combination


@keras.saving.register_keras_serializable(package="perfkit")
class SomeOf(Combination):
    """Apply some of several layers, chosen per image, in the order of the list.

    No layer is applied twice. Each layer that has to look at pixels runs on its
    share of the batch only. Nothing is applied at inference.

    Args:
        layers: Augmentation layers that keep the size of images.
        number: How many are applied to an image; or `(low, high)`, both possible, to
            draw it per image. Within [0, number of layers].
        **kwargs: See `Combination` (`seed`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        TypeError: If a layer is not one of perfkit's.
        ValueError: If there are no layers, or `number` is out of bounds; at the call,
            if a layer changes the size.

    Example:
        >>> import numpy as np
        >>> from perfkit import augment
        >>> layers = [augment.RandomBrightness((x, x)) for x in (0.2, 0.2, 0.4)]
        >>> bright = SomeOf(layers, 2)(np.zeros((6, 2, 2, 1)))
        >>> sorted(np.round(np.array(bright)[:, 0, 0, 0]).tolist())
        [102.0, 102.0, 153.0, 153.0, 153.0, 153.0]

    Reference: none (standard). Any subset is as likely for an image; the subsets in
        one batch come from one order of the layers, drawn per batch.
    """

    def __init__(self, layers, number, **kwargs):
        super().__init__(layers, **kwargs)
        self.number = _check.whole_or_span("SomeOf", "number", number, 0, len(layers))

    def draw(self, rng, training):
        if not training:
            return None
        low, high = self.number
        place = _turns.places(rng, len(self.layers))
        many = rng.integers(low, high + 1)
        return {
            **{f"applied_{k}": place[k] < many for k in range(len(self.layers))},
            "layers": self.draw_layers(rng, training),
        }

    def perform(self, canvas, params, constants, chosen=None):
        if params is None:
            return
        share = 1.0 / len(self.layers)
        limits = ((share,) * self.number[1],)
        for number in range(len(self.layers)):
            here = both(Chosen(params[f"applied_{number}"], limits), chosen)
            self.perform_one(canvas, number, params["layers"], constants, here)
