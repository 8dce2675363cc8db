"""Audio mix."""

import keras

from perfkit import _check
from perfkit.augment.audio.audio import WaveformAugment
from perfkit.ops import clip


@keras.saving.register_keras_serializable(package="perfkit")
class AudioMix(WaveformAugment):
    """Lay another waveform of the batch under each, at a random ratio.

    Labels stay those of the louder one; `AudioMixUp` mixes them too. The ratio of the
    powers is met exactly in each sample, over all channels and without the padding.
    Silence stays silent.

    Args:
        snr: Ratio to what is laid under, in decibels, or `(low, high)` of it, uniform
            and drawn per sample. Within [-100, 100].
        **kwargs: See `WaveformAugment` (`rate`, `seed`, ...).

    Shape:
        `(batch, samples)` or `(batch, samples, channels)`; same shape out.

    Raises:
        ValueError: If `snr` is not an ordered pair within bounds; at the call, if the
            waveforms are not a batch.

    Example:
        >>> import numpy as np
        >>> pair = np.array([[1.0, -1.0, 0.0], [0.0, 3.0, -3.0]])
        >>> mixed = keras.ops.convert_to_numpy(AudioMix(20.0)(pair))
        >>> (10 * mixed).round().tolist()
        [[10.0, -9.0, -1.0], [3.0, 27.0, -30.0]]

    Reference: Chen et al., WavLM: Large-Scale Self-Supervised Pre-Training for Full
        Stack Speech Processing, 2021, 2110.13900, who mix part of the other one in,
        for some of a batch.
    """

    borrows = True

    def __init__(self, snr=(3.0, 30.0), **kwargs):
        super().__init__(**kwargs)
        self.snr = _check.fixed_or_span("AudioMix", "snr", snr, -100.0, 100.0)

    def parameters(self, rng):
        return {"partner": rng.partner(), "snr": rng.uniform(*self.snr)}

    def clips(self, clips, params):
        other, length = params["other"], params["length"]
        return clip.at_ratio(clips, other, length, params["snr"])
