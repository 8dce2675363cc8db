"""Means of the weights of several models."""

import keras
import numpy as np
import pytest

from perfkit import layers, transfer


def network(seed=0, units=3, dtype=None):
    """With moving statistics, a whole number and a random state."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(units, dtype=dtype),
            keras.layers.BatchNormalization(),
            Counting(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2, dtype=dtype),
        ]
    )


@keras.saving.register_keras_serializable(package="test")
class Counting(keras.layers.Layer):
    def build(self, shape):
        self.count = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="count"
        )

    def call(self, x):
        return x


def drawn(seed, **more):
    """A network with drawn weights, whatever they are."""
    model, rng = network(seed, **more), np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name == "count":
            variable.assign(seed + 1)
        else:
            variable.assign(rng.uniform(0.5, 2.0, variable.shape))
    return model


def mean_of(models, weights=None):
    """NumPy's, in float64."""
    stacks = zip(*[model.get_weights() for model in models], strict=True)
    return [np.average(np.float64(x), axis=0, weights=weights) for x in stacks]


def assert_floats(model, wanted):
    for variable, value in zip(model.weights, wanted, strict=True):
        if variable.name != "count":
            found = keras.ops.convert_to_numpy(variable)
            np.testing.assert_array_equal(found, value.astype(found.dtype))


def test_weights_are_the_means_of_numpy():
    models = [drawn(seed) for seed in range(3)]
    before = [model.get_weights() for model in models]
    soup = transfer.average_weights(models)
    assert_floats(soup, mean_of(models))
    for model, values in zip(models, before, strict=True):
        for ours, theirs in zip(model.get_weights(), values, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_models_count_as_much_as_they_are_told_to():
    models = [drawn(seed) for seed in range(3)]
    soup = transfer.average_weights(models, weights=[0.5, 1.0, 0.25])
    for found, wanted in zip(
        soup.get_weights(), mean_of(models, [0.5, 1.0, 0.25]), strict=True
    ):
        if found.dtype == "float32":
            np.testing.assert_allclose(found, wanted, rtol=1e-7)
    alone = transfer.average_weights(models, weights=np.array([0.0, 0.3, 0.0]))
    assert_floats(alone, models[1].get_weights())


def test_half_floats_are_averaged_in_float64_and_rounded_once():
    for dtype in ("float16", "bfloat16"):
        models = [drawn(seed, dtype=dtype) for seed in range(3)]
        large = [np.float64(w) * 3e4 for w in models[0].get_weights()[:1]]
        for model in models:  # the sum is more than float16 holds
            model.weights[0].assign(large[0] * (1.0 if dtype == "float16" else 1e30))
        assert_floats(transfer.average_weights(models), mean_of(models))


def test_whole_numbers_and_random_states_are_those_of_the_first():
    models = [drawn(seed) for seed in (5, 6)]
    models[0](np.ones((1, 4)), training=True)  # draws
    soup = transfer.average_weights(models)
    assert int(soup.layers[2].count) == 6
    states = [
        keras.ops.convert_to_numpy(model.layers[3].seed_generator.state)
        for model in (soup, models[0])
    ]
    np.testing.assert_array_equal(*states)


@keras.saving.register_keras_serializable(package="test")
class Own(keras.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = keras.layers.Dense(units)

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def functional():
    inputs = keras.Input((4,))
    inside = network()
    shared = keras.layers.Dense(2)
    return keras.Model(inputs, shared(shared(inside(inputs))))


def own():
    model = Own()
    model(np.ones((1, 4)))
    return model


@pytest.mark.parametrize("make", [network, functional, own])
def test_the_class_is_that_of_the_first_and_it_can_be_saved(make, tmp_path):
    models = [make() for _ in range(2)]
    models[0].compile("adam", lambda y, z: keras.ops.mean((y - z) ** 2))
    soup = transfer.average_weights(models)
    assert type(soup) is type(models[0])
    assert not soup.compiled
    assert models[0].compiled
    assert_floats(soup, mean_of(models))
    x = np.ones((3, 4), "float32")
    soup.save(tmp_path / "soup.keras")
    loaded = keras.models.load_model(tmp_path / "soup.keras")
    found = keras.ops.convert_to_numpy(loaded(x))
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(soup(x)), rtol=1e-6)


def test_files_are_read_one_at_a_time_into_a_copy(tmp_path):
    models = [drawn(seed) for seed in range(3)]
    wanted = mean_of(models)
    whole, weights = tmp_path / "a.keras", tmp_path / "b.weights.h5"
    models[1].save(whole)
    models[2].save_weights(weights)
    first = models[0].get_weights()
    assert_floats(transfer.average_weights([models[0], whole, str(weights)]), wanted)
    np.testing.assert_array_equal(models[0].get_weights()[0], first[0])
    other = drawn(9)
    assert_floats(transfer.average_weights([str(whole), models[0], weights]), wanted)
    soup = transfer.average_weights([weights, whole, models[0]], model=other)
    assert_floats(soup, wanted)
    assert int(soup.layers[2].count) == 3
    assert int(other.layers[2].count) == 10


def test_a_mean_of_convex_models_is_no_worse_than_the_mean_of_their_losses():
    """Jensen's inequality, of which a mean of something else knows nothing."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 4)), rng.integers(0, 2, (64, 1))
    models = []
    for _ in range(3):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.set_weights([rng.normal(size=(4, 1)), rng.normal(size=1)])
        models.append(model)
    losses = [loss_of(model, x, y) for model in models]
    assert loss_of(transfer.average_weights(models), x, y) < np.mean(losses)


def loss_of(model, x, y):
    criterion = keras.losses.BinaryCrossentropy(from_logits=True)
    return float(criterion(y, model(x.astype("float32"))))


def tuned():
    """Two fine-tuned networks from one start, and held-out data."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 2)).astype("float32")
    y = (x[:, :1] * x[:, 1:] + 0.3 * rng.normal(size=(800, 1)) > 0).astype("float32")
    parts = [keras.layers.Dense(16, "tanh"), keras.layers.Dense(1)]
    net = keras.Sequential([keras.Input((2,)), *parts])
    net.set_weights([0.7 * rng.normal(size=w.shape) for w in net.get_weights()])
    criterion = keras.losses.BinaryCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(0.03), criterion)
    net.fit(x[:200], y[:200], epochs=40, batch_size=100, verbose=0, shuffle=False)
    start, models = net.get_weights(), []
    for part in (slice(200, 300), slice(300, 400)):
        net.set_weights(start)
        net.fit(x[part], y[part], epochs=40, batch_size=100, verbose=0)
        models.append(keras.models.clone_model(net))
        models[-1].set_weights(net.get_weights())
    return models, x[400:], y[400:]


@pytest.mark.slow
def test_a_soup_of_one_start_is_no_worse_than_the_mean_of_its_members():
    models, x, y = tuned()
    losses = [loss_of(model, x, y) for model in models]
    assert loss_of(transfer.average_weights(models), x, y) < np.mean(losses)


@pytest.mark.parametrize("function", ["average_weights", "greedy_soup"])
def test_what_differs_is_named(function, tmp_path):
    def call(models, **more):
        if function == "greedy_soup":
            more["score"], more["verbose"] = (lambda _: 0.0), False
        return getattr(transfer, function)(models, **more)

    first = network()
    with pytest.raises(
        ValueError, match=r"models\[1\] weight 0 is .*dense.*/kernel of"
    ):
        call([first, network(units=5)])
    network(units=5).save(tmp_path / "other.keras")
    message = r"shape \(4, 5\), and .*dense.*/kernel of shape \(4, 3\) in the first"
    with pytest.raises(ValueError, match=message):
        call([first, tmp_path / "other.keras"])
    wide = keras.Sequential(
        [keras.Input((4,), name="x"), keras.layers.Dense(3, name="dense")]
    )
    with pytest.raises(ValueError, match=r"there are 2 weights, and 9 in the first"):
        call([first, wide])
    one, two = [
        keras.Sequential([keras.Input((4,)), layer])
        for layer in (keras.layers.PReLU(), layers.LayerScale())
    ]
    with pytest.raises(ValueError, match=r"is .*/factor of shape \(4,\), and .*/alpha"):
        call([one, two])
    with pytest.raises(ValueError, match=r"is a \.weights\.h5 file"):
        call([tmp_path / "a.weights.h5", first])
    for wrong in ([], first, [first, "model.h5"], [first, 3]):
        with pytest.raises(ValueError, match=r"models=...\)` must be a list of models"):
            call(wrong)
    unbuilt = keras.Sequential([keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="must be a built model"):
        call([unbuilt])
    wide.save_weights(tmp_path / "wide.weights.h5")
    with pytest.raises(ValueError, match="must be files of weights of"):
        call([first, tmp_path / "wide.weights.h5"])
    with pytest.raises(TypeError, match=r"model=...\)` must be of type Model"):
        call([first], model="first")


def test_wrong_weights_of_models_are_named():
    model = network()
    for wrong in ([1.0], [1.0, -1.0], [0, 0], "ab"):
        with pytest.raises(ValueError, match="2 numbers of at least 0, one a model"):
            transfer.average_weights([model, model], weights=wrong)


def test_models_with_adapters_are_to_be_merged_first(tmp_path):
    model = network()
    transfer.adapt(model, transfer.LoRA(2))
    files = [tmp_path / "a.weights.h5", tmp_path / "a.keras"]
    model.save_weights(files[0])
    model.save(files[1])
    for models, arguments in (
        ([model, network()], {}),
        ([network(), model], {}),
        (files[:1], {"model": model}),
        (files[1:], {}),
        ([network(), files[1]], {}),
    ):
        with pytest.raises(ValueError, match=r"average_weights\(model.*`merge` them"):
            transfer.average_weights(models, **arguments)
