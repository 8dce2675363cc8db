"""Rectangular windows of an image, and the homographies that show them."""

from perfkit._backend import ops
from perfkit.ops import affine


def show(left, top, width, height, out_width, out_height):
    """Stretch the window at `(left, top)` over a frame of the output's size."""
    scale = affine.scaling(out_width / width, out_height / height)
    return affine.compose(scale, affine.translation(-left, -top))


def crop(x, y, height, width, out_height, out_width):
    """Cut out a frame of the output's size, at whole pixels.

    `x` and `y` in (0, 1] say where: 0.5 is the middle, rounded up and to the left.
    An image too small is first enlarged until the frame fits.
    """
    cover = ops.maximum(out_height / height, out_width / width)
    scale = ops.where(cover > 1.0, cover, 1.0)
    room_x, room_y = width * scale - out_width, height * scale - out_height
    left = ops.minimum(-ops.floor(-x * (room_x + 1.0)) - 1.0, room_x)
    top = ops.minimum(-ops.floor(-y * (room_y + 1.0)) - 1.0, room_y)
    shift = affine.translation(-left, -top)
    return affine.compose(shift, affine.scaling(scale, scale))


def crop_interpolation(height, width, out_height, out_width):
    """How to resample a `crop`: `None` where pixels surely go to whole pixels."""
    known = isinstance(height, int) and isinstance(width, int)
    return None if known and height >= out_height and width >= out_width else "bilinear"


def of_area(area, place, ratio, height, width):
    """Height and width of a window of a share of the image's area.

    The aspect is uniform in its logarithm, at `place` in [0, 1) between the ends of
    `ratio`, as far as such a window fits.
    """
    lowest = ops.maximum(ratio[0], area * width / height)
    highest = ops.minimum(ratio[1], width / (area * height))
    lowest = ops.minimum(lowest, highest)
    aspect = lowest * ops.power(highest / lowest, place)
    pixels = area * height * width
    tall, wide = ops.sqrt(pixels / aspect), ops.sqrt(pixels * aspect)
    shrink = ops.minimum(ops.minimum(height / tall, width / wide), 1.0)
    return tall * shrink, wide * shrink


def largest(aspect, height, width):
    """Height and width of the largest window with `aspect` = width / height."""
    return ops.minimum(height, width / aspect), ops.minimum(width, height * aspect)


def around(hull, shares, height, width):
    """Left, top, width and height of a window that holds the box `hull`.

    The four `shares` in [0, 1) say where its left, top, right and bottom edges are:
    from the image's own edges, for the first two, to those of the box.
    """
    left, top = hull[:, 0] * shares[0], hull[:, 1] * shares[1]
    right = hull[:, 2] + (width - hull[:, 2]) * shares[2]
    bottom = hull[:, 3] + (height - hull[:, 3]) * shares[3]
    wide = ops.maximum(right - left, 1.0)
    tall = ops.maximum(bottom - top, 1.0)
    return (
        ops.minimum(left, width - wide),
        ops.minimum(top, height - tall),
        wide,
        tall,
    )


def fit(height, width, out_height, out_width):
    """Scale an image until it just fits into a frame, and centre it there.

    Its edges come to lie between pixels, so that it may be stretched by half a pixel
    in one direction.
    """
    scale = ops.minimum(out_height / height, out_width / width)
    tall = ops.maximum(ops.round(height * scale), 1.0)
    wide = ops.maximum(ops.round(width * scale), 1.0)
    top = ops.floor((out_height - tall) / 2.0)
    left = ops.floor((out_width - wide) / 2.0)
    stretch = affine.scaling(wide / width, tall / height)
    return affine.compose(affine.translation(left, top), stretch)


def largest_whole(height, width, out_height, out_width):
    """Top, left, height and width in whole pixels of the largest centred window.

    It has the aspect of the output.
    """
    # Multiplied first: a quotient of sizes may round below a whole number.
    tall = _greater(_smaller(height, width * out_height // out_width), 1.0)
    wide = _greater(_smaller(width, height * out_width // out_height), 1.0)
    return (height - tall) / 2 // 1, (width - wide) / 2 // 1, tall, wide


def smallest_whole(height, width, out_height, out_width):
    """The same for the smallest frame around the image; its ends are negative."""
    tall = _greater(height, width * out_height // out_width)
    wide = _greater(width, height * out_width // out_height)
    return -((tall - height) / 2 // 1), -((wide - width) / 2 // 1), tall, wide


def _smaller(a, b):
    known = isinstance(a, float) and isinstance(b, float)
    return min(a, b) if known else ops.minimum(a, b)


def _greater(a, b):
    known = isinstance(a, float) and isinstance(b, float)
    return max(a, b) if known else ops.maximum(a, b)
