"""Layers that make one vector of all places."""

import itertools

import keras
import numpy as np
import pytest

from perfkit import layers

KINDS = {
    "gem": lambda **more: layers.GeM(2.5, **more),
    "gem_per_channel": lambda **more: layers.GeM(2.5, per_channel=True, **more),
    "concat": lambda **more: layers.ConcatPool(**more),
    "max": lambda **more: layers.GlobalMaxPool(**more),
    "attention": lambda **more: layers.AttentionPool(2, **more),
}
EVERY = pytest.mark.parametrize("kind", KINDS)
SHAPES = [(3, 5, 4), (3, 5, 2, 4), (3, 2, 3, 2, 4)]


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def features(*shape):
    """As behind a ReLU: some are zero."""
    drawn = np.random.default_rng(0).normal(1.0, 1.0, shape)
    return np.maximum(drawn, 0.0).astype("float32")


def built(kind, x, **more):
    """A layer with weights that tell places and channels apart."""
    layer = KINDS[kind](**more)
    layer(x)
    rng = np.random.default_rng(1)
    shapes = [weight.shape for weight in layer.get_weights()]
    layer.set_weights([rng.uniform(0.5, 3.0, shape) for shape in shapes])
    return layer


def expected(kind, layer, row, seen):
    """The papers' formulas of one sample, float64; `row` is `(places, channels)`."""
    row = row.astype("float64")[seen]
    weights = [np.asarray(weight, "float64") for weight in layer.get_weights()]
    if kind == "concat":
        return np.concatenate([row.mean(0), row.max(0)])
    if kind == "max":
        return row.max(0)
    if kind == "attention":
        (query,) = weights
        parts = []
        for head, part in enumerate(np.split(row, query.shape[1], axis=1)):
            share = np.exp(row @ query[:, head] / np.sqrt(row.shape[1]))
            parts.append((share / share.sum()) @ part)
        return np.concatenate(parts)
    return np.mean(np.maximum(row, 1e-6) ** weights[0], axis=0) ** (1.0 / weights[0])


@EVERY
@pytest.mark.parametrize("shape", SHAPES)
def test_they_are_the_formulas_of_their_papers(kind, shape):
    x = features(*shape)
    layer = built(kind, x)
    rows = x.reshape(shape[0], -1, shape[-1])
    every = np.ones(rows.shape[1], bool)
    wanted = [expected(kind, layer, row, every) for row in rows]
    np.testing.assert_allclose(numpy(layer(x)), wanted, rtol=1e-5, atol=1e-7)


@EVERY
@pytest.mark.parametrize("shape", SHAPES[:2])
def test_hidden_places_do_not_count_whatever_they_hold(kind, shape):
    x = features(*shape)
    seen = np.random.default_rng(2).uniform(size=shape[:-1]) < 0.5
    seen[0] = False  # nothing is left: as if nothing were hidden
    layer = built(kind, x)
    rows, marks = x.reshape(3, -1, 4), seen.reshape(3, -1).copy()
    marks[0] = True
    wanted = [expected(kind, layer, *pair) for pair in zip(rows, marks, strict=True)]
    x[1:][~seen[1:]] = np.nan
    found = numpy(layer(x, mask=seen))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_a_maximum_below_0_is_not_that_of_a_hidden_place():
    x, seen = -1.0 - features(3, 5, 4), np.array([[True, False, True, True, False]] * 3)
    for layer, begin in ((layers.ConcatPool(), 4), (layers.GlobalMaxPool(), 0)):
        found = numpy(layer(x, mask=seen))
        np.testing.assert_array_equal(found[:, begin:], x[:, [0, 2, 3]].max(1))


@EVERY
def test_a_mask_of_frames_hides_all_their_pixels(kind):
    x = features(2, 4, 3, 2, 4)
    layer = built(kind, x)
    seen = np.array([[True, False, True, False]] * 2)
    found = numpy(layer(x, mask=seen))
    np.testing.assert_allclose(found, numpy(layer(x[:, ::2])), rtol=1e-5)


@EVERY
def test_a_model_hands_on_the_mask_of_its_sequences(kind):
    inputs = keras.Input((None, 4))
    layer = KINDS[kind]()
    outputs = layer(keras.layers.Masking()(inputs))
    assert getattr(outputs, "_keras_mask", None) is None
    model = keras.Model(inputs, outputs)
    x = 1.0 + features(2, 5, 4)
    padded = np.concatenate([x, np.zeros((2, 3, 4), "float32")], axis=1)
    found = model.predict(padded, verbose=0)
    np.testing.assert_allclose(found, numpy(layer(x)), rtol=1e-5)


@EVERY
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("keepdims", [True, False])
def test_channels_may_come_first_and_axes_may_stay(kind, shape, keepdims):
    x = features(*shape)
    last = built(kind, x)
    first = KINDS[kind](data_format="channels_first", keepdims=keepdims)
    turned = np.moveaxis(x, -1, 1)
    symbolic = first(keras.Input(turned.shape[1:]))
    first.set_weights(last.get_weights())
    found = numpy(first(turned))
    assert symbolic.shape[1:] == found.shape[1:]
    assert found.ndim == (x.ndim if keepdims else 2)
    wanted = numpy(last(x))
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-6)
    kept = KINDS[kind](keepdims=keepdims)
    kept(x)
    kept.set_weights(last.get_weights())
    wanted = np.moveaxis(found, 1, -1)
    np.testing.assert_allclose(numpy(kept(x)), wanted, rtol=1e-6)


def test_powers_go_from_the_average_to_the_maximum():
    x = 0.1 + features(3, 7, 4)
    np.testing.assert_allclose(numpy(layers.GeM(1)(x)), x.mean(1), rtol=1e-5)
    np.testing.assert_allclose(numpy(layers.GeM(1000)(x)), x.max(1), rtol=3e-3)
    powers = [numpy(layers.GeM(p)(x)) for p in (0.5, 1, 2, 8, 64)]
    assert all((low < high).all() for low, high in itertools.pairwise(powers))


def test_large_features_and_powers_do_not_overflow():
    x = np.array([[[3e4], [0.0]]], "float32")
    for dtype in ("float32", "mixed_float16"):
        found = float(layers.GeM(64, dtype=dtype)(x)[0, 0])
        assert found == pytest.approx(3e4 * 0.5 ** (1 / 64), rel=1e-3)


def test_powers_are_learned_within_their_bounds():
    """One step of SGD is that of the derivative, by differences in float64."""
    x, p = 0.1 + features(4, 6, 3), 3.0
    model = keras.Sequential([keras.Input((6, 3)), layers.GeM(p)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(x, np.zeros((4, 3)), batch_size=4, verbose=0)

    def loss(p):
        return np.mean(np.mean(x.astype("float64") ** p, axis=1) ** (2 / p))

    slope = (loss(p + 1e-5) - loss(p - 1e-5)) / 2e-5
    (moved,) = model.get_weights()
    assert moved == pytest.approx(p - 0.1 * slope, rel=1e-4)
    model.compile(keras.optimizers.SGD(1e6), "mse")
    model.fit(x, np.zeros((4, 3)), batch_size=4, verbose=0)
    assert model.get_weights()[0] == pytest.approx(0.01)
    assert not layers.GeM(learned=False).trainable_variables
    fixed = layers.GeM(learned=False)
    fixed(x)
    assert (len(fixed.trainable_variables), len(fixed.weights)) == (0, 1)


def test_attention_begins_as_average_pooling():
    x = features(3, 5, 2, 4)
    found = numpy(layers.AttentionPool(4)(x))
    np.testing.assert_allclose(found, x.mean((1, 2)), rtol=1e-5)


def test_attention_is_that_of_keras_with_the_identity_for_values_and_outputs():
    x = features(3, 5, 4)
    ours = built("attention", x)
    theirs = keras.layers.MultiHeadAttention(2, 2, use_bias=False, output_shape=4)
    query = np.ones((3, 1, 1), "float32")
    theirs.build(query.shape, x.shape)
    # Each head makes (1, 0) of the query, so that a key's first entry is the score.
    first, keys = np.zeros((1, 2, 2)), np.zeros((4, 2, 2))
    first[..., 0] = 1.0
    keys[..., 0] = ours.get_weights()[0] * np.sqrt(2 / 4)  # what both divide by
    identity = np.eye(4)
    theirs.query_dense.set_weights([first])
    theirs.key_dense.set_weights([keys])
    theirs.value_dense.set_weights([identity.reshape(4, 2, 2)])
    theirs.output_dense.set_weights([identity.reshape(2, 2, 4)])
    found = numpy(theirs(query, x))[:, 0]
    np.testing.assert_allclose(found, numpy(ours(x)), rtol=1e-5)


def test_attention_can_be_looked_at():
    x = features(3, 5, 2, 4)
    layer = built("attention", x)
    shares = numpy(layer.attention(x))
    assert shares.shape == (3, 5, 2, 2)
    np.testing.assert_allclose(shares.sum((1, 2)), 1.0, rtol=1e-5)
    halves = np.split(x, 2, axis=-1)
    pooled = [np.sum(shares[..., k, None] * halves[k], (1, 2)) for k in range(2)]
    np.testing.assert_allclose(np.concatenate(pooled, -1), numpy(layer(x)), rtol=1e-5)
    first = KINDS["attention"](data_format="channels_first")
    turned = np.moveaxis(x, -1, 1)
    first(turned)
    first.set_weights(layer.get_weights())
    np.testing.assert_allclose(numpy(first.attention(turned)), shares, rtol=1e-5)
    hidden = np.ones((3, 5, 2), bool)
    hidden[:, 1] = False
    assert (numpy(layer.attention(x, hidden))[:, 1] == 0.0).all()


@pytest.mark.parametrize(
    "jit_compile", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_they_train_within_a_model_and_are_saved(jit_compile, tmp_path):
    inputs, seen = keras.Input((None, 6, 4)), keras.Input((None, 6), dtype="bool")
    pools = [make() for make in KINDS.values()]
    pooled = [pool(inputs, mask=seen) for pool in pools]
    outputs = keras.layers.Dense(1)(keras.layers.Concatenate()(pooled))
    model = keras.Model([inputs, seen], outputs)
    model.compile("adam", "mse", jit_compile=jit_compile)
    x = features(8, 6, 6, 4)
    marks = np.random.default_rng(2).uniform(size=(8, 6, 6)) < 0.7
    x[~marks] = 1e30  # of which gradients must not take notice either
    before = [np.copy(w) for w in model.get_weights()]
    model.fit([x, marks], np.ones((8, 1)), batch_size=4, verbose=0)
    after = model.get_weights()
    assert all(np.isfinite(new).all() for new in after)
    assert all((new != old).any() for new, old in zip(after, before, strict=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = loaded.predict([x, marks], verbose=0)
    np.testing.assert_allclose(found, model.predict([x, marks], verbose=0), rtol=1e-5)
    for pool in pools:
        assert loaded.get_layer(pool.name).get_config() == pool.get_config()


@EVERY
@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_they_keep_to_their_dtype_and_sum_in_float32(kind, dtype):
    outputs = KINDS[kind](dtype=dtype)(np.full((1, 100, 100, 2), 10.0, "float32"))
    half = dtype.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(outputs.dtype) == half
    np.testing.assert_allclose(numpy(outputs).astype("float32"), 10.0, rtol=1e-2)


@EVERY
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no float64 here")
def test_float64_stays_so(kind):
    x = np.random.default_rng(0).uniform(1.0, 2.0, (2, 5, 4))
    layer = built(kind, x, dtype="float64")
    wanted = [expected(kind, layer, row, np.ones(5, bool)) for row in x]
    np.testing.assert_allclose(numpy(layer(x)), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (layers.GeM, {"p": 0}),
        (layers.GeM, {"p": "3"}),
        (layers.GeM, {"learned": 1}),
        (layers.GeM, {"per_channel": 1}),
        (layers.GeM, {"epsilon": 0}),
        (layers.ConcatPool, {"data_format": "NHWC"}),
        (layers.ConcatPool, {"keepdims": 1}),
        (layers.AttentionPool, {"heads": 0}),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named(kind, change):
    (name,) = change
    start = rf"^`{kind.__name__}\({name}=...\)` must be "
    with pytest.raises((ValueError, TypeError), match=start):
        kind(**change)


def test_heads_divide_the_channels_and_there_are_places():
    with pytest.raises(ValueError, match=r"heads=...\)` must be a divisor of the 4"):
        layers.AttentionPool(3)(features(2, 5, 4))
    with pytest.raises(ValueError, match="min_ndim=3"):
        layers.ConcatPool()(features(2, 4))
