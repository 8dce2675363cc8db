"""What all tricks have in common: the data, the network, and what a trick is."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras

from examples import fashion_mnist

BATCH = 64
FILTERS = (24, 48, 96)
RATES = (1e-4, 3e-4, 1e-3, 3e-3)  # of all that are like Adam
HELD_OUT = 0.25  # of the training images, where a number has to be chosen
CHOOSING_SEED = 1000  # of the trainings that choose it


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a trick is built for.

    `value` is the number that was chosen for the trick itself, if it has a grid; `rate`
    is the trick's own where that is what was chosen, and else that of its baseline.
    `images` are those that are trained on.
    """

    seed: int
    epochs: int
    epoch_steps: int
    rate: float
    value: float | None = None
    images: Any = None

    @property
    def steps(self):
        return self.epochs * self.epoch_steps

    def share(self, fraction):
        """That share of all steps, at least one."""
        return max(1, round(fraction * self.steps))

    def network(self, **changes):
        return network(self.seed, **changes)

    def adam(self):
        return keras.optimizers.Adam(self.rate)


@dataclasses.dataclass
class Training:
    """What a trick makes of a setting.

    `model` is what is trained, where that is another one than the network, which gives
    logits and is what is evaluated.
    """

    network: keras.Model
    optimizer: keras.optimizers.Optimizer
    loss: Callable | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    model: keras.Model | None = None

    def __post_init__(self):
        self.model = self.model or self.network
        self.loss = self.loss or keras.losses.SparseCategoricalCrossentropy(
            from_logits=True
        )


@dataclasses.dataclass(frozen=True)
class Trick:
    """One row: a function from a `Setting` to a `Training`, and what is said of it.

    `grid` holds the numbers to choose from, of the rate or of `chosen`. `covers` are
    the public names that the row stands for, as in `layers.DropPath`. `base` is the
    name of the row that it is compared with, and whose rate it takes over.
    """

    name: str
    build: Callable[[Setting], Training]
    covers: Sequence[str] = ()
    set: str = ""
    grid: Sequence[float] = ()
    chosen: str = "rate"
    paper: str = ""
    base: str = "baseline"
    family: str = ""


def family(name, tricks):
    """The same tricks, filed under a family."""
    return [dataclasses.replace(trick, family=name) for trick in tricks]


def batch_normalization(**arguments):
    return keras.layers.BatchNormalization(momentum=0.9, **arguments)


def group_normalization(**arguments):
    return keras.layers.GroupNormalization(8, **arguments)


def network(
    seed,
    *,
    convolution=None,
    norm=batch_normalization,
    branch=None,
    behind=None,
    behind_hidden=None,
):
    """The quickstart's network, whose kernels depend on the seed and their place alone.

    Args:
        seed: Of the kernels.
        convolution: The class of the three convolutions.
        norm: A function that makes the layers behind them.
        branch: A function of 0, 1, 2 that gives a list of layers: a residual block of
            one more convolution follows each, and its branch ends in these.
        behind: A function of 0, 1, 2 that gives a list of layers to go behind each.
        behind_hidden: A function that gives a list of layers in front of the logits.
    """
    layers = keras.layers
    convolution = convolution or layers.Conv2D

    def kernel(index):
        return {
            "kernel_initializer": keras.initializers.GlorotUniform(100 * seed + index)
        }

    same = {"padding": "same", "use_bias": False}
    inputs = keras.Input((28, 28, 1))
    x = layers.Rescaling(1 / 255)(inputs)
    for index, filters in enumerate(FILTERS):
        name = f"convolution_{index}"
        x = convolution(filters, 3, strides=2, name=name, **same, **kernel(index))(x)
        x = norm(name=f"norm_{index}")(x)
        x = layers.ReLU()(x)
        if branch:
            name = f"branch_{index}"
            y = convolution(filters, 3, name=name, **same, **kernel(10 + index))(x)
            y = layers.ReLU()(norm(name=f"branch_norm_{index}")(y))
            for layer in branch(index):
                y = layer(y)
            x = layers.Add()([x, y])
        for layer in behind(index) if behind else ():
            x = layer(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu", name="hidden", **kernel(20))(x)
    for layer in behind_hidden() if behind_hidden else ():
        x = layer(x)
    x = layers.Dense(10, name="logits", **kernel(21))(x)
    return keras.Model(inputs, x)


def load(limit=None):
    """Training and test images; of each no more than `limit`."""
    return tuple(
        (images[:limit], labels[:limit]) for images, labels in fashion_mnist.load()
    )


def halves(data):
    """The training images alone: some to train on, and some held out to choose with."""
    images, labels = data[0]
    kept = len(images) - int(HELD_OUT * len(images))
    return (images[:kept], labels[:kept]), (images[kept:], labels[kept:])
