"""Random order."""

import keras

from perfkit.augment import _turns
from perfkit.augment.chosen import Chosen, both
from perfkit.augment.combination import Combination


@keras.saving.register_keras_serializable(package="perfkit")
class RandomOrder(Combination):
    """Apply all of several layers, in an order drawn per image.

    In each round every layer has its share of the batch, so that with n layers it
    costs about n rounds of one layer each. Nothing is applied at inference.

    Args:
        layers: Augmentation layers that keep the size of images.
        **kwargs: See `Combination` (`seed`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        TypeError: If a layer is not one of perfkit's.
        ValueError: If there are no layers; at the call, if a layer changes the size.

    Example:
        >>> import numpy as np
        >>> from perfkit import augment
        >>> layers = [augment.Rescaling(2.0), augment.Rescaling(1.0, offset=1.0)]
        >>> out = RandomOrder(layers)(np.ones((4, 1, 1, 1)))
        >>> sorted(np.array(out).ravel().tolist())  # 2 x + 1 or 2 (x + 1)
        [3.0, 3.0, 4.0, 4.0]

    Reference: none (standard). Any order is as likely for an image; the orders in one
        batch are turns of one order, drawn per batch.
    """

    def draw(self, rng, training):
        if not training:
            return None
        place = _turns.places(rng, len(self.layers))
        return {
            **{f"place_{k}": place[k] for k in range(len(self.layers))},
            "layers": self.draw_layers(rng, training),
        }

    def perform(self, canvas, params, constants, chosen=None):
        if params is None:
            return
        many = len(self.layers)
        for turn in range(many):
            order = sorted(range(many), key=lambda k: self.layers[k].needs)
            for number in order if canvas.pending else reversed(order):
                limits = ((1.0 / many,),)
                here = Chosen(params[f"place_{number}"] == turn, limits)
                here = both(here, chosen)
                self.perform_one(canvas, number, params["layers"], constants, here)
