"""Small models that are pruned while they are trained, and what is seen of them."""

import keras
import numpy as np

from perfkit import compress

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 8)).astype("float32")
Y = RNG.normal(size=(64, 3)).astype("float32")
RISING = compress.CubicSparsity(0.75, steps=8)
CRITERIA = ("magnitude", "straight_through", "movement")


def numpy(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def model_of(seed=0, **options):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(12, activation="tanh", name="a", **options),
            keras.layers.Dense(3, name="b"),
        ]
    )


def compiled(optimizer=None, model=None, **options):
    model = model or model_of()
    model.compile(optimizer or keras.optimizers.Adam(0.02), "mse", **options)
    return model


def fit(model, *callbacks, epochs=3, x=X, y=Y, **options):
    """Four steps an epoch."""
    return model.fit(
        x,
        y,
        batch_size=16,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
        **options,
    )


def zeros(model):
    return {
        "/".join(w.path.split("/")[-2:]): int((numpy(w) == 0).sum())
        for w in model.weights
        if w.name == "kernel"
    }


DONE = {"a/kernel": 72, "b/kernel": 27}


class Spy(keras.callbacks.Callback):
    """What a kernel is after each step."""

    def __init__(self):
        super().__init__()
        self.kernels = []

    def on_train_batch_end(self, batch, logs=None):
        self.kernels.append(numpy(self.model.layers[0].kernel))


class Broken(keras.callbacks.Callback):
    def __init__(self, epoch, batch=2):
        super().__init__()
        self.epoch, self.batch = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.now, batch) == (self.epoch, self.batch):
            raise RuntimeError("power cut")
