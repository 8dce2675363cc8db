"""Resampling NumPy images along a path; images `(batch, height, width, channels)`."""

import functools
from typing import Any

import numpy as np

from perfkit.ops import affine, paths
from perfkit.ops.host import cv2, flat

# Of a pixel: halfway between two the later one is nearest, as in `perfkit.ops.warp`.
# OpenCV moves images in steps of 1/1024.
_TIE, _COARSE_TIE = 1e-4, 1.2e-3
_NEAR = 1e-3  # of a pixel: what counts as a whole one
_ENLARGED = 4.0  # the most that a window is enlarged by a resize
_FILLED = 4  # channels: the most that OpenCV fills at once
_FLIPS = (None, 1, 0, -1)  # what `cv2.flip` takes: not at all, across, down, both
_TURNED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # bytes of pixels that OpenCV transposes
_KEPT = ("uint8", "int16", "uint16", "float32")  # what OpenCV resamples


@functools.cache
def _borders():
    return {
        "constant": cv2().BORDER_CONSTANT,
        "nearest": cv2().BORDER_REPLICATE,
        "reflect": cv2().BORDER_REFLECT,
        "wrap": cv2().BORDER_WRAP,
    }


def warped(images, path, size, interpolation, fill_mode, fill_value):
    """Images moved along a path into a frame of `size`.

    In their dtype, or in float32 where OpenCV cannot interpolate that.
    """
    nearest = (interpolation or "nearest") == "nearest"
    dtype, channels = images.dtype, images.shape[-1]
    if dtype.name in _KEPT:
        fills = [fill_value] * channels
        return _moved(images, path, size, nearest, fill_mode, fills)
    if not nearest:
        images, fills = images.astype("float32"), [fill_value] * channels
        return _moved(images, path, size, nearest, fill_mode, fills)
    # The bytes of each value, which are only copied.
    fills = np.full(channels, fill_value, dtype).view("uint8").tolist()
    parts = np.ascontiguousarray(images).view("uint8")
    return _moved(parts, path, size, nearest, fill_mode, fills).view(dtype)


def _moved(images, path, size, nearest, fill_mode, fills):
    how = {
        "flags": cv2().INTER_NEAREST if nearest else cv2().INTER_LINEAR,
        "borderMode": _borders()[fill_mode or "nearest"],
    }
    out = np.empty((len(images), *size, images.shape[-1]), images.dtype)
    shortcuts = _shortcuts(path, images, size, nearest, fill_mode, fills)
    move = None
    for k, image in enumerate(images):
        shortcut = shortcuts[k]
        if shortcut is not None:
            shortcut(image, out[k])
            continue
        if move is None:
            move = (_bender if path.bends else _mover)(path, size, how)
        for first in range(0, image.shape[-1], _FILLED):
            part = image[..., first : first + _FILLED]
            fill = fills[first : first + _FILLED]
            if part.shape == image.shape:
                into = flat(out[k])
                moved = move(flat(part), k, into, fill)
                if moved is not into:
                    into[...] = moved
            else:
                moved = move(np.ascontiguousarray(part), k, None, fill)
                out[k, ..., first : first + _FILLED] = moved.reshape(*size, -1)
    return out


def _mover(path, size, how):
    """A function that moves one image through its homography."""
    linear = path.matrix[:, :2, :2]
    upright = (linear[:, 0, 1] == 0.0) & (linear[:, 1, 0] == 0.0)
    # Only there whole rows and columns are halfway.
    tie = np.where(upright & _is_nearest(how), _COARSE_TIE, 0.0)
    # OpenCV counts from the middle of the first pixel.
    middle = (0.5 - tie).astype("float32")
    shift = affine.translation(-0.5, -0.5), affine.translation(middle, middle)
    matrices = affine.compose(affine.compose(shift[0], path.matrix), shift[1])
    matrices = matrices.astype("float64")
    height, width = size
    rows = 2 if path.affine else 3
    function = cv2().warpAffine if path.affine else cv2().warpPerspective

    def move(image, k, out, fill):
        options = {**how, "dst": out, "borderValue": fill}
        return function(image, matrices[k, :rows], (width, height), **options)

    return move


def _bender(path, size, how):
    """A function that reads one image from where its fields say."""
    middle = 0.5 - (_TIE if _is_nearest(how) else 0.0)

    def move(image, k, out, fill):
        x, y = paths.sources(paths.part(path, k), *size)
        places = [place[0] - np.float32(middle) for place in (x, y)]
        how_to = how["flags"], out, how["borderMode"], fill
        return cv2().remap(image, *places, *how_to)

    return move


def _is_nearest(how):
    return how["flags"] == cv2().INTER_NEAREST


def _shortcuts(path, images, size, nearest, fill_mode, fills):
    """For each image a function that moves it without a matrix, or `None`.

    Flips, quarter turns and windows of whole pixels are copied, and windows that are
    only stretched are resized.
    """
    if path.bends or not path.affine:
        return [None] * len(images)
    before = images.shape[1:3]
    found = _copies(path.matrix, before, size)
    if None in found:
        fill = fills[0] if fill_mode == "constant" else None
        for k, corners in _stretches(path.matrix, before, size):
            if found[k] is not None:
                continue
            if nearest:
                found[k] = functools.partial(_repeated, corners, size)
            elif fill_mode != "wrap" or not any(_at_edges(corners, before)):
                found[k] = functools.partial(_stretched, corners, size, fill)
    return found


def _copies(matrices, before, size) -> list[Any]:
    """For each image a function that copies it, or `None`."""
    tall, wide = before
    height, width = size
    linear, shift = matrices[:, :2, :2], matrices[:, :2, 2]
    signs = np.rint(linear)
    lengths = np.abs(signs)
    whole = np.abs(linear - signs).max(axis=(1, 2)) * max(tall, wide) < _NEAR
    whole &= np.abs(shift - np.rint(shift)).max(axis=1) < _NEAR
    for axis in (1, 2):
        whole &= (lengths.sum(axis=axis) == 1.0).all(axis=1)
    if not whole.any():
        return [None] * len(matrices)
    turned = lengths[:, 0, 1] == 1.0
    # Where the window begins in the image before, once it is turned and flipped.
    across, down = signs.sum(axis=2).T
    image_wide = np.where(turned, tall, wide)
    image_tall = np.where(turned, wide, tall)
    left = np.where(across > 0, -shift[:, 0], image_wide - shift[:, 0])
    top = np.where(down > 0, -shift[:, 1], image_tall - shift[:, 1])
    left, top = np.rint(left).astype("int64"), np.rint(top).astype("int64")
    whole &= (left >= 0) & (top >= 0)
    whole &= (left + width <= image_wide) & (top + height <= image_tall)
    flips = np.where(across < 0, 1, 0) + np.where(down < 0, 2, 0)
    arguments = [x.tolist() for x in (whole, turned, flips, left, top)]
    return [
        functools.partial(_copied, turn, _FLIPS[flip], x, y, size) if copy else None
        for copy, turn, flip, x, y in zip(*arguments, strict=True)
    ]


def _stretches(matrices, before, size):
    """Which images are windows that are stretched, and the corners of these."""
    tall, wide = before
    linear, shift = matrices[:, :2, :2], matrices[:, :2, 2]
    scale = linear[:, [0, 1], [0, 1]]
    upright = (linear[:, 0, 1] == 0.0) & (linear[:, 1, 0] == 0.0)
    # Inside the image, the pixels beside a window are not seen, but its last ones
    # repeated: over two pixels where it is enlarged fourfold.
    upright &= ((scale > 0.0) & (scale <= _ENLARGED)).all(axis=1)
    if not upright.any():
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        start = -shift / scale
        end = start + np.array(size[::-1]) / scale
        edges = np.concatenate([start, end], axis=1)
        corners = np.rint(edges)
        upright &= np.abs(edges - corners).max(axis=1) < 0.05
    corners = np.where(upright[:, None], corners, 0.0).astype("int64")
    upright &= (corners[:, :2] >= 0).all(axis=1)
    upright &= (corners[:, 2] <= wide) & (corners[:, 3] <= tall)
    upright &= (corners[:, 2:] > corners[:, :2]).all(axis=1)
    return [(k, corners[k].tolist()) for k in np.flatnonzero(upright)]


def _copied(turned, code, left, top, size, image, out):
    height, width = size
    if turned:
        image = _transposed(image)
    if code is None:
        out[...] = image[top : top + height, left : left + width]
        return
    if image.shape[:2] == size:
        if code == 0 and out.shape[-1] > 1:
            cv2().flip(image, code, dst=out)
        else:  # into the cache first, as it is not written line by line
            out[...] = cv2().flip(image, code).reshape(out.shape)
        return
    # Only what is to be seen is flipped.
    rows, columns = image.shape[:2]
    if code in (0, -1):
        top = rows - top - height
    if code in (1, -1):
        left = columns - left - width
    part = image[top : top + height, left : left + width]
    out[...] = cv2().flip(part, code).reshape(out.shape)


def _transposed(image):
    if image.dtype.itemsize * image.shape[-1] not in _TURNED:
        return np.ascontiguousarray(image.transpose(1, 0, 2))
    image = cv2().transpose(image)
    return image.reshape(*image.shape[:2], -1)


def _repeated(corners, size, image, out):
    """Each pixel is the one nearest to it in the window."""
    left, top, right, bottom = corners
    y, x = [
        (low + (np.arange(n) + 0.5) * ((high - low) / n) + _TIE).astype("int64")
        for low, high, n in ((top, bottom, size[0]), (left, right, size[1]))
    ]
    out[...] = image[y].take(x, axis=1)


def _at_edges(corners, before):
    """Whether a window begins and ends at the image's edges, down and across."""
    left, top, right, bottom = corners
    height, width = before
    return top == 0, bottom == height, left == 0, right == width


def _stretched(corners, size, fill, image, out):
    """A window resized; with a fill, what lies beyond the image is blended in."""
    left, top, right, bottom = corners
    window = image[top:bottom, left:right]
    into = flat(out)
    resized = cv2().resize(window, size[::-1], dst=into)
    if resized is not into:
        into[...] = resized.reshape(into.shape)
    if fill is not None:
        edges = _at_edges(corners, image.shape[:2])
        _fade(out, bottom - top, edges[:2], fill)
        _fade(out.swapaxes(0, 1), right - left, edges[2:], fill)


def _fade(lines, length, edges, fill):
    """Blend the first and last lines of an enlarged image with what lies beyond it."""
    for k, seen in _half_seen(len(lines), length, *edges):
        line = np.ascontiguousarray(lines[k])
        rest = (1.0 - seen) * fill
        lines[k] = cv2().addWeighted(line, seen, line, 0.0, rest).reshape(line.shape)


@functools.lru_cache(256)
def _half_seen(count, length, first, last):
    """Numbers of the lines that reach beyond an edge, and how much of each is inside.

    They are `count`, made of `length` pixels.
    """
    place = (np.arange(count) + 0.5) * (length / count)
    seen = np.ones(count)
    if first:
        seen = np.minimum(seen, place + 0.5)
    if last:
        seen = np.minimum(seen, length - place + 0.5)
    return [(int(k), float(seen[k])) for k in np.flatnonzero(seen < 1.0)]
