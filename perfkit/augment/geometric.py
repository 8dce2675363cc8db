"""The family of operations that move pixels by one homography."""

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.image import ImageAugment
from perfkit.augment.motion import Sampling, check_masks
from perfkit.ops.warp import FILL_MODES, INTERPOLATIONS


class GeometricAugment(ImageAugment):
    """Move pixels; masks, boxes and keypoints follow the same matrix.

    Masks are filled with 0, unless the operation leaves the choice. A box becomes the
    axis-aligned hull of the moved box, clipped to the image. Keypoints are moved, and
    kept when they leave the image.

    Args:
        mask_interpolation: `"nearest"`, or `"bilinear"` for masks of floats. `None`
            takes that of what it shares a resample with, else `"nearest"`.
        **kwargs: See `ImageAugment` (`rate`, `seed`, ...).
    """

    needs = 0
    # None: pixels go to whole pixels, or nothing outside the image is seen.
    interpolation: str | None = None
    fill_mode: str | None = None
    fill_value = 0.0
    mask_fill_value = 0.0
    affine = True  # whether the last row of the matrix is 0, 0, 1

    def __init__(self, *, mask_interpolation=None, **kwargs):
        super().__init__(**kwargs)
        if mask_interpolation not in (None, *INTERPOLATIONS):
            allowed = f"one of {sorted(INTERPOLATIONS)}, or None"
            owner = type(self).__name__
            _check.fail(owner, "mask_interpolation", allowed, mask_interpolation)
        self.mask_interpolation = mask_interpolation

    def matrix(self, params, height, width):
        """Operation: return the `(batch, 3, 3)` map from input to output pixels."""
        raise NotImplementedError

    def output_size(self, height, width):
        """Operation: size of the result, in pixels."""
        return height, width

    def interpolation_for(self, height, width):
        """Operation: how to resample an image of this size, in pixels."""
        return self.interpolation

    def observe(self, canvas):
        """Operation: parameters that depend on the inputs, such as on their boxes.

        The place to refuse inputs, too.
        """
        return {}

    def transform(self, canvas, params, chosen):
        params = {**params, **self.observe(canvas)}
        size = canvas.size
        matrix = self.matrix(params, *canvas.extent)
        if chosen is not None:
            rest = self.at_inference(canvas.samples)
            if rest is None:
                rest = ops.eye(3, dtype="float32")[None]
            else:
                rest = self.matrix(rest, *canvas.extent)
            matrix = ops.where(chosen.mask[:, None, None], matrix, rest)
        sampling = self.sampling(canvas)
        canvas.move(matrix, self.output_size(*size), sampling, self.affine)

    def sampling(self, canvas):
        """How to resample this canvas; an error if its masks cannot be."""
        sampling = Sampling(
            self.interpolation_for(*canvas.size),
            self.fill_mode,
            self.fill_value,
            self.mask_interpolation,
            self.mask_fill_value,
        )
        check_masks(self.name, sampling, canvas.masks)
        return sampling


class WarpAugment(GeometricAugment):
    """A geometric operation that resamples, and looks outside the image.

    Args:
        fill_mode: What lies outside: `"constant"` (k k | a b c | k k),
            `"nearest"` (a a | a b c | c c), `"reflect"` (b a | a b c | c b) or
            `"wrap"` (b c | a b c | a b).
        interpolation: `"bilinear"` or `"nearest"`, for images.
        fill_value: Pixel value outside with `fill_mode="constant"`.
        mask_interpolation: See `GeometricAugment`; by default `"nearest"`.
        mask_fill_value: The same as `fill_value`, for masks, such as the class that
            a loss ignores.
        **kwargs: See `GeometricAugment`.
    """

    def __init__(
        self,
        *,
        fill_mode="reflect",
        interpolation="bilinear",
        fill_value=0.0,
        mask_interpolation="nearest",
        mask_fill_value=0.0,
        **kwargs,
    ):
        super().__init__(mask_interpolation=mask_interpolation, **kwargs)
        owner = type(self).__name__
        self.fill_mode = _check.one_of(owner, "fill_mode", fill_mode, FILL_MODES)
        self.interpolation = _check.one_of(
            owner, "interpolation", interpolation, INTERPOLATIONS
        )
        self.fill_value = _check.number(owner, "fill_value", fill_value)
        self.mask_fill_value = _check.number(owner, "mask_fill_value", mask_fill_value)


def want_squares(canvas, name, remedy) -> None:
    """Raise an error that names the layer unless images are square."""
    height, width = canvas.size
    if not isinstance(height, int) or not isinstance(width, int):
        canvas.rules.append(("square", height == width))
    elif height != width:
        raise ValueError(
            f"{name}: a quarter turn needs square images. Crop or resize them to a "
            f"square before the layer, or {remedy}. Received: height={height}, "
            f"width={width}"
        )


def center(height, width):
    """The middle of an image, as `(x, y)`."""
    return width / 2.0, height / 2.0
