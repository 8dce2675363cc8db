"""Random choice."""

import keras

from perfkit import _check
from perfkit.augment.chosen import Chosen, both
from perfkit.augment.combination import Combination


@keras.saving.register_keras_serializable(package="perfkit")
class RandomChoice(Combination):
    """Apply one of several layers, chosen per image.

    The images of a batch are dealt to the layers like cards, so each layer that has
    to look at pixels runs on its share of the batch only, and a choice among many
    costs about as much as one. Nothing is applied at inference. To leave some images
    alone, put it into `RandomApply`.

    Args:
        layers: Augmentation layers that keep the size of images; a `Pipeline` stands
            for several in a row.
        odds: How likely each layer is, numbers of at least 0 in any unit; `None`
            takes all as equally likely.
        **kwargs: See `Combination` (`seed`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        TypeError: If a layer is not one of perfkit's.
        ValueError: If there are no layers, or the odds are not one for each layer;
            at the call, if a layer changes the size.

    Example:
        >>> import numpy as np
        >>> from perfkit import augment
        >>> layers = [augment.RandomBrightness((x, x)) for x in (0.2, 0.4)]
        >>> bright = RandomChoice(layers)(np.zeros((8, 2, 2, 1)))
        >>> sorted(np.round(np.array(bright)[:, 0, 0, 0]).tolist())
        [51.0, 51.0, 51.0, 51.0, 102.0, 102.0, 102.0, 102.0]

    Reference: none (standard). A batch gives each layer its share of images, rounded up
        or down at random.
    """

    def __init__(self, layers, odds=None, **kwargs):
        super().__init__(layers, **kwargs)
        if odds is not None:
            odds = _check.odds("RandomChoice", "odds", odds, len(layers))
        self.odds = odds

    def _shares(self):
        odds = self.odds or [1.0] * len(self.layers)
        return [one / sum(odds) for one in odds]

    def draw(self, rng, training):
        if not training:
            return None
        return {
            "choice": rng.deal(self._shares()),
            "layers": self.draw_layers(rng, training),
        }

    def perform(self, canvas, params, constants, chosen=None):
        if params is None:
            return
        # An image goes through one layer, so their order is free. What moves pixels
        # joins what moved them before; else it waits for what moves them next.
        order = sorted(range(len(self.layers)), key=lambda k: self.layers[k].needs)
        for number in order if canvas.pending else reversed(order):
            here = Chosen(params["choice"] == number, ((self._shares()[number],),))
            here = both(here, chosen)
            self.perform_one(canvas, number, params["layers"], constants, here)
