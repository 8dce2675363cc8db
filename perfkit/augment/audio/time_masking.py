"""Time masking."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.audio.audio import SpectrogramAugment
from perfkit.ops import clip


@keras.saving.register_keras_serializable(package="perfkit")
class TimeMasking(SpectrogramAugment):
    """Hide random bands of frames of each spectrogram.

    Each is 0 to `width` frames wide, all as likely, anywhere before the padding;
    bands may overlap. Widths and places are drawn per sample.

    Args:
        width: Widest band in frames. At least 1.
        masks: Number of bands. At least 1.
        max_fraction: Widest band as a share of the frames. Within [0, 1].
        fill_mode: What bands show: `"constant"`, or `"mean"` of the sample.
        fill_value: Value for `"constant"`.
        **kwargs: See `SpectrogramAugment` (`time_first`, `rate`, ...).

    Shape:
        `(batch, frames, bins)`, `(batch, frames, bins, channels)` or one
        `(frames, bins)`; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> hidden = np.array(TimeMasking(2, masks=1)(np.ones((64, 10, 4)))) == 0
        >>> np.unique(hidden.sum(axis=(1, 2))).tolist()  # 0, 1 or 2 frames of 4 bins
        [0, 4, 8]

    Reference: Park et al., SpecAugment: A Simple Data Augmentation Method for
        Automatic Speech Recognition, 2019, 1904.08779. Its
        LibriSpeech policies have no limit as a share, and its code draws widths below
        `width`.
    """

    def __init__(
        self,
        width=100,
        masks=2,
        max_fraction=0.2,
        fill_mode="constant",
        fill_value=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        owner = "TimeMasking"
        self.width = _check.integer(owner, "width", width)
        self.masks = _check.integer(owner, "masks", masks)
        self.max_fraction = _check.unit(owner, "max_fraction", max_fraction)
        self.fill_mode = _check.one_of(owner, "fill_mode", fill_mode, clip.FILL_MODES)
        self.fill_value = _check.number(owner, "fill_value", fill_value)

    def parameters(self, rng):
        return {"bits": rng.bits()}

    def clips(self, clips, params):
        frames = ops.shape(clips)[1]
        length = ops.reshape(params["length"], (-1,))
        limits = (self.masks, self.width, self.max_fraction)
        hidden = clip.bands(params["bits"], *limits, length, frames)
        fill = self.fill_value
        if self.fill_mode == "mean":
            fill = clip.mean(clips, params["length"])
        return ops.where(hidden[:, :, None, None], fill, clips)
