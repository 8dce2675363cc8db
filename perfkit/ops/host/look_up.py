"""New values of an image by a table of all of them."""

import functools

import numpy as np

from perfkit.ops.host import cv2


@functools.cache
def _translate():
    """The look-up of `stringzilla`, which is faster, where that is installed."""
    try:
        from stringzilla import translate
    except ImportError:
        return None
    return translate


def look_up(image, table, out):
    """Put `table[image]` into `out`, of the table's dtype.

    Args:
        image: Bytes, `(height, width, channels)`.
        table: `(256, channels)`, or `(256, 1)` for all channels alike.
        out: An array of the image's shape, or the image itself.
    """
    tables = np.ascontiguousarray(table.T)
    if len(tables) > 1 and (tables == tables[0]).all():
        tables = tables[:1]
    translate = _translate() if table.dtype == np.uint8 else None
    if translate is None:
        rows = image.reshape(len(image), -1) if len(tables) == 1 else image
        cv2().LUT(rows, tables.T[None].copy(), dst=out.reshape(rows.shape))
    elif len(tables) == 1:
        if out is not image:
            out[...] = image
        translate(memoryview(out.reshape(-1)), memoryview(tables[0]), inplace=True)
    else:
        planes = cv2().split(image)
        for plane, table in zip(planes, tables, strict=True):
            translate(memoryview(plane.reshape(-1)), memoryview(table), inplace=True)
        cv2().merge(planes, dst=out)
