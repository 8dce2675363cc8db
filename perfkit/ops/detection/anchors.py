"""Boxes that stand for what can be at each place of the maps of a pyramid."""

import numpy as np

from perfkit.ops.detection.points import points


def anchors(height, width, strides, scales, ratios):
    """Anchors of each place, one place after the other, in the order of `points`.

    At a place there are first all scales of the first ratio.

    Args:
        height: Rows of the image, in pixels.
        width: Columns of the image, in pixels.
        strides: Pixels from one place of a map to the next, one number for each map.
        scales: Sides of a square anchor, in strides.
        ratios: Heights over widths. The area is that of the square.

    Returns:
        Float32 `(n, 4)`, `xyxy`; n is the number of places times scales times ratios.

    Reference: Lin et al., Focal Loss for Dense Object Detection, 2017, arXiv
        1708.02002, has scales 4, 4 * 2^(1/3) and 4 * 2^(2/3), ratios 0.5, 1 and 2.
    """
    locations, stride_of = points(height, width, strides)
    root = np.sqrt(np.asarray(ratios, "float64"))[:, None]
    scales = np.asarray(scales, "float64")
    half = 0.5 * np.stack([(scales / root).ravel(), (scales * root).ravel()], axis=-1)
    reach = half * stride_of[:, None, None]
    centers = locations[:, None, :]
    boxes = np.concatenate([centers - reach, centers + reach], axis=-1)
    return boxes.reshape(-1, 4).astype("float32")
