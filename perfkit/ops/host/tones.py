"""Maps that are made from the values of one image of bytes."""

import numpy as np

from perfkit.ops import histogram
from perfkit.ops.color import LUMA
from perfkit.ops.host import cv2
from perfkit.ops.host.colors import whole
from perfkit.ops.host.look_up import look_up

_TOP = 255
_LEVELS = np.arange(_TOP + 1, dtype="float32")


def autocontrast(image):
    """See `perfkit.ops.histogram.autocontrast`."""
    planes, found = _planes(image)
    least = np.argmax(found > 0, axis=1)[:, None].astype("float32")
    spread = _TOP - np.argmax(found[:, ::-1] > 0, axis=1)[:, None] - least
    tables = (_LEVELS - least) * (_TOP / np.maximum(spread, 1.0))
    return _mapped(planes, np.where(spread > 0.0, tables, _LEVELS))


def equalize(image, bins=_TOP + 1):
    """See `perfkit.ops.histogram.equalize`."""
    planes, found = _planes(image)
    if bins == _TOP + 1:
        return _mapped(planes, histogram.equalizing(found))
    place = np.rint(_LEVELS * ((bins - 1) / _TOP)).astype("int32")
    merged = np.zeros((bins, len(planes)), "int32")
    np.add.at(merged, place, found.T)
    tables = histogram.equalizing(merged.T)
    return _mapped(planes, tables[:, place] * (_TOP / (bins - 1)))


def clahe(image, clip_limit, tiles, per_channel):
    """See `perfkit.ops.histogram.clahe`; of luma, unless `per_channel`.

    The image may be one of floats, from 0 to 255; the result is one of bytes.
    """
    engine = cv2().createCLAHE(float(clip_limit), tuple(tiles[::-1]))
    channels = image.shape[-1]
    if per_channel or channels < 3:
        planes = [engine.apply(_bytes(image[..., k])) for k in range(channels)]
        return np.stack(planes, axis=-1)
    rgb = image if channels == 3 else np.ascontiguousarray(image[..., :3])
    luma = _bytes(cv2().transform(rgb, np.array([LUMA])))
    change = cv2().subtract(engine.apply(luma), luma, dtype=cv2().CV_16S)
    if image.dtype != np.uint8:
        change = change.astype("float32")
    changed = cv2().add(rgb, cv2().merge([change] * 3), dtype=cv2().CV_8U)
    if channels == 3:
        return changed
    return np.concatenate([changed, _bytes(image[..., 3:])], axis=-1)


def _bytes(values):
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    return whole(values)


def _planes(image):
    """The channels of an image, and how often they have each level, `(n, 256)`."""
    planes = cv2().split(image)
    size = [_TOP + 1], [0, _TOP + 1]
    found = [cv2().calcHist([plane], [0], None, *size).ravel() for plane in planes]
    return planes, np.array(found, "int32")


def _mapped(planes, tables):
    """One image of planes, each of them looked up in its table."""
    tables = np.rint(tables).clip(0, _TOP).astype("uint8")
    for plane, table in zip(planes, tables, strict=True):
        image = plane[..., None]
        look_up(image, table[:, None], image)
    return cv2().merge(planes)
