"""Time stretch."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.audio.audio import SpectrogramAugment
from perfkit.ops import clip


@keras.saving.register_keras_serializable(package="perfkit")
class TimeStretch(SpectrogramAugment):
    """Make each spectrogram faster or slower by a random factor; pitch stays.

    It is for magnitudes, powers and their logarithms, which it interpolates
    linearly in time: a phase is not kept. The number of frames stays: what is faster
    is filled up at the end, what is slower loses its end. `"lengths"` follow.

    Args:
        speed: Speed, or `(low, high)` of it, uniform in its logarithm and drawn per
            sample. Above 1 is faster and shorter. Within [0.1, 10].
        fill_value: Value of the frames after the end.
        **kwargs: See `SpectrogramAugment` (`time_first`, `rate`, ...).

    Shape:
        `(batch, frames, bins)`, `(batch, frames, bins, channels)` or one
        `(frames, bins)`; same shape out.

    Raises:
        ValueError: If `speed` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> ramp = np.arange(6.0)[:, None]
        >>> faster = TimeStretch(2.0)(np.tile(ramp, 4))
        >>> keras.ops.convert_to_numpy(faster)[:, 0].tolist()
        [0.0, 2.0, 4.0, 0.0, 0.0, 0.0]

    Reference: none (standard). A phase vocoder, as for complex spectrograms,
        interpolates magnitudes in the same way.
    """

    def __init__(self, speed=(0.8, 1.25), fill_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.speed = _check.fixed_or_span("TimeStretch", "speed", speed, 0.1, 10.0)
        self.fill_value = _check.number("TimeStretch", "fill_value", fill_value)

    def parameters(self, rng):
        low, high = self.speed
        return {"speed": low * ops.power(high / low, rng.uniform())}

    def lengths(self, lengths, params):
        return clip.stretched(lengths, params["speed"])

    def clips(self, clips, params):
        length, speed = params["length"], params["speed"]
        shown = clip.inside(clip.stretched(length, speed), ops.shape(clips)[1])
        stretched = clip.stretch(clips, speed, length)
        return ops.where(shown, stretched, self.fill_value)
