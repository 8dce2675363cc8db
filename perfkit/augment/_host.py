"""A canvas on the host: NumPy arrays, and OpenCV for what every pixel takes part in.

Images of bytes stay bytes as long as results are cut off to their range, so that
they are warped and mixed in OpenCV's fast integer code and mapped by tables.
"""

import functools
from typing import Any

import numpy as np

from perfkit.augment.canvas import Canvas
from perfkit.ops import affine, paths

_BYTES = (0.0, 255.0)


@functools.cache
def _cv2() -> Any:
    import cv2

    return cv2


@functools.cache
def _borders():
    cv2 = _cv2()
    return {
        "constant": cv2.BORDER_CONSTANT,
        "nearest": cv2.BORDER_REPLICATE,
        "reflect": cv2.BORDER_REFLECT,
        "wrap": cv2.BORDER_WRAP,
    }


class HostCanvas(Canvas):
    """See `Canvas`; images are NumPy arrays."""

    def _go(self, motion, size):
        if self._stages:  # colours go first, or the fill would be mapped too
            self.settle()
        super()._go(motion, size)

    def picture(self):
        images = self.images
        if self._motion is not None:
            images = self._warped(images, self._motion)
        return _colored(images, self._stages)

    def mean(self):
        motion, self._motion = self._motion, None
        if motion is not None:  # colours are still to come
            self.images = self._warped(self.images, motion)
            self._move_annotations(motion)
        mean = np.stack([_mean(image) for image in self.images])
        for stage in self._stages:
            mean = _through_map(stage.map, mean)
        if self.frames is not None:
            mean = mean.reshape(self.samples, self.frames, -1).mean(axis=1)
        return mean.astype("float32")

    def _warped(self, images, motion):
        how = motion.sampling
        return warped(
            images,
            motion.path,
            self.size,
            how.interpolation,
            how.fill_mode,
            how.fill_value,
        )

    def _moved_masks(self, motion):
        how = motion.sampling
        return warped(
            self.masks,
            motion.path,
            self.size,
            how.mask_interpolation,
            how.fill_mode,
            how.mask_fill_value,
        )


def _through_map(m, colors):
    if m.mixes:
        return np.sum(m.mix * colors[:, None, :], axis=2) + m.offset
    return m.mix * colors + m.offset


def _mean(image):
    if image.shape[-1] <= 4:
        return np.array(_cv2().mean(image)[: image.shape[-1]])
    return image.mean(axis=(0, 1), dtype="float64")


def warped(images, path, size, interpolation, fill_mode, fill_value):
    """Images moved along a path, in their dtype."""
    cv2 = _cv2()
    height, width = size
    how = {
        "borderMode": _borders()[fill_mode or "nearest"],
        "borderValue": [fill_value] * 4,
    }
    nearest = (interpolation or "nearest") == "nearest"
    flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    dtype = images.dtype
    if dtype.name not in ("uint8", "int16", "uint16", "float32"):
        images = images.astype("float32")
    move = _bender(path, size) if path.bends else _mover(path, size)
    out = np.empty((len(images), height, width, images.shape[-1]), images.dtype)
    for k, image in enumerate(images):
        for first in range(0, image.shape[-1], 4):  # the most that OpenCV fills
            part = image[..., first : first + 4]
            part = part if part.shape == image.shape else np.ascontiguousarray(part)
            moved = move(part, k, flags=flags, **how).reshape(height, width, -1)
            out[k, ..., first : first + 4] = moved
    return out.astype(dtype, copy=False)


def _mover(path, size):
    """A function that moves one image through its homography."""
    # OpenCV counts from the middle of the first pixel.
    shift = affine.translation(-0.5, -0.5), affine.translation(0.5, 0.5)
    matrices = affine.compose(affine.compose(shift[0], path.matrix), shift[1])
    matrices = matrices.astype("float64")
    height, width = size
    rows = 2 if path.affine else 3
    function = _cv2().warpAffine if path.affine else _cv2().warpPerspective
    return lambda image, k, **how: function(
        image, matrices[k, :rows], (width, height), **how
    )


def _bender(path, size):
    """A function that reads one image from where its fields say."""
    x, y = paths.sources(path, *size)
    places = np.stack([x, y], axis=-1) - np.float32(0.5)
    cv2 = _cv2()
    return lambda image, k, flags, **how: cv2.remap(
        image, places[k], None, flags, **how
    )


def _colored(images, stages):
    """Images sent through colour stages; as they are, if there are none."""
    if not stages:
        return images
    out = None
    for k, image in enumerate(images):
        result = _one_colored(image, stages, k)
        if out is None:
            out = np.empty((len(images), *result.shape), "float32")
        out[k] = result
    return out


def _one_colored(image, stages, k):
    levels = np.arange(256, dtype="float32")[:, None]
    table = None  # what bytes are to become
    for stage in stages:
        mix, offset = [values[min(k, len(values) - 1)] for values in stage.map]
        bounds = None
        if stage.bounds is not None:
            edges = [edge[min(k, len(edge) - 1), 0] for edge in stage.bounds]
            bounds = float(edges[0]), float(edges[1])
        if mix.ndim == 1 and image.dtype == np.uint8:
            table = (levels if table is None else table) * mix + offset
            if bounds is not None:
                table = np.clip(table, *bounds)
            continue
        if table is not None:
            image, table = _looked_up(image, table), None
        cut_off = image.dtype == np.uint8 and bounds == _BYTES
        if not cut_off:
            image = image.astype("float32", copy=False)
        if mix.ndim == 1:
            image = image * mix + offset
        else:
            image = _mixed(image, np.column_stack([mix, offset]))
        if bounds is not None and not cut_off:
            image = np.clip(image, *bounds, out=image)
    return image if table is None else _looked_up(image, table)


def _looked_up(image, table):
    table = table.astype("float32", copy=False)
    table = table[None] if table.shape[1] > 1 else table[:, 0]
    return _cv2().LUT(image, np.ascontiguousarray(table)).reshape(image.shape)


def _mixed(image, matrix):
    if image.shape[-1] <= 4:
        return _cv2().transform(image, matrix.astype("float64")).reshape(image.shape)
    mixed = image.astype("float32") @ matrix[:, :-1].T + matrix[:, -1]
    if image.dtype == np.uint8:
        mixed = np.clip(np.round(mixed), *_BYTES)
    return mixed.astype(image.dtype)
