"""Builders' networks learn what needs their parts."""

import keras
import numpy as np
import pytest

from tests.model_cases import built

pytestmark = pytest.mark.slow
CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def trained(model, x, y, loss=CROSSENTROPY, epochs=30, rate=0.01):
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=True)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)
    return model


@pytest.mark.parametrize("kind", ["cnn", "transformer"])
def test_images_are_told_apart(kind):
    """Stripes along rows or columns, at random places: no mean of pixels helps."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 256)
    waves = np.sign(
        np.sin(np.arange(8) * np.pi / 2 + rng.uniform(0, 7, (256, 1)) + 0.1)
    )
    rows = np.broadcast_to(waves[:, :, None], (256, 8, 8))
    x = np.where(y[:, None, None] == 1, rows, rows.transpose(0, 2, 1))[..., None]
    x = (x + rng.normal(size=x.shape)).astype("float32")
    options = {"patch_size": 2, "width": 16} if kind == "transformer" else {}
    model = built(kind, "images", 2, shape=(8, 8, 1), **options)
    trained(model, x[:192], y[:192])
    right = model.predict(x[192:], verbose=0).argmax(-1) == y[192:]
    assert right.mean() > 0.85


@pytest.mark.parametrize("kind", ["cnn", "rnn", "transformer"])
def test_the_order_of_tokens_is_told(kind):
    """Which of two tokens comes first, among others and padding."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(3, 9, (384, 6)), rng.integers(0, 2, 384)
    for row, label in zip(x, y, strict=True):
        # Next to each other, as far as a small kernel sees.
        place = rng.integers(0, 5)
        row[place : place + 2] = (1, 2) if label else (2, 1)
    x = np.pad(x, ((0, 0), (0, 3))).astype("int32")
    options = {"width": 16} if kind != "cnn" else {"width": 8}
    model = built(kind, "tokens", 2, shape=(None,), **options)
    trained(model, x[:320], y[:320])
    right = model.predict(x[320:], verbose=0).argmax(-1) == y[320:]
    assert right.mean() > 0.85


@pytest.mark.parametrize("kind", ["cnn", "rnn", "transformer"])
def test_steps_are_labelled_by_what_is_beside_them(kind):
    """Whether the token before is the same; the first one's label is 0."""
    rng = np.random.default_rng(0)
    x = rng.integers(1, 3, (256, 6)).astype("int32")
    y = np.zeros_like(x)
    y[:, 1:] = x[:, 1:] == x[:, :-1]
    model = built(kind, "tokens", 2, "labelling", width=16)
    trained(model, x[:192], y[:192], epochs=40)
    right = model.predict(x[192:], verbose=0).argmax(-1) == y[192:]
    assert right.mean() > 0.85


@pytest.mark.parametrize("kind", ["cnn", "rnn", "transformer"])
def test_a_number_is_found_in_features(kind):
    """The mean square of the steps that count, which no dense layer makes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(320, 6, 3)).astype("float32")
    x *= rng.uniform(0.2, 2.0, (320, 1, 1)).astype("float32")
    seen = np.arange(6) < rng.integers(2, 7, (320, 1))
    y = np.array([np.log(np.mean(a[s] ** 2)) for a, s in zip(x, seen, strict=True)])
    model = built(
        kind, "features", 1, "regression", shape=(None, 3), mask="input", width=16
    )
    parts = [{"inputs": x[s], "mask": seen[s]} for s in (slice(256), slice(256, None))]
    trained(model, parts[0], y[:256, None], "mse", epochs=40)
    found = model.predict(parts[1], verbose=0)[:, 0]
    assert np.mean((found - y[256:]) ** 2) < 0.4 * np.var(y[256:])
