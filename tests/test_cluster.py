"""Models whose kernels have few values, which learn."""

import keras
import numpy as np
import pytest

from perfkit import compress
from tests.support import networks
from tests.support.compressing import ON_TENSORFLOW, reparameterized, value

layers = keras.layers
RNG = np.random.default_rng(0)


def clustered(model, clusters=8, **options):
    return compress.cluster(model, clusters, verbose=False, **options)


def kernels(model):
    """Kernels as they are computed with, by the names of the layers."""
    return {layer.name: value(layer.kernel) for layer in reparameterized(model)}


def dense(weights, clusters, **options):
    """A clustered dense layer without bias on its own."""
    model = keras.Sequential(
        [keras.Input((len(weights),)), layers.Dense(weights.shape[1], use_bias=False)]
    )
    model.layers[0].kernel.assign(weights)
    return clustered(model, clusters, **options)


def values_of(model):
    return [value(variable).astype("float64") for variable in model.variables]


@pytest.mark.parametrize("make", networks.ALL)
def test_each_kernel_has_as_many_values_as_were_asked_for(make):
    model, x = networks.stirred(make()), networks.images()
    before = model.get_weights()
    few = clustered(model, 8, strict=False)
    assert type(few) is type(model)
    assert len(kernels(few)) >= 4
    assert {len(np.unique(kernel)) for kernel in kernels(few).values()} == {8}
    plain = compress.strip(few)
    assert type(plain) is type(model)
    assert plain.count_params() == model.count_params()
    for name, kernel in kernels(few).items():
        (layer,) = [one for one in networks.every_layer(plain) if one.name == name]
        np.testing.assert_array_equal(value(layer.kernel), kernel)
    ours, theirs = networks.outputs(few, x), networks.outputs(plain, x)
    assert networks.apart(ours, theirs) < 1e-6
    for old, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)


@pytest.mark.slow
def test_more_clusters_are_nearer_to_the_model():
    model, x = networks.stirred(networks.residual()), networks.images()
    expected = networks.outputs(model, x)
    errors = [
        networks.apart(networks.outputs(clustered(model, count), x), expected)
        for count in (2, 8, 60)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.1


def test_channels_may_have_values_of_their_own():
    kernel = RNG.normal(size=(3, 3, 4, 5)) * [0.01, 0.1, 1.0, 10.0, 100.0]
    model = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(5, 3)])
    model.layers[0].kernel.assign(kernel)
    (found,) = kernels(clustered(model, 6, per_channel=True)).values()
    assert len(np.unique(found)) == 30
    for k in range(5):
        assert len(np.unique(found[..., k])) == 6
        alone = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(1, 3)])
        alone.layers[0].kernel.assign(kernel[..., k : k + 1])
        (expected,) = kernels(clustered(alone, 6)).values()
        np.testing.assert_allclose(found[..., k : k + 1], expected, rtol=1e-6)


def test_units_of_depthwise_kernels_are_pairs():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.DepthwiseConv2D(3, depth_multiplier=2)]
    )
    (found,) = kernels(clustered(model, 4, per_channel=True)).values()
    units = found.reshape(9, 6).T
    assert [len(np.unique(unit)) for unit in units] == [4] * 6


def step(model, x, y, rate):
    """One step of plain gradient descent on half the squared error, summed."""
    model.compile(
        keras.optimizers.SGD(rate),
        lambda true, made: keras.ops.sum(keras.ops.square(true - made)) / 2.0,
    )
    model.fit(x, y, batch_size=len(x), epochs=1, verbose=0)


@pytest.mark.parametrize("gradient", ["sum", "mean"])
def test_values_get_the_gradients_of_their_weights_and_weights_their_own(gradient):
    weights = RNG.normal(size=(12, 3)).astype("float32")
    x, y = RNG.normal(size=(8, 12)).astype("float32"), np.zeros((8, 3), "float32")
    model = dense(weights, 4, gradient=gradient)
    (layer,) = model.layers
    first = value(layer.kernel)
    before = value(layer.transforms[0].centroids)
    slopes = x.T @ (x @ first)
    step(model, x, y, 1e-3)
    np.testing.assert_allclose(
        value(layer.variable), weights - 1e-3 * slopes, rtol=1e-4, atol=1e-6
    )
    members = [slopes[first == number] for number in before[0]]
    reduced = [getattr(each, gradient)() for each in members]
    np.testing.assert_allclose(
        value(layer.transforms[0].centroids)[0],
        before[0] - 1e-3 * np.array(reduced),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [True, False])
def test_training_finds_values_that_fit_better(jit_compile):
    if not ON_TENSORFLOW and not jit_compile:
        pytest.skip("on JAX both are compiled")
    x = RNG.normal(size=(256, 10)).astype("float32")
    y = x @ np.where(RNG.random((10, 4)) < 0.5, -0.9, 1.3)
    model = dense(RNG.normal(size=(10, 4)).astype("float32"), 2)
    (before,) = kernels(model).values()
    model.compile(keras.optimizers.Adam(0.03), "mse", jit_compile=jit_compile)
    losses = model.fit(x, y, epochs=40, batch_size=64, verbose=0).history["loss"]
    assert losses[-1] < 0.05 * losses[0]
    (after,) = kernels(model).values()
    assert len(np.unique(after)) == 2
    assert ((before > before.mean()) != (after > after.mean())).any()
    np.testing.assert_allclose(np.unique(after), [-0.9, 1.3], atol=0.1)


def sparse_model():
    inputs = keras.Input((6, 6, 4))
    x = layers.Conv2D(16, 3, name="conv", activation="relu")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(8, name="head")(x))
    for name in ("conv", "head"):
        kernel = model.get_layer(name).kernel
        mask = RNG.random(kernel.shape) < 0.3
        kernel.assign(np.where(mask, value(kernel), 0.0))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["AdamW", "Muon"])
def test_zeros_stay_zeros_whatever_the_optimizer_does(kind):
    model = sparse_model()
    few = clustered(model, 8, preserve_sparsity=True, method="density")
    zeros = {name: value(model.get_layer(name).kernel) == 0 for name in kernels(few)}
    for name, kernel in kernels(few).items():
        assert (kernel[zeros[name]] == 0).all()
        assert (kernel == 0).mean() < 0.9
    optimizer = getattr(keras.optimizers, kind)(0.05)
    few.compile(optimizer, "mse")
    x = RNG.normal(size=(32, 6, 6, 4)).astype("float32")
    few.fit(x, RNG.normal(size=(32, 8)), epochs=2, verbose=0)
    for name, kernel in kernels(few).items():
        np.testing.assert_array_equal(kernel[zeros[name]], 0.0)
        assert not np.signbit(kernel[zeros[name]]).any()  # gzip sees the sign
        assert len(np.unique(kernel)) <= 8
        plain = value(compress.strip(few).get_layer(name).kernel)
        np.testing.assert_array_equal(plain, kernel)


def test_without_zeros_to_keep_they_become_values_like_others():
    few = clustered(sparse_model(), 2)
    assert all(0 < len(np.unique(kernel)) <= 2 for kernel in kernels(few).values())
    assert any((kernel != 0).all() for kernel in kernels(few).values())


def test_a_saved_model_goes_on_as_the_first_does(tmp_path):
    few = clustered(sparse_model(), 4, preserve_sparsity=True, per_channel=True)
    x = RNG.normal(size=(32, 6, 6, 4)).astype("float32")
    y = RNG.normal(size=(32, 8))
    few.compile("adam", "mse")
    few.fit(x, y, epochs=1, verbose=0)
    few.save(tmp_path / "few.keras")
    again = keras.saving.load_model(tmp_path / "few.keras")
    for model in (few, again):
        model.fit(x, y, epochs=1, verbose=0, shuffle=False)
    for ours, theirs in zip(values_of(few), values_of(again), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert set(kernels(again)) == {"conv", "head"}


def test_half_precision_finds_its_values_in_whole():
    kernel = np.where(RNG.random((64, 8)) < 0.5, 0.9998, 1.0002)  # 1 in float16
    model = keras.Sequential(
        [keras.Input((64,)), layers.Dense(8, dtype="mixed_float16", name="wide")]
    )
    model.layers[0].kernel.assign(kernel)
    few = clustered(model, 2)
    (layer,) = few.layers
    layer.transforms[0].centroids.assign([[0.5, 1.5]])
    x = RNG.normal(size=(8, 64)).astype("float32")
    outputs = few.predict(x, verbose=0)
    assert outputs.dtype == "float16"
    expected = x @ np.where(kernel < 1.0, 0.5, 1.5)
    np.testing.assert_allclose(outputs, expected, rtol=1e-2, atol=5e-2)
    few.compile(keras.optimizers.SGD(1e-4), "mse")
    few.fit(x, np.zeros((8, 8)), verbose=0)
    assert {keras.backend.standardize_dtype(w.dtype) for w in few.weights} == {
        "float32"
    }
    assert (value(layer.transforms[0].centroids) != [[0.5, 1.5]]).all()


def test_shared_layers_are_clustered_once():
    few = clustered(networks.with_operations(), 8)
    found = [one for one in few.layers if one.name == "shared"]
    assert len(found) == 1
    shared = [w for w in few.trainable_weights if "centroids" in w.path]
    assert len(shared) == 4


def test_what_is_frozen_does_not_learn():
    model = networks.plain()
    model.get_layer("second").trainable = False
    few = clustered(model, 8)
    assert few.get_layer("second").trainable_weights == []
    assert len(few.get_layer("third").trainable_weights) == 3


def test_where_chooses_and_few_weights_stay(capsys):
    model = networks.residual()
    few = compress.cluster(model, 200, where=["stem", "expand", "last"])
    assert set(kernels(few)) == {"stem", "expand"}
    said = capsys.readouterr().out
    assert "2 of 3 kernels have at most 200 values now" in said
    assert "left as they are: last (few weights)" in said
    assert "moved furthest: expand by" in said or "moved furthest: stem by" in said


def test_embeddings_are_clustered_if_they_are_named():
    model = keras.Sequential(
        [keras.Input((5,), dtype="int32"), layers.Embedding(50, 8), layers.Dense(32)]
    )
    assert len(kernels(clustered(model, 4))) == 1
    both = clustered(model, 4, where=layers.Layer)
    assert [len(np.unique(kernel)) for kernel in kernels(both).values()] == [4, 4]
    tokens = RNG.integers(0, 50, (3, 5))
    (ours,), (theirs,) = (
        networks.outputs(each, tokens) for each in (both, compress.strip(both))
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def refusing():
    inputs = keras.Input((6, 8))
    x = layers.LSTM(16, return_sequences=True, name="memory")(inputs)
    x = layers.MultiHeadAttention(2, 8, name="attention")(x, x)
    x = layers.SeparableConv1D(16, 3, name="separable")(x)
    return keras.Model(inputs, layers.Dense(32, name="wide")(x))


def test_what_cannot_be_clustered_is_named(capsys):
    with pytest.raises(ValueError, match="can be clustered; not so: memory") as caught:
        clustered(refusing())
    for part in (
        "inside LSTM",
        "inside MultiHeadAttention",
        "separable (SeparableConv",
    ):
        assert part in str(caught.value)
    few = compress.cluster(refusing(), 8, strict=False)
    assert set(kernels(few)) == {"wide"}
    said = capsys.readouterr().out
    assert "separable (SeparableConv1D, with several kernels)" in said
    with pytest.raises(ValueError, match=r"not so: wide \(clustered already\)"):
        clustered(few, where="wide")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"model": "few"}, "of type Model"),
        ({"model": networks.Own()}, "Functional or Sequential"),
        ({"clusters": 1}, "a whole number of at least 2"),
        ({"clusters": 4.0}, "a whole number of at least 2"),
        ({"where": "nothing"}, "a choice from the layers that own a kernel: first"),
        ({"method": "kmeans"}, "one of ['density', 'kmeans++', 'linear', 'random']"),
        ({"preserve_sparsity": 1}, "True or False"),
        ({"per_channel": 1}, "True or False"),
        ({"gradient": "max"}, "one of ['mean', 'sum']"),
        ({"seed": -1}, "a whole number of at least 0"),
        ({"strict": "no"}, "True or False"),
        ({"verbose": 2}, "True or False"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_a_wrong_argument_is_refused(arguments, expected):
    with pytest.raises((ValueError, TypeError)) as caught:
        compress.cluster(**{"model": networks.plain(), **arguments})
    (name,) = arguments
    assert str(caught.value).startswith(f"`cluster({name}=...)` must be ")
    assert expected in str(caught.value)


@pytest.mark.parametrize("method", ["kmeans++", "density"])
def test_a_kernel_with_nan_is_named(method):
    model = networks.plain()
    kernel = model.get_layer("second").kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(ValueError, match=r"NaN and infinity, unlike `second`"):
        compress.cluster(model, 4, method=method, verbose=False)
