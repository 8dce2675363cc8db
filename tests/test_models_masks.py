"""Steps that pad change nothing."""

import keras
import numpy as np
import pytest

from perfkit.models import _parts
from tests.model_cases import built, numpy, samples, stirred

EVERY = [
    ("cnn", {"attention": "squeeze_excite", "kernel_size": 5}),
    ("cnn", {"normalization": "layer", "pooling": "max"}),
    ("cnn", {"normalization": "rms", "pooling": "gem", "activation": "gelu"}),
    ("rnn", {"attention": "squeeze_excite"}),
    ("rnn", {"cell": "lstm", "normalization": "rms", "pooling": "max"}),
    ("rnn", {"bidirectional": False, "normalization": "batch"}),
    ("transformer", {"position": "rotary", "feed_forward": "swiglu"}),
    ("transformer", {"normalization": "batch", "pooling": "attention"}),
    ("transformer", {"position": "none", "pooling": "concat"}),
]
LENGTHS = np.array([6, 3, 1])


def padded(x, steps, filling):
    """Samples of `LENGTHS`, with something else behind, and where that is."""
    many = np.full((len(x), steps, *x.shape[2:]), filling, x.dtype)
    many[:, : x.shape[1]] = x
    seen = np.arange(steps) < LENGTHS[:, None]
    many[~seen] = filling
    return many, seen


@pytest.mark.parametrize("task", ["classification", "labelling"])
@pytest.mark.parametrize(("kind", "options"), EVERY)
def test_padding_does_not_leak(kind, options, task):
    if task == "labelling":
        options = {k: v for k, v in options.items() if k != "pooling"}
    shape, x = (None, 3), samples("features", 3)
    model = stirred(
        built(kind, "features", task=task, shape=shape, mask="input", **options)
    )
    outs = []
    # One of these is no even number, so that steps go together otherwise.
    for steps, filling in ((6, 0.0), (6, 7.0), (9, -3.0), (12, float("inf"))):
        many, seen = padded(x, steps, filling)
        out = numpy(model({"inputs": many, "mask": seen}))
        outs.append(out[:, :6][seen[:, :6]] if task == "labelling" else out)
    assert np.std(outs[0]) > 1e-3
    for out in outs[1:]:
        np.testing.assert_allclose(out, outs[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "options"), EVERY)
def test_a_sample_is_what_it_is_without_padding(kind, options):
    options = {**options, "shape": (None, 3)}
    masked = stirred(built(kind, "features", mask="input", **options))
    plain = built(kind, "features", mask="none", **options)
    for layer in plain.layers:  # those that hide are between, and change the order
        layer.set_weights(masked.get_layer(layer.name).get_weights())
    x = samples("features", 3)
    many, seen = padded(x, 9, 5.0)
    out = numpy(masked({"inputs": many, "mask": seen}))
    for row, length in enumerate(LENGTHS):
        alone = numpy(plain(x[row : row + 1, :length]))[0]
        np.testing.assert_allclose(out[row], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["cnn", "rnn", "transformer"])
def test_zeros_pad_tokens_unless_told_otherwise(kind):
    x, _ = padded(samples("tokens", 3), 9, 0)
    model = stirred(built(kind, "tokens", shape=(None,)))
    short, long = numpy(model(x[1:, :4])), numpy(model(x[1:]))
    np.testing.assert_allclose(long, short, rtol=1e-5, atol=1e-6)
    open_ = built(kind, "tokens", shape=(None,), mask="none")
    open_.set_weights(model.get_weights())
    assert np.abs(numpy(open_(x[1:, :4])) - numpy(open_(x[1:]))).max() > 1e-3


@pytest.mark.parametrize("kind", ["cnn", "rnn", "transformer"])
def test_steps_of_zeros_pad_features_if_asked(kind):
    x, _ = padded(samples("features", 3), 9, 0.0)
    x[0, 2, 0] = 0.0  # one feature alone pads nothing
    model = stirred(built(kind, "features", shape=(None, 3), mask="zeros"))
    short, long = numpy(model(x[:, :6])), numpy(model(x))
    np.testing.assert_allclose(long, short, rtol=1e-5, atol=1e-6)
    given = built(kind, "features", shape=(None, 3), mask="input")
    given.set_weights(model.get_weights())
    seen = np.arange(9) < LENGTHS[:, None]
    out = numpy(given({"inputs": x, "mask": seen}))
    np.testing.assert_allclose(long, out, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["cnn", "rnn", "transformer"])
def test_a_sample_that_is_all_padding_makes_numbers(kind):
    model = stirred(built(kind, "tokens"))
    assert np.isfinite(numpy(model(np.zeros((2, 6), "int32")))).all()


@pytest.mark.parametrize("kind", ["cnn", "rnn", "transformer"])
def test_labels_of_steps_that_pad_count_in_no_loss(kind):
    x, seen = padded(samples("tokens", 3), 6, 0)
    model = built(kind, "tokens", 2, "labelling", normalization="layer")
    out = numpy(model(x))
    target = np.where(seen[..., None], 0.0, 1e6).repeat(2, -1).astype("float32")
    model.compile(loss="mse", metrics=["mae"], jit_compile=False)
    loss, error = model.evaluate(x, target, verbose=0)
    np.testing.assert_allclose(loss, np.mean(out[seen] ** 2), rtol=1e-4)
    np.testing.assert_allclose(error, np.mean(np.abs(out[seen])), rtol=1e-4)


def test_statistics_of_a_batch_leave_padding_out():
    x, seen = padded(samples("features", 3), 9, 100.0)
    model = built("cnn", "features", shape=(None, 3), mask="input")
    model({"inputs": x, "mask": seen}, training=True)
    long = [numpy(w).copy() for w in model.non_trainable_weights]
    model = built("cnn", "features", shape=(None, 3), mask="input")
    model({"inputs": x[:, :6], "mask": seen[:, :6]}, training=True)
    short = [numpy(w) for w in model.non_trainable_weights]
    for a, b in zip(long, short, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", _parts.POOLINGS)
def test_each_pooling_of_the_network(pooling):
    """Against NumPy, on what comes in and out of the layer."""
    model = built("cnn", "features", pooling=pooling)
    around = keras.Model(
        model.input, [model.get_layer("pool").input, model.get_layer("pool").output]
    )
    before, after = map(numpy, around(samples("features")))
    mean, most = before.mean(axis=1), before.max(axis=1)
    expected = {
        "attention": mean,  # as it begins
        "average": mean,
        "concat": np.concatenate([mean, most], -1),
        "gem": np.mean(np.maximum(before, 1e-6) ** 3, axis=1) ** (1 / 3),
        "max": most,
    }[pooling]
    np.testing.assert_allclose(after, expected, rtol=1e-4, atol=1e-5)
