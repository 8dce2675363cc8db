"""Random gain."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.audio.audio import WaveformAugment


@keras.saving.register_keras_serializable(package="perfkit")
class RandomGain(WaveformAugment):
    """Make each waveform louder or softer by a random number of decibels.

    Nothing is cut off.

    Args:
        decibels: Half-width, or `(low, high)`, of the uniform gain, drawn per sample:
            6 doubles the amplitude, -6 halves it. Within [-100, 100].
        **kwargs: See `WaveformAugment` (`rate`, `seed`, ...).

    Shape:
        `(batch, samples)`, `(batch, samples, channels)` or one `(samples,)`; same
        shape out.

    Raises:
        ValueError: If `decibels` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> louder = RandomGain((20.0, 20.0))(np.array([0.1, -0.2, 0.4]))
        >>> keras.ops.convert_to_numpy(louder).round(3).tolist()
        [1.0, -2.0, 4.0]

    Reference: none (standard).
    """

    def __init__(self, decibels=12.0, **kwargs):
        super().__init__(**kwargs)
        self.decibels = _check.span("RandomGain", "decibels", decibels, -100.0, 100.0)

    def parameters(self, rng):
        return {"decibels": rng.uniform(*self.decibels)}

    def clips(self, clips, params):
        return clips * ops.power(10.0, params["decibels"] * 0.05)
