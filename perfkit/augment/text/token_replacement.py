"""Token replacement."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.text.token import ReplaceAugment
from perfkit.ops import noise


@keras.saving.register_keras_serializable(package="perfkit")
class TokenReplacement(ReplaceAugment):
    """Replace random tokens of each text by random ones, all as likely.

    Special tokens are neither replaced nor put in.

    Args:
        vocabulary: Number of ids, which count from 0; or `(first, last)` of them.
            Up to 2**24.
        fraction: Share of the tokens that are replaced on average, each on its own; or
            `(low, high)` of it, uniform and drawn per sample. Within [0, 1].
        **kwargs: See `TokenAugment` (`special_ids`, `rate`, ...).

    Shape:
        Ids `(batch, length)` or `(length,)`; same shape out.

    Raises:
        ValueError: If an argument is out of bounds, or all ids are special.

    Example:
        >>> import numpy as np
        >>> ids = np.array([1, 7, 8, 9, 2])
        >>> noisy = TokenReplacement((3, 3), fraction=1.0, special_ids=[1, 2])(ids)
        >>> keras.ops.convert_to_numpy(noisy).tolist()
        [1, 3, 3, 3, 2]

    Reference: none (standard). A tenth of what Devlin et al., BERT, 2018, 1810.04805,
        choose to predict is replaced so.
    """

    def __init__(self, vocabulary, fraction=0.1, **kwargs):
        super().__init__(**kwargs)
        owner = "TokenReplacement"
        pair = _check.whole_or_span(owner, "vocabulary", vocabulary, 0, 2**24)
        if not isinstance(vocabulary, (list, tuple)):
            _check.integer(owner, "vocabulary", vocabulary)
            pair = (0, pair[1] - 1)
        self.vocabulary = pair
        self.fraction = _check.fixed_or_span(owner, "fraction", fraction, 0.0, 1.0)
        if self._number() < 1:
            expected = f"ids that are not all special, as {self.special_ids} are"
            _check.fail(owner, "vocabulary", expected, vocabulary)

    def _known(self):
        low, high = self.vocabulary
        return [number for number in self.special_ids if low <= number <= high]

    def _number(self):
        low, high = self.vocabulary
        return high - low + 1 - len(self._known())

    def parameters(self, rng):
        return {
            "places": rng.bits(),
            "ids": rng.bits(),
            "fraction": rng.uniform(*self.fraction),
        }

    def tokens(self, ids, free, params):
        length = ops.shape(ids)[1]
        drawn = noise.integers(params["ids"], self._number(), length)
        drawn = drawn + self.vocabulary[0]
        if self._known():
            # Each special id that is passed moves the next ones by one.
            steps = [number - k for k, number in enumerate(self._known())]
            passed = drawn[..., None] >= ops.convert_to_tensor(steps, "int32")
            drawn = drawn + ops.sum(ops.cast(passed, "int32"), axis=-1)
        chosen = noise.uniform(params["places"], length) < params["fraction"]
        return ops.where(chosen, drawn, ids)
