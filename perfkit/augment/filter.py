"""A change of pixel values, and in what ways it can be made."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Filter(NamedTuple):
    """A function of images, and what is known of it.

    Attributes:
        pixels: From float32 NHWC images, and `params` of the shape `(images, 1, 1, 1)`,
            to new images of the same shape.
        joined: Whether a video is one image, its frames below each other.
        pointwise: Whether a new value depends on the old one alone.
        value_range: `(low, high)` that results are within, or `None` if they are
            within that of the input.
        of_bytes: The same on the host, from one image of bytes, `(height, width,
            channels)`, and `params` of one number each, to a new one.
        prepare: What of that is worked out for all samples at once: from `params` of
            the shape `(samples,)`, height and width, to more of them, `(samples, ...)`.
        writes: Whether `of_bytes` writes to the image it is given, and returns it.
        amplifies: Whether small differences of values may become large. `of_bytes` then
            takes float32 images too, of what was not rounded yet.
    """

    pixels: Callable[[Any, Any], Any]
    joined: bool = False
    pointwise: bool = False
    value_range: Any = None
    of_bytes: Callable[[Any, Any], Any] | None = None
    prepare: Callable[[Any, int, int], dict[str, Any]] | None = None
    writes: bool = False
    amplifies: bool = False
