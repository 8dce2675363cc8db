"""The families of operations on audio."""

import types
from typing import Any

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment._arrays import Arrays
from perfkit.augment.operation import Operation
from perfkit.ops import clip


class Waveforms(Arrays):
    """Waveforms, and how many of their samples are not padding."""

    main = "waveforms"
    one = "one waveform"
    axes = ("samples",)
    channels = True
    beside = types.MappingProxyType({"lengths": 0})
    mistaken = types.MappingProxyType(
        {
            "label": "labels",
            "audio": "waveforms",
            "audios": "waveforms",
            "waveform": "waveforms",
            "length": "lengths",
        }
    )
    one_shape = "Pad or bucket the waveforms, with their `lengths` beside them"


class Spectrograms(Arrays):
    """Spectrograms, and how many of their frames are not padding.

    Args:
        owner: Name of the class whose argument it is.
        time_first: See `SpectrogramAugment`.
    """

    main = "spectrograms"
    one = "one spectrogram"
    axes = ("frames", "bins")
    channels = True
    beside = types.MappingProxyType({"lengths": 0})
    mistaken = types.MappingProxyType(
        {"label": "labels", "spectrogram": "spectrograms", "length": "lengths"}
    )
    one_shape = "Pad or bucket the spectrograms, with their `lengths` beside them"

    def __init__(self, owner, time_first=True):
        self.time_first = _check.boolean(owner, "time_first", time_first)
        if not self.time_first:
            self.axes = ("bins", "frames")

    def lay_out(self, values):
        if self.time_first:
            return values
        channels = range(3, len(values.shape))
        return ops.transpose(values, (0, 2, 1, *channels))


class AudioAugment(Operation):
    """Base of the families that augment audio: what is padding stays as it is.

    Inputs are an array, or a dict with any of `"labels"`, `"lengths"`, `(batch,)`
    integers, how many samples or frames come before the padding, and keys that pass
    by untouched. Values are integers or floats on any scale, and are not cut off.
    They come out in the layer's compute dtype.

    Args:
        **kwargs: See `Operation` (`rate`, `seed`, ...).
    """

    borrows = False  # whether samples take from others of the batch

    def clips(self, clips, params) -> Any:
        """Operation: return new clips, from float32 ones `(batch, time, ...)`.

        Waveforms have an axis of channels, spectrograms one of bins and one of
        channels. `params` come in shape `(batch, 1, ...)`, one for each clip, and with
        them the `"length"` of each, int32. Where a `"partner"` was drawn there is an
        `"other"`: that partner's clip, with zeros for its padding.
        """
        raise NotImplementedError

    def lengths(self, lengths, params) -> Any:
        """Operation: return new lengths of clips, if it changes them."""
        return lengths

    def check_inputs(self, inputs):
        if self.borrows:
            self.modality.check_batch(self.name, inputs)

    def transform(self, canvas, params, chosen):
        main, everything, time = canvas.main, canvas.parts, canvas.size[0]

        def change(parts, params):
            clips = parts[main]

            def spread(x):
                return ops.reshape(x, (-1,) + (1,) * (len(clips.shape) - 1))

            length = _lengths(parts, main)
            more = {"length": spread(length)}
            if "partner" in params:
                other = {
                    key: ops.take(x, params["partner"], axis=0)
                    for key, x in everything.items()
                }
                inside = clip.inside(spread(_lengths(other, main)), time)
                more["other"] = ops.where(inside, other[main], 0.0)
            shaped = {name: spread(x) for name, x in params.items()}
            changed = self.clips(clips, {**shaped, **more})
            if "lengths" not in parts:
                return {main: changed}
            after = ops.minimum(self.lengths(length, params), time)
            inside = clip.inside(spread(ops.maximum(length, after)), time)
            return {main: ops.where(inside, changed, clips), "lengths": after}

        canvas.change(change, params, chosen)


def _lengths(parts, main):
    """How much of each clip is not padding, int32 `(batch,)`."""
    batch, time = ops.shape(parts[main])[:2]
    whole = ops.zeros((batch,), "int32") + time
    if "lengths" not in parts:
        return whole
    return ops.clip(parts["lengths"], 0, time)


class WaveformAugment(AudioAugment):
    """Change waveforms; labels stay.

    Inputs are waveforms `(batch, samples)`, `(batch, samples, channels)` or one
    `(samples,)`, or a dict with `"waveforms"`.

    Args:
        **kwargs: See `AudioAugment` (`rate`, `seed`, ...).
    """

    modality = Waveforms()


class SpectrogramAugment(AudioAugment):
    """Change spectrograms; labels stay.

    Inputs are spectrograms `(batch, frames, bins)`, `(batch, frames, bins, channels)`
    or one `(frames, bins)`, or a dict with `"spectrograms"`.

    Args:
        time_first: Whether frames come before bins, as from
            `keras.layers.STFTSpectrogram`. `keras.layers.MelSpectrogram` puts bins
            first.
        **kwargs: See `AudioAugment` (`rate`, `seed`, ...).
    """

    def __init__(self, *, time_first=True, **kwargs):
        super().__init__(**kwargs)
        self.modality = Spectrograms(type(self).__name__, time_first)
        self.time_first = self.modality.time_first
