"""The family of operations that hide some pixels."""

from typing import Any

import numpy as np

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import noise
from perfkit.ops.host import colors
from perfkit.ops.host import noise as host


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

    writes = True

    @property
    def result_range(self):
        fill = self.fill_value
        fills = [] if isinstance(fill, str) else np.ravel(fill).tolist()
        known = [*self.value_range, *fills]
        return min(known), max(known)

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
            field = noise.levels(params["noise"], height, width, channels)
            fill = low + ((high - low) / 255.0) * field
        else:
            fill = ops.convert_to_tensor(fill, "float32")
        return ops.where(self.dropped(params, height, width), fill, images)

    def rectangles(self, params, height, width) -> tuple[Any, Any]:
        """Operation: on the host, all that is dropped, if it is rectangles.

        Where they start and stop from top to bottom, and from left to right, int
        `(batch, n, 4)`, and how many there are in each image, `(batch,)`.
        """
        return None, None

    def prepare(self, params, height, width):
        ends, number = self.rectangles(params, height, width)
        return {} if ends is None else {"ends": ends, "number_of_ends": number}

    def of_bytes(self, image, params):
        height, width, channels = image.shape
        fill = self._filling(image, params)
        if "ends" not in params:
            params = {name: np.reshape(x, (1, 1, 1, 1)) for name, x in params.items()}
            places = np.flatnonzero(self.dropped(params, height, width))
            image.reshape(height * width, channels)[places] = fill(places)
            return image
        rows = np.arange(0, height * width, width, dtype="uint32")[:, None]
        ends = params["ends"][: params["number_of_ends"]]
        for top, bottom, left, right in ends.tolist():
            places = rows[top:bottom] + np.arange(left, right, dtype="uint32")
            image[top:bottom, left:right] = fill(places)
        return image

    def _filling(self, image, params):
        """What pixels of one image of bytes become, a function of their places."""
        fill, channels = self.fill_value, image.shape[-1]
        if fill == "noise":
            return lambda places: host.levels(params["noise"], places, channels)
        if fill == "mean":
            fill = image.mean(axis=(0, 1), dtype="float32")
        plain = colors.whole(np.array(fill, "float32", ndmin=1))
        return lambda _: plain
