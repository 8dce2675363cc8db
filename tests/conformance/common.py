"""Inputs and helpers that the checks share."""

import copy
import sys

import keras
import numpy as np

from perfkit import _backend, _random, augment
from perfkit._backend import ops

_rng = np.random.default_rng(0)
IMAGES = _rng.integers(0, 256, (4, 12, 16, 3)).astype("uint8")
MASKS = _rng.integers(0, 3, (4, 12, 16, 1)).astype("int32")
BOXES = np.repeat([[[3.0, 2.0, 9.0, 10.0], [8.5, 4.0, 14.0, 7.0]]], 4, axis=0)
KEYPOINTS = np.repeat([[[5.0, 6.0], [10.0, 5.5]]], 4, axis=0)
LABELS = np.array([0, 2, 1, 2], "int32")


def use_squares(monkeypatch):
    """Cut what the checks start from to squares."""
    for name, module in list(sys.modules.items()):
        if name.startswith("tests.conformance"):
            for grid in {"IMAGES", "MASKS", "PHOTOGRAPHS"} & set(vars(module)):
                pixels = getattr(module, grid)
                square = pixels[:, :, : pixels.shape[1]]
                monkeypatch.setattr(module, grid, square)


def applies_to(condition):
    """Say which operations a check is for; without it, for all."""

    def mark(check):
        check.applies = condition
        return check

    return mark


def compiled(check):
    """Say that a check is about compiled programs."""
    check.compiled = True
    return check


def slow(check):
    """Say that a check is left out of the default run."""
    check.slow = True
    return check


def of_the_base(check):
    """Say that a check is of what no operation does itself.

    By default it runs on one operation of each family; the slow tests do the rest.
    """
    check.of_the_base = True
    return check


def draws(op):
    return op.random


def has_rate(op):
    return op.random and issubclass(op, augment.Operation)


def mixes(op):
    return op.mixes


def keeps_samples_apart(op):
    return not op.mixes


def stands_for_its_family(op):
    """One operation of each family, and all that tests define."""
    return not op.__module__.startswith("perfkit.") or op in {
        augment.RandomRotation,
        augment.RandomHue,
        augment.RandomGamma,
        augment.CutMix,
        augment.Resizing,
        augment.Pipeline,
        augment.RandAugment,
        augment.RandomChoice,
    }


def is_here(op, check):
    """Whether a check that all backends share runs of an operation on this one."""
    number = sum(map(ord, op.__name__ + check.__name__)) % 2
    return number == ("tensorflow", "jax").index(keras.backend.backend())


def family(kind):
    return lambda op: issubclass(op, kind)


def to_numpy(x):
    x = keras.ops.convert_to_numpy(x)
    return x.astype("float32") if x.dtype.name == "bfloat16" else x


def full_inputs(**others):
    """Images with every kind of annotation; `others` replace entries."""
    inputs = {
        "images": IMAGES,
        "labels": LABELS,
        "segmentation_masks": MASKS,
        "keypoints": KEYPOINTS.astype("float32"),
        "bounding_boxes": {
            "boxes": BOXES.astype("float32"),
            "labels": np.repeat([[1, 2]], 4, axis=0).astype("int32"),
        },
    }
    return copy.deepcopy({**inputs, **others})


def with_labels(images):
    """Images as a dict that operations which mix accept too."""
    *samples, height, width, _ = images.shape
    masks = np.arange(height * width).reshape(height, width, 1) // 5 % 3
    boxes = np.broadcast_to(BOXES[0], (*samples, 2, 4)).astype("float32")
    return {
        "images": images,
        "labels": np.arange(len(images), dtype="int32") % 3,
        "segmentation_masks": np.broadcast_to(masks, (*samples, *masks.shape)).astype(
            "int32"
        ),
        "bounding_boxes": {
            "boxes": boxes,
            "labels": np.ones(boxes.shape[:-1], "int32"),
        },
    }


def images_of(layer, images=None, **kwargs):
    """Return the images a layer makes of images, as NumPy."""
    images = IMAGES if images is None else images
    if layer.mixes:
        return to_numpy(layer(with_labels(images), **kwargs)["images"])
    return to_numpy(layer(images, **kwargs))


def copies(samples=16):
    return np.repeat(IMAGES[:1], samples, axis=0)


_threefry = {
    "eager": _random.threefry,
    "compiled": _backend.compiled(_random.threefry),
}


def run_uncompiled(monkeypatch):
    """Let layers compile nothing; only the generator, once for all of them."""

    def threefry(key, counter):
        native = _backend.engine() == keras.backend.backend()
        return _threefry["compiled" if native else "eager"](key, counter)

    def fori_loop(lower, upper, body, state):  # which JAX would compile at each call
        for k in range(lower, upper):
            state = body(k, state)
        return state

    monkeypatch.setattr(_backend, "compiled", lambda function: function)
    monkeypatch.setattr(keras.ops, "fori_loop", fori_loop)
    monkeypatch.setattr(_random, "threefry", threefry)


def run_cheaply(monkeypatch):
    """The same for tests of many shapes, where JAX would compile each operation."""
    if keras.backend.backend() == "tensorflow":
        run_uncompiled(monkeypatch)


def pinned(layer):
    """Let every call of a layer draw the same, on every engine."""
    if layer.random:
        key = np.array([11, -7], "int32")
        layer._stream.next_key = lambda: ops.convert_to_tensor(key, "int32")
    return layer


def same_shape_and_close(ours, theirs, atol=1e-2):
    return ours.shape == theirs.shape and np.allclose(
        ours.astype("float32"), theirs.astype("float32"), rtol=1e-4, atol=atol
    )


def assert_same(ours, theirs, atol=1e-2, strays=0.0):
    """Compare nested outputs: keys, dtypes, shapes, values.

    `strays` is the share of values that may differ, where two programs round a
    coordinate to either side of a pixel's edge.
    """
    keras.tree.assert_same_structure(ours, theirs)
    pairs = zip(
        keras.tree.flatten_with_path(ours), keras.tree.flatten(theirs), strict=True
    )
    for (path, our), their in pairs:
        dtypes = [keras.backend.standardize_dtype(x.dtype) for x in (our, their)]
        assert dtypes[0] == dtypes[1], (path, dtypes)
        our, their = to_numpy(our), to_numpy(their)
        assert our.shape == their.shape, (path, our.shape, their.shape)
        far = ~np.isclose(our, their, rtol=1e-4, atol=atol, equal_nan=True)
        assert far.mean() <= strays, (path, far.mean(), np.abs(our - their).max())
