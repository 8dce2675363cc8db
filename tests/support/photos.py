"""Photographs of scikit-image, cut to squares, and what ImageNet calls them."""

import numpy as np
import skimage.data
from PIL import Image

# The 0-based classes of ImageNet that a photograph may rightly be given.
CLASSES = {
    "coffee": [967],  # espresso
    "chelsea": [
        281,
        282,
        283,
        284,
        285,
    ],  # kinds of cat
    "camera": [872],  # tripod
}


def photo(name, size):
    """Return the square in the middle, 0.95 of the shorter side.

    Shape:
        `(size, size, 3)`, uint8, RGB, whatever the photograph is.
    """
    whole = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    side = int(0.95 * min(whole.size))
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    square = whole.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))
