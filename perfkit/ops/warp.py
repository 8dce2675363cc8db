"""Resample NHWC images, by gather only.

Gathers compile under XLA; TensorFlow's `ImageProjectiveTransformV3` does not.
"""

from perfkit._backend import dtype_of, gather_pixels, ops

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
INTERPOLATIONS = ("nearest", "bilinear")
_TIE = 1e-4  # pixels: so that halfway between two, rounding errors do not decide


def warp(images, x, y, interpolation, fill_mode):
    """Read each output pixel from its place in the input.

    Args:
        images: `(batch, height, width, channels)`, any dtype.
        x: float32 `(batch, rows, columns)`, in pixels from the left edge.
        y: The same from the upper edge.
        interpolation: One of `INTERPOLATIONS`.
        fill_mode: One of `FILL_MODES`.

    Returns:
        Values `(batch, rows, columns, channels)`, float32 or, if `"nearest"`, in
        the dtype of `images`; and the share of each that comes from inside the
        image, `(batch, rows, columns, 1)`, or `None` where that is all of it.
    """
    rows, columns = ops.shape(images)[1], ops.shape(images)[2]
    x, y = x - 0.5, y - 0.5  # from the centre of the first pixel
    if interpolation == "nearest":
        x, y = ops.floor(x + (0.5 + _TIE)), ops.floor(y + (0.5 + _TIE))
    x_taps, y_taps = _taps(x, columns, fill_mode), _taps(y, rows, fill_mode)
    if interpolation == "nearest":
        (x, _, x_inside), (y, _, y_inside) = x_taps[0], y_taps[0]
        values = gather_pixels(images, y * columns + x)
        if fill_mode != "constant":
            return values, None
        inside = (x_inside & y_inside)[..., None]
        return _keep(inside, values), ops.cast(inside, "float32")

    values, coverage = 0.0, 0.0
    for y, y_weight, y_inside in y_taps:
        for x, x_weight, x_inside in x_taps:
            weight = (y_weight * x_weight)[..., None]
            if fill_mode == "constant":
                weight = _keep((x_inside & y_inside)[..., None], weight)
                coverage = coverage + weight
            picked = gather_pixels(images, y * columns + x)
            values = values + ops.cast(picked, "float32") * weight
    return values, coverage if fill_mode == "constant" else None


def filled(values, coverage, value):
    """Put a constant where nothing is known, as `warp` returned it."""
    dtype = dtype_of(values)
    if dtype == "float32":
        return values + (1.0 - coverage) * value
    fill = ops.cast(ops.zeros_like(coverage) + value, dtype)
    return ops.where(coverage > 0.0, values, fill)


def _keep(condition, x):
    return ops.where(condition, x, ops.zeros_like(x))


def _taps(v, size, fill_mode):
    """Both neighbours of `v` along one axis: index, weight, and if it is inside."""
    extent = ops.cast(size, "float32")
    if fill_mode == "reflect":
        v = v + 0.5
        v = v - ops.floor(v * (0.5 / extent)) * (2.0 * extent)
        v = ops.minimum(v, 2.0 * extent - v) - 0.5
    elif fill_mode == "wrap":
        v = v - ops.floor(v * (1.0 / extent)) * extent
    if fill_mode in ("reflect", "nearest"):
        v = ops.clip(v, 0.0, extent - 1.0)
    low = ops.floor(v)
    part = v - low
    high = low + 1.0
    inside_low = (low >= 0.0) & (low < extent)
    inside_high = (high >= 0.0) & (high < extent)
    if fill_mode == "wrap":
        low = ops.where(low >= extent, 0.0, low)  # the division may round up
        high = ops.where(high >= extent, 0.0, high)

    def index(position):  # NaN reads the first pixel; `clip` would keep it
        last = ops.minimum(position, extent - 1.0)
        return ops.cast(ops.where(position > 0.0, last, 0.0), "int32")

    return [
        (index(low), 1.0 - part, inside_low),
        (index(high), part, inside_high),
    ]
