"""Small models of every builder, and data for them."""

import keras
import numpy as np

from perfkit import models

SMALL = {
    "cnn": {"width": 4, "depth": 2, "stages": 2},
    "rnn": {"width": 4, "depth": 1},
    "transformer": {"width": 8, "depth": 1, "heads": 2},
}
SHAPES = {"images": (8, 8, 3), "features": (6, 3), "tokens": (6,)}
KINDS = [
    (kind, data)
    for kind in SMALL
    for data in SHAPES
    if (kind, data) != ("rnn", "images")
]


def built(kind, data, outputs=3, task="classification", shape=None, **options):
    """A small model, the same weights each time."""
    keras.utils.set_random_seed(0)
    if data == "tokens":
        options = {"vocabulary": 9, **options}
    shape = SHAPES[data] if shape is None else shape
    return getattr(models, kind)(shape, outputs, task, **{**SMALL[kind], **options})


def samples(data, count=2, seed=0):
    rng = np.random.default_rng(seed)
    if data == "tokens":
        return rng.integers(1, 9, (count, *SHAPES[data])).astype("int32")
    return rng.normal(size=(count, *SHAPES[data])).astype("float32")


def stirred(model, seed=1):
    """The same model, no weight or statistic of which is 0 or 1."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        if variable.dtype != "float32":  # seeds
            continue
        drawn = rng.uniform(0.3, 0.9, variable.shape)
        positive = variable.name in ("gamma", "moving_variance", "power", "scale")
        signs = 1.0 if positive else rng.choice([-1.0, 1.0], variable.shape)
        variable.assign(drawn * signs)
    return model


def numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def taken(model, x, y):
    """Loss of a model that takes one compiled step on a batch."""
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=True)
    return model.train_on_batch(x, y)
