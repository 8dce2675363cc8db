"""Time shift."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.audio.audio import WaveformAugment
from perfkit.ops import clip


@keras.saving.register_keras_serializable(package="perfkit")
class TimeShift(WaveformAugment):
    """Shift each waveform by a random number of samples, before its padding.

    Args:
        fraction: Half-width, or `(low, high)`, of the uniform shift, drawn per sample.
            Share of the length, positive for later. Within [-1, 1].
        fill_mode: What comes in at the end that is left free: `"wrap"` what left at
            the other one, `"constant"` the fill value.
        fill_value: Value for `"constant"`.
        **kwargs: See `WaveformAugment` (`rate`, `seed`, ...).

    Shape:
        `(batch, samples)`, `(batch, samples, channels)` or one `(samples,)`; same
        shape out.

    Raises:
        ValueError: If `fraction` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> later = TimeShift((0.25, 0.25))(np.array([1.0, 2.0, 3.0, 4.0]))
        >>> keras.ops.convert_to_numpy(later).tolist()
        [4.0, 1.0, 2.0, 3.0]

    Reference: none (standard).
    """

    def __init__(self, fraction=0.5, fill_mode="wrap", fill_value=0.0, **kwargs):
        super().__init__(**kwargs)
        owner = "TimeShift"
        self.fraction = _check.span(owner, "fraction", fraction, -1.0, 1.0)
        modes = ("constant", "wrap")
        self.fill_mode = _check.one_of(owner, "fill_mode", fill_mode, modes)
        self.fill_value = _check.number(owner, "fill_value", fill_value)

    def parameters(self, rng):
        return {"fraction": rng.uniform(*self.fraction)}

    def clips(self, clips, params):
        shifted, around = clip.shift(clips, params["fraction"], params["length"])
        if self.fill_mode == "wrap":
            return shifted
        return ops.where(around, self.fill_value, shifted)
