"""The head first, then everything."""

from perfkit import _check
from perfkit.transfer.thawing import Thawing


class LinearProbeThenFineTune(Thawing):
    """Have only the head of a model learn at first, then all of it more slowly.

    A head that fits the features spares them the large, random gradients of a new one,
    which bend them for good: better on data unlike the training data. See `Thawing` for
    what it costs; `linear_probe` trains the head on features that are computed once.

    Args:
        epochs: For how long only the head learns, at least 1.
        fine_tune_rate: Factor of the rate of all layers after that. Within [0, 1].
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
        >>> x, y = np.ones((8, 3)), np.ones((8, 2))
        >>> probe = LinearProbeThenFineTune(2)
        >>> history = model.fit(x, y, epochs=3, verbose=0, callbacks=[probe])
        >>> history.history["stages"]
        [1, 1, 2]

    Reference: Kumar et al., Fine-Tuning can Distort Pretrained Features and
        Underperform Out-of-Distribution, 2022, arXiv 2202.10054.
    """

    def __init__(self, epochs, *, fine_tune_rate=0.1, **kwargs):
        super().__init__(stages=2, **kwargs)
        owner = "LinearProbeThenFineTune"
        self.epochs = _check.integer(owner, "epochs", epochs)
        self.fine_tune_rate = _check.unit(owner, "fine_tune_rate", fine_tune_rate)

    def factors(self, epoch, count):
        if epoch < self.epochs:
            return [0.0] * (count - 1) + [1.0]
        return [self.fine_tune_rate] * count
