"""Boxes go where the objects go: drawn rectangles through augmentation and `fit`.

Each image has a rectangle in each of three channels, so that where it is can be read
from the pixels again.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from perfkit import augment
from perfkit._backend import ops
from tests.conformance import common

SIDE = 64


def scenes(count=8, seed=0):
    """Images of three rectangles, and their boxes, of which one in four is padding."""
    draw = np.random.default_rng(seed)
    low = draw.integers(8, 30, (count, 3, 2))
    boxes = np.concatenate([low, low + draw.integers(8, 24, low.shape)], axis=-1)
    labels = draw.integers(0, 5, (count, 3))
    labels[::2, 1] = -1
    images = np.zeros((count, SIDE, SIDE, 3), "float32")
    for image, k in np.ndindex(count, 3):
        x1, y1, x2, y2 = boxes[image, k]
        if labels[image, k] >= 0:
            images[image, y1:y2, x1:x2, k] = 255.0
    boxes[labels < 0] = 0
    annotations = {"boxes": boxes.astype("float32"), "labels": labels.astype("int32")}
    return {"images": images, "bounding_boxes": annotations}


def hulls(images):
    """The box of what is drawn in each channel, and if there is anything at all.

    By tensor operations that compile, as `fit` is to measure them.
    """
    drawn = ops.transpose(images, (0, 3, 1, 2)) > 127.0
    columns, rows = ops.any(drawn, axis=2), ops.any(drawn, axis=3)
    edges = []
    for lines in (columns, rows):
        count = lines.shape[-1]
        number = ops.arange(count, dtype="float32")
        edges.append(ops.min(ops.where(lines, number, 1e4), axis=-1))
        edges.append(ops.max(ops.where(lines, number + 1.0, -1e4), axis=-1))
    left, right, top, bottom = edges
    return ops.stack([left, top, right, bottom], axis=-1), ops.any(columns, axis=-1)


def error(annotations, images):
    """By how many pixels boxes are wrong, at most."""
    found, there = hulls(images)
    labelled = ops.cast(annotations["labels"], "int32") >= 0
    gap = ops.max(ops.abs(found - ops.cast(annotations["boxes"], "float32")), axis=-1)
    wrong = ops.max(ops.where(labelled & there, gap, 0.0))
    # Of what has a label at least a line is to be seen.
    return ops.where(ops.any(labelled & ~there), 1e4, wrong)


BOXED = {"bounding_box_format": "xyxy"}
DARK = {"fill_mode": "constant", "seed": 1, **BOXED}
LAYERS = {
    "flip": lambda: augment.RandomFlip(seed=1, **BOXED),
    "quarter turns": lambda: augment.RandomRot90(seed=1, **BOXED),
    "rotation": lambda: augment.RandomRotation(0.1, **DARK),
    "zoom": lambda: augment.RandomZoom(0.2, **DARK),
    "shift": lambda: augment.RandomTranslation(0.2, 0.2, **DARK),
    "shear": lambda: augment.RandomShear(0.2, 0.2, **DARK),
    "crop": lambda: augment.RandomCrop(48, 48, seed=1, **BOXED),
    "resized crop": lambda: augment.RandomResizedCrop(56, 56, seed=1, **BOXED),
    "box safe crop": lambda: augment.BoxSafeCrop(64, 64, seed=1, **BOXED),
    "zoom out": lambda: augment.RandomZoomOut(seed=1, **BOXED),
    "letter box": lambda: augment.LetterBox(96, 80, **BOXED),
    "several": lambda: augment.Pipeline(
        [
            augment.RandomFlip(**BOXED),
            augment.RandomRotation(0.05, fill_mode="constant", **BOXED),
            augment.RandomBrightness(0.1),
            augment.RandomZoom(0.2, fill_mode="constant", **BOXED),
            augment.RandomCrop(56, 56, **BOXED),
        ],
        seed=1,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_boxes_are_around_what_is_drawn(name, monkeypatch):
    common.run_cheaply(monkeypatch)
    inputs = scenes()
    assert float(error(inputs["bounding_boxes"], inputs["images"])) == 0.0
    outputs = LAYERS[name]()(inputs)
    labels = keras.ops.convert_to_numpy(outputs["bounding_boxes"]["labels"])
    assert (labels >= 0).sum() >= 10
    assert (labels[inputs["bounding_boxes"]["labels"] < 0] == -1).all()
    assert float(error(outputs["bounding_boxes"], outputs["images"])) <= 1.5


class Measuring(keras.Model):
    """Its loss is by how many pixels the boxes of a batch are wrong."""

    def __init__(self):
        super().__init__()
        self.one = self.add_weight(shape=(), initializer="ones", name="one")

    def call(self, images):
        return images * self.one

    def compute_loss(self, x, y, *others, **options):
        return error(y, x) + 0.0 * self.one


@pytest.mark.parametrize("jit", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_targets_of_fit_are_around_what_the_model_sees(jit):
    pipeline = augment.Pipeline(
        [augment.RandomFlip(**BOXED), augment.RandomTranslation(0.2, 0.2, **DARK)]
    )

    def pair(inputs):
        outputs = pipeline(inputs)
        return outputs["images"], outputs["bounding_boxes"]

    data = tf.data.Dataset.from_tensor_slices(scenes(8)).batch(4).map(pair)
    model = Measuring()
    model.compile("sgd", jit_compile=jit)
    losses = model.fit(data, epochs=2, shuffle=False, verbose=0).history["loss"]
    assert max(losses) <= 1.5
    shifted = data.map(lambda x, y: (x, {**y, "boxes": y["boxes"] + 3.0}))
    assert model.evaluate(shifted, verbose=0) > 2.0
