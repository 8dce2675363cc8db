"""Audio noise."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.audio.audio import WaveformAugment
from perfkit.ops import clip, noise


@keras.saving.register_keras_serializable(package="perfkit")
class AudioNoise(WaveformAugment):
    """Add white or coloured noise to each waveform, at a random ratio.

    The ratio of the powers is met exactly in each sample, over all channels and
    without the padding. Silence stays silent. Each channel has its own noise.

    Args:
        snr: Signal-to-noise ratio in decibels, or `(low, high)` of it, uniform and
            drawn per sample. Within [-100, 100].
        slope: Colour of the noise: decibels by which its power changes an octave, or
            `(low, high)` of them, uniform and drawn per sample. 0 is white, -3 pink,
            -6 brown, 3 blue, 6 violet. Within [-12, 12].
        **kwargs: See `WaveformAugment` (`rate`, `seed`, ...).

    Shape:
        `(batch, samples)`, `(batch, samples, channels)` or one `(samples,)`; same
        shape out.

    Raises:
        ValueError: If an argument is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> tone = np.sin(np.arange(8000.0))
        >>> noise = keras.ops.convert_to_numpy(AudioNoise(20.0)(tone)) - tone
        >>> round(float(np.mean(tone**2) / np.mean(noise**2)), 1)
        100.0

    Reference: none (standard).
    """

    def __init__(self, snr=(5.0, 40.0), slope=0.0, **kwargs):
        super().__init__(**kwargs)
        self.snr = _check.fixed_or_span("AudioNoise", "snr", snr, -100.0, 100.0)
        self.slope = _check.fixed_or_span("AudioNoise", "slope", slope, -12.0, 12.0)

    def parameters(self, rng):
        return {
            "bits": rng.bits(),
            "snr": rng.uniform(*self.snr),
            "slope": rng.uniform(*self.slope),
        }

    def clips(self, clips, params):
        _, time, channels = ops.shape(clips)
        if self.slope == (0.0, 0.0):
            field = noise.normal(params["bits"], time, channels)
        else:
            colored = (params["slope"], time, channels)
            field = clip.colored_noise(params["bits"], *colored)
        return clip.at_ratio(clips, field, params["length"], params["snr"])
