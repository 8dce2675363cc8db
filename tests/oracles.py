"""What the oracle tests share: images, draws read beforehand, reference warps."""

import cv2
import keras
import numpy as np
from scipy import ndimage

from perfkit._random import Sampler

BOUNDARY = {
    "constant": "grid-constant",
    "nearest": "nearest",
    "reflect": "reflect",
    "wrap": "grid-wrap",
}


def to_numpy(tree):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, tree)


def noise(*shape, low=0.0, high=255.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype("float32")


def smooth(*shape, seed=0):
    """Noise without detail, for references that round coordinates."""
    blurred = ndimage.gaussian_filter(noise(*shape, seed=seed), (0, 3, 3, 0))
    return ((blurred - blurred.min()) * (255 / np.ptp(blurred))).astype("float32")


def drawn(layer, batch):
    """The parameters that a layer with a seed is going to draw in its first call."""
    twin = type(layer).from_config(layer.get_config())
    return to_numpy(twin.parameters(Sampler(batch, twin._stream.next_key())))


def warped(images, matrices, size, interpolation, fill_mode, fill_value=0.0):
    """SciPy's resampling of NHWC images, by matrices from input to output.

    Coordinates are continuous, so SciPy's, which count from pixel centres, are half
    a pixel less.
    """
    height, width = size
    y, x = np.mgrid[:height, :width] + 0.5
    points = np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    out = []
    for image, matrix in zip(images, matrices, strict=True):
        u, v, w = np.linalg.inv(np.asarray(matrix, "float64")) @ points
        where = np.stack([v / w, u / w]).reshape(2, height, width) - 0.5
        channels = [
            ndimage.map_coordinates(
                channel,
                where,
                order={"nearest": 0, "bilinear": 1}[interpolation],
                mode=BOUNDARY[fill_mode],
                cval=fill_value,
            )
            for channel in np.moveaxis(image.astype("float64"), -1, 0)
        ]
        out.append(np.stack(channels, axis=-1))
    return np.stack(out)


def rotation(turns, height, width):
    """OpenCV's matrix of a counter-clockwise rotation about the centre."""
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 360.0 * float(turns), 1.0)
    return np.vstack([matrix, [0, 0, 1]])


def about_center(linear, height, width):
    """A 2x2 linear map about the centre."""
    middle = np.array([width / 2, height / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = middle - np.asarray(linear) @ middle
    return matrix


def zoom(height_factor, width_factor, height, width):
    linear = np.diag([1 / (1 + width_factor), 1 / (1 + height_factor)])
    return about_center(linear, height, width)


def shear(x, y, height, width):
    return about_center([[1, x], [y, 1]], height, width)


def translation(x, y):
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def moved(matrices, points):
    """OpenCV's map of `(batch, n, 2)` points."""
    pairs = zip(matrices, points, strict=True)
    return np.stack(
        [cv2.perspectiveTransform(p[None].astype("float64"), m)[0] for m, p in pairs]
    )


def hull(matrices, boxes):
    """Axis-aligned hull of the four moved corners of `(batch, n, 4)` xyxy boxes."""
    corners = boxes[..., [0, 1, 2, 1, 0, 3, 2, 3]]
    batch, count, _ = boxes.shape
    corners = moved(matrices, corners.reshape(batch, -1, 2))
    corners = corners.reshape(batch, count, 4, 2)
    return np.concatenate([corners.min(axis=2), corners.max(axis=2)], axis=-1)
