"""One operation, applied to each sample with its own parameters."""

from perfkit import _check
from perfkit.augment.base import Augment


class Operation(Augment):
    """Base of the families: draw per sample, and apply with probability `rate`.

    Args:
        rate: Probability that a sample is changed. Within [0, 1].
        **kwargs: See `Augment` (`seed`, `data_format`, ...).
    """

    def __init__(self, *, rate=1.0, **kwargs):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.rate = _check.unit(owner, "rate", rate)
        if not self.random and self.rate != 1.0:
            _check.fail(owner, "rate", "left out: the layer draws nothing", rate)

    def sample(self, rng):
        """Operation: draw the parameters, a dict of `(batch,)` arrays."""
        raise NotImplementedError

    def at_inference(self, batch):
        """Operation: parameters at inference, or `None` to leave samples alone."""
        return None if self.random else {}

    def count_channels(self, canvas) -> int:
        """Number of the images' channels; an error says what to do if it is unknown."""
        if isinstance(canvas.channels, int):
            return canvas.channels
        raise ValueError(
            f"{self.name}: images have an unknown number of channels. Say it "
            "before the layer: `images = tf.ensure_shape(images, (None, None, 3))`."
        )

    def draw(self, rng, constants, training):
        if not training:
            params = self.at_inference(rng.batch)
            return None if params is None else ({**constants, **params}, None)
        params = self.sample(rng) if self.random else {}
        applied = None if self.rate == 1.0 else rng.bernoulli(self.rate)
        return {**constants, **params}, applied
