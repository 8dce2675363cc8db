"""The family of operations that map colours linearly."""

from typing import Any

from perfkit.augment.image import ImageAugment


class ColorAugment(ImageAugment):
    """Map colours by one matrix; masks, boxes, keypoints and labels stay.

    Operations on channels as such serve any number of channels. Those on colours
    take the first three channels as red, green and blue, leave further ones
    (alpha, depth) alone, and leave images of fewer channels as they are.

    Args:
        **kwargs: See `ImageAugment` (`rate`, `seed`, ...).
    """

    needs = 1
    uses_mean = False  # whether `params["mean"]`, `(batch, channels)`, is wanted
    counts_channels = False  # whether `params["channels"]`, their number, is wanted
    value_range: Any = None  # (low, high)
    cuts_off = True  # whether results are cut off at `value_range`, if there is one

    def color(self, params):
        """Operation: return a `perfkit.ops.color.ColorMatrix` per sample."""
        raise NotImplementedError

    def transform(self, canvas, params, chosen):
        if self.uses_mean:
            params = {**params, "mean": canvas.mean()}
        if self.counts_channels:
            canvas.check_channels(self.name)
            params = {**params, "channels": canvas.channels}
        bounds = self.value_range if self.cuts_off else None
        colors = self.color(params)
        if colors.mixes:
            canvas.check_channels(self.name)
        for row in colors if not colors.mixes else ():
            if row.shape[-1] not in (1, canvas.channels):
                raise ValueError(
                    f"{self.name}: has {row.shape[-1]} numbers, one for each of as "
                    f"many channels. Received images of {canvas.channels} channels."
                )
        canvas.paint(colors, bounds, chosen)
