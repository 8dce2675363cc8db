"""The family of operations that hide some pixels."""

from typing import Any

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import noise


class DropAugment(PixelAugment):
    """Replace some pixels of each image by what says nothing of them.

    Masks, boxes, keypoints and labels stay, as what is hidden is there all the same.

    Args:
        fill_value: What dropped pixels become: a number; a list of numbers, one a
            channel; `"noise"`, uniform over the value range and drawn for each
            channel of each pixel; or `"mean"`, the mean colour of the image.
        value_range: `(low, high)` of the pixel values.
        **kwargs: See `PixelAugment` (`rate`, `seed`, ...).
    """

    def __init__(self, *, fill_value: Any = 0.0, value_range=(0, 255), **kwargs):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.fill_value = _check.filling(owner, "fill_value", fill_value)
        self.value_range = _check.value_range(owner, value_range)

    def dropped(self, params, height, width):
        """Operation: booleans `(batch, height, width, 1)`; `params` as for `pixels`."""
        raise NotImplementedError

    def draw(self, rng, training):
        # Drawn first, so that it does not depend on `rate`.
        bits = rng.bits() if training and self.fill_value == "noise" else None
        params = super().draw(rng, training)
        if params is None or bits is None:
            return params
        return {**params, "noise": bits}

    def transform(self, canvas, params, chosen):
        if isinstance(self.fill_value, list):
            canvas.check_channels(self.name)
            if len(self.fill_value) != canvas.channels:
                raise ValueError(
                    f"{self.name}: has {len(self.fill_value)} numbers, one for each of "
                    f"as many channels. Received images of {canvas.channels} channels."
                )
        super().transform(canvas, params, chosen)

    def pixels(self, images, params):
        _, height, width, channels = ops.shape(images)
        fill = self.fill_value
        if fill == "mean":
            fill = ops.mean(images, axis=(1, 2))[:, None, None, :]
        elif fill == "noise":
            low, high = self.value_range
            field = noise.uniform(params["noise"], height, width, channels)
            fill = low + (high - low) * field
        else:
            fill = ops.convert_to_tensor(fill, "float32")
        return ops.where(self.dropped(params, height, width), fill, images)
