"""Scores of channels by how the loss changes as they are turned down."""

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.compress.shrinking import _scores
from perfkit.graph.channels import read_channels
from perfkit.graph.gradients import loss_gradients
from tests.support import networks

layers = keras.layers


class Gate(layers.Layer):
    """A factor of 1 for each channel."""

    def build(self, shape):
        self.factors = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factors


def plain(gate):
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(8, 3, activation="relu", name="made")(inputs)
    x = layers.Conv2D(6, 3, activation="relu")(gate(x))
    return inputs, layers.GlobalAveragePooling2D()(x)


def without_bias(gate):
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(8, 3, use_bias=False, name="made")(inputs)
    x = layers.Conv2DTranspose(6, 3)(layers.LeakyReLU()(gate(x)))
    return inputs, layers.GlobalMaxPooling2D()(x)


def normalized(gate, **options):
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(8, 3, name="made")(inputs)
    x = gate(layers.BatchNormalization(**options)(x))
    x = layers.SeparableConv2D(6, 3)(layers.ReLU()(x))
    return inputs, layers.GlobalAveragePooling2D()(x)


def without_scale(gate):
    return normalized(gate, scale=False)


def without_centre(gate):
    return normalized(gate, center=False)


def tied(gate):
    """Channels of two layers in one sum; each has the same gate."""
    inputs = keras.Input((6, 6, 2))
    conv = layers.Conv2D(8, 3, padding="same", name="made")
    x = layers.ReLU()(gate(layers.BatchNormalization()(conv(inputs))))
    y = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(y)
    x = layers.ReLU()(layers.Add()([x, gate(layers.BatchNormalization()(y))]))
    return inputs, layers.GlobalAveragePooling2D()(x)


def flattened(gate):
    inputs = keras.Input((6, 6, 2))
    x = gate(layers.Conv2D(8, 3, activation="relu", name="made")(inputs))
    return inputs, layers.Dense(6, activation="relu")(layers.Flatten()(x))


def behind_others(gate):
    """What shifts a channel once more before a layer takes it goes along."""
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(8, 3, activation="sigmoid", name="made")(inputs)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = gate(layers.Activation("sigmoid")(layers.BatchNormalization()(x)))
    x = layers.Conv2D(6, 3, activation="relu")(x)
    return inputs, layers.GlobalAveragePooling2D()(x)


def multiplied(gate):
    """Squeeze and excitation takes the channel, too."""
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(8, 3, activation="relu", name="made")(inputs)
    y = gate(layers.GlobalAveragePooling2D(keepdims=True)(x))
    y = layers.Conv2D(6, 1, activation="relu")(y)
    y = layers.Conv2D(8, 1, activation="sigmoid")(y)
    x = gate(layers.Multiply()([x, y]))
    return inputs, layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3)(x))


def taken_in_time(gate):
    inputs = keras.Input((5, 3))
    x = gate(layers.Dense(8, activation="tanh", name="made")(inputs))
    return inputs, layers.GRU(4)(x)


NETWORKS = (
    plain,
    without_bias,
    normalized,
    without_scale,
    without_centre,
    tied,
    flattened,
    behind_others,
    multiplied,
    taken_in_time,
)


def made_by(network, gate):
    keras.utils.set_random_seed(0)
    inputs, x = network(gate)
    return networks.stirred(keras.Model(inputs, layers.Dense(3)(x)))


def square(true, made):
    return keras.ops.square(made - true)


def of_made(model, data):
    """Scores of the group that the layer `made` is in."""
    reading = read_channels("shrink", model)
    (group,) = [group for group in reading.groups() if "made" in group.paths]
    (found,) = _scores.scores(reading, [group], "taylor", data=data, loss=square)
    return found


@pytest.mark.parametrize("network", NETWORKS)
def test_they_are_squared_derivatives_of_the_loss_by_a_gate(network):
    model, gate = made_by(network, lambda x: x), Gate()
    gated = made_by(network, gate)
    rng = np.random.default_rng(0)
    data = [
        (rng.normal(size=(4, *model.input.shape[1:])), rng.normal(size=(4, 3)))
        for _ in range(3)
    ]
    derivatives = loss_gradients(gated, [gate.factors], square)
    expected = np.mean([derivatives(x, y)[0] ** 2 for x, y in data], axis=0)
    assert expected.max() > 3 * expected.min() > 0.0
    found = of_made(model, data)
    np.testing.assert_allclose(found, expected / expected.mean(), rtol=1e-3)


def test_channels_in_different_places_get_scores_of_their_own():
    model = networks.stirred(networks.joined())
    x, y = np.ones((4, 8, 8, 3)), np.ones((4, 5))
    small = compress.shrink(
        model,
        importance="taylor",
        data=(x, y),
        loss=square,
        round_to=1,
        verbose=False,
    )
    assert small.get_layer("left").filters == 4
    assert small.get_layer("right").filters == 8


def test_data_are_arrays_or_batches():
    model = made_by(plain, lambda x: x)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 6, 6, 2)), rng.normal(size=(40, 3))
    parts = [(x[:32], y[:32]), (x[32:], y[32:])]
    np.testing.assert_allclose(of_made(model, (x, y)), of_made(model, parts))


SINGLE = [(np.ones((6, 6, 2)), np.ones((6,)))]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.ones((4, 6, 6, 2)), r"\(x, y\), arrays or batches"),
        ([(np.ones((4, 6, 6, 2)),)], r"\(x, y\), arrays or batches"),
        ((np.ones((4, 6, 6, 2)), np.ones((3, 3))), "as many samples of x as of y"),
        (SINGLE, r"inputs of shape \(batch, 6, 6, 2\), .* call \.batch\(\)"),
        ([], "one sample or more"),
        (3, "an array x, "),
    ],
)
def test_other_data_are_refused(data, expected):
    model = made_by(plain, lambda x: x)
    with pytest.raises((TypeError, ValueError), match=expected) as caught:
        compress.shrink(
            model, importance="taylor", data=data, loss=square, verbose=False
        )
    assert str(caught.value).startswith("`shrink(data=...)` must be ")


@pytest.mark.parametrize("name", ["data", "loss"])
def test_what_would_have_no_effect_is_refused(name):
    with pytest.raises(ValueError, match=rf"`shrink\({name}=...\)` must be left out"):
        compress.shrink(networks.plain(), verbose=False, **{name: square})
