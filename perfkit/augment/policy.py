"""The family of published policies, which choose operations per image."""

from typing import Any

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment import bank
from perfkit.augment.image import ImageAugment
from perfkit.augment.motion import Sampling, check_masks
from perfkit.ops.warp import FILL_MODES, INTERPOLATIONS


class PolicyAugment(ImageAugment):
    """Apply a few of the policies' operations to each image, chosen per image.

    Two operations in a row cost about one resample and a few maps of colours;
    sharpness, automatic contrast and equalization run on those images only that
    were dealt to them. Enhancements are as in PIL: brightness scales, contrast is
    about the mean luma. Values are not rounded between operations. Shears are about
    the top left corner, as in the papers' code. Masks, boxes and keypoints follow.

    Args:
        value_range: `(low, high)` of the pixel values.
        interpolation: `"bilinear"` or `"nearest"`, for images.
        fill_mode: What lies outside a moved image; see `WarpAugment`.
        fill_value: Pixel value outside with `fill_mode="constant"`; `None` takes the
            middle of the value range, the papers' grey.
        mask_interpolation: As `interpolation`, for masks.
        mask_fill_value: Value of masks outside with `fill_mode="constant"`.
        **kwargs: See `ImageAugment` (`rate`, `seed`, ...).
    """

    deals = True
    reaches = bank.PAPER
    pixels = False  # whether translations are in pixels, not shares of the size
    # The operations of each slot, and the shares of the batch dealt to each.
    slots: tuple[dict[str, tuple[float, ...]], ...]

    def __init__(
        self,
        *,
        value_range=(0, 255),
        interpolation="bilinear",
        fill_mode="constant",
        fill_value=None,
        mask_interpolation="nearest",
        mask_fill_value=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.value_range = _check.value_range(owner, value_range)
        self.interpolation = _check.one_of(
            owner, "interpolation", interpolation, INTERPOLATIONS
        )
        self.fill_mode = _check.one_of(owner, "fill_mode", fill_mode, FILL_MODES)
        if fill_value is not None:
            fill_value = _check.number(owner, "fill_value", fill_value)
        self.fill_value = fill_value
        self.mask_interpolation = _check.one_of(
            owner, "mask_interpolation", mask_interpolation, INTERPOLATIONS
        )
        self.mask_fill_value = _check.number(owner, "mask_fill_value", mask_fill_value)

    def plan(self, rng) -> list[tuple[Any, Any]]:
        """Operation: draw number and level in [0, 1] of the operation of each slot."""
        raise NotImplementedError

    def settings(self):
        """What the operations share."""
        low, high = self.value_range
        fill = (low + high) / 2.0 if self.fill_value is None else self.fill_value
        sampling = Sampling(
            self.interpolation,
            self.fill_mode,
            fill,
            self.mask_interpolation,
            self.mask_fill_value,
        )
        return bank.Settings(self.value_range, sampling, self.pixels)

    def parameters(self, rng):
        params = {}
        for slot, (operation, level) in enumerate(self.plan(rng)):
            value = bank.amount(operation, level, rng.sign(), self.reaches)
            params[f"operation_{slot}"], params[f"value_{slot}"] = operation, value
        return params

    def transform(self, canvas, params, chosen):
        canvas.check_channels(self.name)
        settings = self.settings()
        check_masks(self.name, settings.sampling, canvas.masks)
        for slot, limits in enumerate(self.slots):
            operation = params[f"operation_{slot}"]
            if chosen is not None:
                operation = ops.where(chosen.mask, operation, 0)
            value = params[f"value_{slot}"]
            bank.perform(canvas, operation, value, settings, limits)


def evenly(names):
    """A slot whose operations are equally likely."""
    return {name: (1.0 / len(names),) for name in names}


def numbers(names, choice):
    """Numbers in the bank of choices among names, int32."""
    table = ops.convert_to_tensor([bank.NUMBER[name] for name in names], dtype="int32")
    return ops.take(table, choice, axis=0)
