"""One operation, applied to each sample with its own parameters."""

from perfkit import _check
from perfkit.augment.base import Augment
from perfkit.augment.chosen import Chosen, both


class Operation(Augment):
    """Base of the families: draw per sample, and apply with probability `rate`.

    Args:
        rate: Probability that a sample is changed. Within [0, 1].
        **kwargs: See `Augment` (`seed`, ...).
    """

    # How much of its input an operation must have before it: 0 nothing, 1 a mean,
    # 2 every value.
    needs = 2

    def __init__(self, *, rate=1.0, **kwargs):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.rate = _check.unit(owner, "rate", rate)
        if not self.random and self.rate != 1.0:
            _check.fail(owner, "rate", "left out: the layer draws nothing", rate)

    def parameters(self, rng):
        """Operation: draw the parameters, a dict of `(batch,)` arrays."""
        raise NotImplementedError

    def at_inference(self, batch):
        """Operation: parameters at inference, or `None` to leave samples alone."""
        return None if self.random else {}

    def transform(self, canvas, params, chosen) -> None:
        """Family: change what is on the canvas, of the samples `chosen` if any."""
        raise NotImplementedError

    def draw(self, rng, training):
        if not training:
            return self.at_inference(rng.batch)
        params = self.parameters(rng) if self.random else {}
        if self.rate == 1.0:
            return params
        # What reads every value runs on no more samples than were dealt to it.
        toss = rng.dealt if self.needs == 2 else rng.bernoulli
        return {**params, "applied": toss(self.rate)}

    def perform(self, canvas, params, constants, chosen=None):
        if params is None:
            return
        params = {**constants, **params}
        applied = params.pop("applied", None)
        if applied is not None:
            limits = ((self.rate,),) if self.needs == 2 else ()
            chosen = both(Chosen(applied, limits), chosen)
        self.transform(canvas, params, chosen)
        if not canvas.fused:
            canvas.settle()
