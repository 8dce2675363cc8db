"""The pull towards the start is the gradient of the penalty."""

import keras
import numpy as np
import pytest

from perfkit import transfer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 3)).astype("float32")
Y = RNG.normal(size=(16, 2)).astype("float32")


def model_of(optimizer):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(3, name="body"), keras.layers.Dense(2, name="head")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(optimizer, "mse")
    return model


def weights(model):
    return [np.copy(w) for w in model.weights]


def by_hand(strength, new_strength, steps, rate=0.1):
    """NumPy: gradient descent on the mean squared error and the penalty."""
    model = model_of("sgd")
    a, p, b, q = weights(model)
    starts = [np.copy(x) for x in (a, p)]
    for _ in range(steps):
        hidden = X @ a + p
        error = 2 * (hidden @ b + q - Y) / Y.size
        back = error @ b.T
        gradients = [X.T @ back, back.sum(0), hidden.T @ error, error.sum(0)]
        gradients[0] += strength * (a - starts[0])
        gradients[1] += strength * (p - starts[1])
        gradients[2] += new_strength * b
        gradients[3] += new_strength * q
        a, p, b, q = (
            x - rate * g for x, g in zip((a, p, b, q), gradients, strict=True)
        )
    return a, p, b, q


def test_steps_are_those_on_the_loss_with_the_penalty():
    inner = keras.optimizers.SGD(0.1)
    model = model_of(transfer.L2SP(inner, 0.5, new_strength=0.2))
    model.fit(X, Y, batch_size=16, epochs=10, verbose=0)
    for found, expected in zip(weights(model), by_hand(0.5, 0.2, 10), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_strong_pull_keeps_pretrained_weights_near_their_start():
    apart = []
    for strength in (0.0, 5.0):
        optimizer = transfer.L2SP(keras.optimizers.SGD(0.1), strength)
        model = model_of(optimizer)
        start = weights(model)
        x, y = (np.tile(each, (60, 1)) for each in (X, Y))  # an epoch costs more
        model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
        apart.append(np.linalg.norm(weights(model)[0] - start[0]))
    assert apart[1] < 0.2 * apart[0]


def test_the_start_is_kept_in_a_file(tmp_path):
    inner = keras.optimizers.SGD(0.1, momentum=0.9)
    whole = model_of(transfer.L2SP(inner, 0.5, new_strength=0.2))
    whole.fit(X, Y, batch_size=16, epochs=3, verbose=0)
    whole.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    for model in (whole, again):
        model.fit(X, Y, batch_size=16, epochs=3, verbose=0, shuffle=False)
    for a, b in zip(weights(whole), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_new_parts_of_a_classifier_are_known_after_loading(tmp_path):
    body = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="body")])
    model = transfer.regressor(body, 2, head="mlp", verbose=False)
    model.compile(transfer.L2SP("adam"), "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    again.fit(X, Y, verbose=0)
    assert again.optimizer.new == ["head*"]


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"L2SP\(strength=...\).*-1"):
        transfer.L2SP("adam", -1)
    with pytest.raises(ValueError, match=r"L2SP\(new_strength=...\)"):
        transfer.L2SP("adam", new_strength="a")
    with pytest.raises(TypeError, match=r"L2SP\(new=...\)"):
        transfer.L2SP("adam", new=[1])
    optimizer = transfer.L2SP("adam", new="top")
    with pytest.raises(ValueError, match=r"L2SP\(new=...\).*'top'"):
        optimizer.build(model_of("sgd").trainable_variables)
