"""One stage of a model after the other begins to learn."""

from perfkit import _check
from perfkit.transfer.thawing import Thawing


class GradualUnfreeze(Thawing):
    """Have the head of a model learn first, and a stage more every few epochs.

    From the last stage to the first, each at a lower rate than the one behind it. See
    `Thawing` for what it costs and how it goes on after a break.

    Args:
        every: Epochs from stage to stage, at least 1.
        stages: How many, at least 2, or what begins them; see `discriminative_rates`.
        ratio: By how much the rate falls from stage to stage, at least 1; 1 for one
            rate for all that learns.
        **kwargs: See `Thawing` (`batch_norm`, `verbose`).

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds; in `fit`, see `Thawing`.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from perfkit import optimizers
        >>> layers = [keras.layers.Dense(2, name=name) for name in ("a", "b", "head")]
        >>> model = keras.Sequential([keras.Input((3,)), *layers])
        >>> model.compile(optimizers.LayerwiseRates("adam", {"*": 1.0}), "mse")
        >>> unfreeze = GradualUnfreeze(stages=3)
        >>> x, y = np.ones((8, 3)), np.ones((8, 2))
        >>> history = model.fit(x, y, epochs=4, verbose=0, callbacks=[unfreeze])
        >>> history.history["stages"]
        [1, 2, 3, 3]

    Reference: Howard and Ruder, Universal Language Model Fine-tuning for Text
        Classification, 2018, arXiv 1801.06146.
    """

    def __init__(self, every=1, *, stages=4, ratio=2.6, **kwargs):
        super().__init__(stages=stages, **kwargs)
        self.every = _check.integer("GradualUnfreeze", "every", every)
        self.ratio = _check.number("GradualUnfreeze", "ratio", ratio, 1.0)

    def factors(self, epoch, count):
        learning = min(count, 1 + epoch // self.every)
        behind = range(count - 1, -1, -1)
        return [self.ratio**-k if k < learning else 0.0 for k in behind]
