"""Losses, weights reparametrized, noise."""

import keras

from benchmarks.tricks.setting import RATES, Training, Trick, family
from perfkit import callbacks, layers, losses

BARE = "baseline, no normalization"


def _crossentropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _loss(make):
    return lambda setting: Training(setting.network(), setting.adam(), make())


def _two_passes(setting):
    network = _dropping(setting).network
    loss = losses.RDrop(_crossentropy(), 0.3)
    model = losses.TwoPasses(network)
    return Training(network, setting.adam(), loss, model=model)


def _dropping(setting):
    network = setting.network(behind_hidden=lambda: [keras.layers.Dropout(0.5)])
    return Training(network, setting.adam())


def _bare(setting):
    return Training(setting.network(norm=keras.layers.Identity), setting.adam())


def _weight_normalization(setting):
    def wrapped(layer):
        copy = type(layer).from_config(layer.get_config())
        wrap = isinstance(copy, (keras.layers.Conv2D, keras.layers.Dense))
        return layers.WeightNormalization(copy) if wrap else copy

    network = keras.models.clone_model(_bare(setting).network, clone_function=wrapped)
    return Training(network, setting.adam())


def _noise(setting):
    network = setting.network(behind=lambda index: [layers.ScaledGaussianNoise(0.1)])
    return Training(network, setting.adam())


def _plateau(setting):
    lower = callbacks.PlateauAware("loss", factor=0.5, patience=2)
    return Training(setting.network(), setting.adam(), callbacks=[lower])


BASELINES = family(
    "baselines",
    [
        Trick(
            "baseline, dropout",
            _dropping,
            set="0.5 behind the hidden Dense",
            grid=RATES,
            base="",
        ),
        Trick(
            BARE, _bare, set="and no biases in its convolutions", grid=RATES, base=""
        ),
    ],
)

LOSSES = family(
    "losses",
    [
        Trick(
            "SmoothedCrossentropy",
            _loss(lambda: losses.SmoothedCrossentropy(0.1, from_logits=True)),
            ["losses.SmoothedCrossentropy"],
            "0.1",
            paper="1512.00567",
        ),
        Trick(
            "ConfidencePenalty",
            _loss(lambda: losses.ConfidencePenalty(_crossentropy(), 0.1)),
            ["losses.ConfidencePenalty"],
            "strength 0.1",
            paper="1701.06548",
        ),
        Trick(
            "RDrop",
            _two_passes,
            ["losses.RDrop", "losses.TwoPasses"],
            "strength 0.3, the paper's for images",
            paper="2106.14448",
            base="baseline, dropout",
        ),
    ],
)

LAYERS = family(
    "layers",
    [
        Trick(
            "WeightNormalization",
            _weight_normalization,
            ["layers.WeightNormalization"],
            "on all layers with kernels",
            paper="1602.07868",
            base=BARE,
        ),
        Trick(
            "ScaledGaussianNoise",
            _noise,
            ["layers.ScaledGaussianNoise"],
            "0.1, behind each convolution",
        ),
    ],
)

CALLBACKS = family(
    "callbacks",
    [
        Trick(
            "PlateauAware",
            _plateau,
            ["callbacks.PlateauAware"],
            "half the rate after 2 epochs without a lower training loss",
        ),
    ],
)

TRICKS = [*BASELINES, *LOSSES, *LAYERS, *CALLBACKS]
