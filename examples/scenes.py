"""Scenes composed of real pictures of clothes, with a box around each piece.

They are no photographs: objects of Fashion-MNIST, cut out of their pictures, are pasted
at random places and in random sizes on a background that is drawn, smooth shades and
noise. Boxes are exact, since they are where the objects were put.
"""

import numpy as np

LEAST, MOST = 20, 48  # pixels of the longer side of an object
OVERLAP = 0.1  # of two boxes, intersection over union, at most
PADDING = -1


def compose(images, labels, count, *, seed, size=96, objects=(1, 6)):
    """Return scenes, and boxes and labels as augmentation has them.

    Args:
        images: uint8 `(n, 28, 28, 1)`, objects on black.
        labels: `(n,)`, their classes.
        count: How many scenes there are to be.
        seed: The same one, the same scenes.
        size: Rows and columns of a scene, in pixels.
        objects: How many there are in a scene, at least and at most. Where there is no
            room for one, a scene has fewer.

    Returns:
        uint8 `(count, size, size, 1)` and `{"boxes": (count, most, 4), "labels":
        (count, most)}`, boxes `xyxy` in pixels; the label -1 marks padding.
    """
    rng = np.random.default_rng(seed)
    scenes = np.empty((count, size, size, 1), "uint8")
    boxes = np.zeros((count, objects[1], 4), "float32")
    kinds = np.full((count, objects[1]), PADDING, "int32")
    for number in range(count):
        scene = _background(rng, size)
        placed = []
        many = rng.integers(objects[0], objects[1] + 1)
        for chosen in rng.integers(len(images), size=many):
            piece = _resized(_cut_out(images[chosen, ..., 0]), rng)
            corner = _room(rng, piece.shape, placed, size)
            if corner is None:
                continue
            _paste(scene, piece, corner)
            box = (*corner, corner[0] + piece.shape[1], corner[1] + piece.shape[0])
            boxes[number, len(placed)] = box
            kinds[number, len(placed)] = labels[chosen]
            placed.append(box)
        scenes[number, ..., 0] = np.clip(np.rint(scene), 0, 255)
    return scenes, {"boxes": boxes, "labels": kinds}


def _background(rng, size):
    """Smooth shades of dark grey, with noise of each pixel."""
    coarse = rng.uniform(0.0, 110.0, (6, 6))
    rows = _linear(6, size)
    shades = rows @ coarse @ rows.T
    return shades + rng.normal(0.0, rng.uniform(2.0, 12.0), (size, size))


def _cut_out(image):
    """What is not black, without the margins."""
    seen = image > 16
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float)


def _linear(old, new):
    """The matrix that interpolates `old` values to `new` ones."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0.0, old - 1.0)
    return np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(old)))


def _resized(piece, rng):
    height, width = piece.shape
    scale = rng.uniform(LEAST, MOST) / max(height, width)
    height, width = (max(round(side * scale), 6) for side in (height, width))
    return _linear(piece.shape[0], height) @ piece @ _linear(piece.shape[1], width).T


def _room(rng, shape, placed, size):
    """A corner, x and y, with room for an object; None if there is none to be found."""
    height, width = shape
    for _ in range(30):
        x, y = rng.integers(size - width + 1), rng.integers(size - height + 1)
        box = (x, y, x + width, y + height)
        if all(_overlap(box, other) <= OVERLAP for other in placed):
            return x, y
    return None


def _overlap(one, other):
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    both = max(across, 0) * max(down, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def _paste(scene, piece, corner):
    x, y = corner
    height, width = piece.shape
    window = scene[y : y + height, x : x + width]
    solid = np.clip(piece / 32.0, 0.0, 1.0)  # black is not of the object
    window += solid * (piece - window)
