"""Layers at the end of a classifier."""

import keras
import numpy as np
import pytest
import scipy.spatial.distance
import scipy.special

from perfkit import layers


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def normal(*shape, seed=0):
    drawn = np.random.default_rng(seed).normal(1.0, 2.0, shape)
    return drawn.astype("float32")


@pytest.mark.parametrize("shape", [(3, 5), (3, 2, 5)])
def test_logits_are_scaled_cosines(shape):
    x = normal(*shape)
    layer = layers.CosineDense(4, scale=7.0)
    layer(x)
    kernel = normal(5, 4, seed=1)
    layer.set_weights([kernel, np.array(7.0)])
    rows = x.reshape(-1, 5).astype("float64")
    apart = scipy.spatial.distance.cdist(rows, kernel.T.astype("float64"), "cosine")
    wanted = 7.0 * (1.0 - apart).reshape(*shape[:-1], 4)
    np.testing.assert_allclose(numpy(layer(x)), wanted, rtol=1e-5, atol=1e-6)


def test_lengths_do_not_count_and_zeros_are_no_error():
    x = normal(3, 5)
    layer = layers.CosineDense(4)
    before = numpy(layer(x))
    kernel, scale = layer.get_weights()
    layer.set_weights([50.0 * kernel, scale])
    np.testing.assert_allclose(numpy(layer(1e-3 * x)), before, rtol=1e-4)
    assert (numpy(layer(0.0 * x)) == 0.0).all()
    half = layers.CosineDense(4, dtype="mixed_float16")
    half.build(x.shape)
    half.set_weights([kernel, scale])
    outputs = half(1e3 * x)  # whose squares float16 does not hold
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    np.testing.assert_allclose(numpy(outputs), before, rtol=1e-2, atol=1e-2)


def test_the_scale_is_learned_or_not():
    fixed, free = layers.CosineDense(2, learned=False), layers.CosineDense(2)
    for layer, many in ((fixed, 1), (free, 2)):
        layer(normal(3, 5))
        assert len(layer.trainable_variables) == many
        assert float(layer.factor) == 16.0


class Fixed(layers.MultiSampleDropout):
    """With masks that a test knows."""

    def hits(self, shape, rate):
        dropped = np.random.default_rng(0).uniform(size=(32, 5)) < rate
        return keras.ops.convert_to_tensor(dropped.astype("float32"))


def test_outputs_are_the_average_over_masks():
    x = normal(4, 5)
    dense = keras.layers.Dense(3, activation="tanh")
    layer = Fixed(dense, 8, rate=0.4)
    found = numpy(layer(x, training=True))
    kept = (np.random.default_rng(0).uniform(size=(8, 4, 5)) >= 0.4) / 0.6
    kernel, bias = dense.get_weights()
    wanted = np.tanh((x * kept) @ kernel + bias).mean(0)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_the_loss_is_the_average_of_the_losses(loss):
    """The paper's, computed for each mask by itself."""
    x = normal(4, 5)
    dense = keras.layers.Dense(3)
    layer = Fixed(dense, 8, rate=0.4, loss=loss)
    if loss == "softmax":
        y = np.eye(3)[[0, 2, 1, 1]]
        criterion = keras.losses.CategoricalCrossentropy(from_logits=True)
    else:
        y = np.array([[0.0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]])
        criterion = keras.losses.BinaryCrossentropy(from_logits=True)
    outputs = layer(x, training=True)
    (added,) = layer.losses
    found = float(criterion(y, outputs)) + float(added)
    kernel, bias = dense.get_weights()
    kept = (np.random.default_rng(0).uniform(size=(8, 4, 5)) >= 0.4) / 0.6
    logits = (x * kept).astype("float64") @ kernel + bias
    if loss == "softmax":
        each = -np.sum(y * scipy.special.log_softmax(logits, -1), -1)
    else:
        each = np.logaddexp(0.0, logits) - y * logits
    assert found == pytest.approx(each.mean(), rel=1e-4)
    assert float(added) > 0.01 * found


def test_inference_is_one_pass_without_dropout_and_without_a_loss():
    x = normal(4, 5)
    dense = keras.layers.Dense(3)
    layer = layers.MultiSampleDropout(dense, loss="softmax")
    np.testing.assert_array_equal(numpy(layer(x)), numpy(dense(x)))
    assert not layer.losses
    still = layers.MultiSampleDropout(dense, rate=0.0)
    np.testing.assert_array_equal(numpy(still(x, training=True)), numpy(dense(x)))


def test_masks_are_drawn_anew_from_the_seed_at_the_rate():
    ones = np.ones((64, 32), "float32")
    dense = keras.layers.Dense(1, kernel_initializer="ones")
    first, second = [layers.MultiSampleDropout(dense, 4, 0.3, seed=1) for _ in range(2)]
    calls = [numpy(first(ones, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(numpy(second(ones, training=True)), calls[0])
    assert (calls[0] != calls[1]).any()
    assert len(np.unique(calls[0])) > 16  # samples have masks of their own
    deviation = np.sqrt(0.3 / 0.7 / (4 * 32))  # of one output, by the mean of draws
    assert abs(calls[0].mean() / 32 - 1.0) < 4 * deviation / 8
    assert calls[0].std() / 32 == pytest.approx(deviation, rel=0.4)


@pytest.mark.parametrize(
    "jit_compile", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_heads_train_within_a_model_and_are_saved(jit_compile, tmp_path):
    inside = [keras.layers.Dense(6, activation="relu"), layers.CosineDense(3, scale=9)]
    head = layers.MultiSampleDropout(
        keras.Sequential(inside), 3, 0.2, loss="softmax", seed=4
    )
    model = keras.Sequential([keras.Input((5,)), head])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss, jit_compile=jit_compile)
    x, y = normal(12, 5), np.arange(12) % 3
    before = [np.copy(w) for w in model.get_weights()]
    model.fit(x, y, batch_size=4, verbose=0)
    after = model.get_weights()
    assert all((new != old).any() for new, old in zip(after, before, strict=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5
    )
    layer = loaded.layers[0]
    assert (layer.samples, layer.rate, layer.loss, layer.seed) == (3, 0.2, "softmax", 4)
    again = layers.MultiSampleDropout.from_config(head.get_config())
    assert again.layer.layers[1].scale == 9.0


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (layers.CosineDense, {"units": 0}),
        (layers.CosineDense, {"scale": 0}),
        (layers.CosineDense, {"learned": 1}),
        (layers.MultiSampleDropout, {"layer": "dense"}),
        (layers.MultiSampleDropout, {"samples": 0}),
        (layers.MultiSampleDropout, {"rate": 1.0}),
        (layers.MultiSampleDropout, {"seed": -1}),
        (layers.MultiSampleDropout, {"loss": "mse"}),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named(kind, change):
    needed = {"layer": keras.layers.Dense(1)}
    if kind is layers.CosineDense:
        needed = {"units": 2}
    (name,) = change
    start = rf"^`{kind.__name__}\({name}=...\)` must be "
    with pytest.raises((ValueError, TypeError), match=start):
        kind(**{**needed, **change})
