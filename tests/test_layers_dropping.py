"""Layers that drop parts of what passes."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from perfkit import layers

DRAWS = 4096
SHAPES = {
    layers.DropPath: (3, 2),
    layers.StochasticDepth: (3, 2),
    layers.DropBlock1D: (9, 2),
    layers.DropBlock2D: (9, 10, 2),
}
EVERY = pytest.mark.parametrize("kind", SHAPES)


def made(kind, rate=0.3, **arguments):
    if kind in (layers.DropBlock1D, layers.DropBlock2D):
        arguments = {"block_size": 3, **arguments}
    return kind(rate, seed=3, **arguments)


def ones(kind, batch):
    return np.ones((batch, *SHAPES[kind]), "float32")


def dropped(layer, inputs):
    return keras.ops.convert_to_numpy(layer(inputs, training=True))


@EVERY
def test_nothing_happens_at_inference_or_without_a_rate(kind):
    inputs = np.random.default_rng(0).normal(size=ones(kind, 5).shape)
    inputs = inputs.astype("float32")
    for layer, training in ((made(kind), False), (made(kind, 0.0), True)):
        outputs = keras.ops.convert_to_numpy(layer(inputs, training=training))
        np.testing.assert_array_equal(outputs, inputs)


@EVERY
def test_what_stays_is_enlarged_alike_and_the_rest_is_nothing(kind):
    inputs = np.random.default_rng(0).uniform(1, 2, ones(kind, 64).shape)
    inputs = inputs.astype("float32")
    outputs = np.stack([dropped(layer, inputs) for layer in [made(kind)] * 20])
    factors = (outputs / inputs).reshape(20, -1)
    for factor in factors:
        stays = factor[factor > 0.0]
        assert stays.size == 0 or np.ptp(stays) < 1e-5
    assert (factors == 0.0).any()
    assert (factors > 1.0).any()


def test_each_sample_has_a_coin_of_its_own():
    outputs = dropped(made(layers.DropPath), ones(layers.DropPath, DRAWS))
    per_sample = outputs.reshape(DRAWS, -1)
    assert (per_sample == per_sample[:, :1]).all()
    share = (per_sample[:, 0] == 0.0).mean()
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / DRAWS)
    assert abs(outputs.mean() - 1.0) < 4 * np.sqrt(0.3 / 0.7 / DRAWS)
    # Neighbours do not go together.
    coins = per_sample[:, 0] == 0.0
    both = (coins[1:] & coins[:-1]).mean()
    assert abs(both - 0.09) < 4 * np.sqrt(0.09 * 0.91 / DRAWS) * 1.5


def test_a_batch_has_one_coin():
    layer = made(layers.StochasticDepth)
    draw = keras.ops.convert_to_numpy
    many = 600
    inputs = ones(layers.StochasticDepth, 2)
    means = [draw(layer(inputs, training=True)) for _ in range(many)]
    assert all(len(np.unique(x)) == 1 for x in means)
    share = np.mean([x.max() == 0.0 for x in means])
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / many)


BLOCKS = pytest.mark.parametrize("kind", [layers.DropBlock1D, layers.DropBlock2D])


def holes(kind, batch, **arguments):
    """Where something is missing, `(batch, ..., channels)`."""
    return dropped(made(kind, **arguments), ones(kind, batch)) == 0.0


@BLOCKS
@pytest.mark.parametrize("block_size", [2, 3, 9])
def test_what_is_missing_is_made_of_whole_blocks(kind, block_size):
    missing = holes(kind, 200, rate=0.2, block_size=block_size)[..., 0]
    assert 0.05 < missing.mean() < 0.4
    block = np.ones((1, *[block_size] * (missing.ndim - 1)))
    np.testing.assert_array_equal(ndimage.binary_opening(missing, block), missing)


@BLOCKS
@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_each_place_is_missing_as_often_as_the_definition_says(kind, rate):
    """A block begins anywhere it fits, with the paper's gamma."""
    missing = holes(kind, DRAWS, rate=rate)[..., 0]
    sizes = SHAPES[kind][:-1]
    begins = np.ones([size - 2 for size in sizes])
    gamma = rate * np.prod(sizes) / 3 ** len(sizes) / begins.size
    around = np.pad(begins, 2)
    covering = ndimage.convolve(around, np.ones([3] * len(sizes)), mode="constant")
    covering = covering[tuple(slice(1, 1 + size) for size in sizes)]
    expected = 1.0 - (1.0 - gamma) ** covering
    sigma = np.sqrt(expected * (1.0 - expected) / DRAWS)
    np.testing.assert_array_less(np.abs(missing.mean(0) - expected), 4.5 * sigma + 1e-9)


@BLOCKS
def test_the_sum_of_the_batch_stays(kind):
    outputs = dropped(made(kind), ones(kind, 32))
    assert outputs.mean() == pytest.approx(1.0, abs=1e-5)


@BLOCKS
def test_channels_go_together_or_not(kind):
    together, apart = holes(kind, 64), holes(kind, 64, per_channel=True)
    np.testing.assert_array_equal(together[..., 0], together[..., 1])
    assert (apart[..., 0] != apart[..., 1]).any()


@BLOCKS
@pytest.mark.parametrize("per_channel", [False, True])
def test_channels_may_come_first(kind, per_channel):
    last = holes(kind, 8, per_channel=per_channel)
    layer = made(kind, per_channel=per_channel, data_format="channels_first")
    first = dropped(layer, np.moveaxis(ones(kind, 8), -1, 1))
    np.testing.assert_array_equal(np.moveaxis(first == 0.0, 1, -1), last)


@BLOCKS
def test_a_block_is_cut_down_to_the_inputs(kind):
    whole = holes(kind, 200, block_size=50, rate=0.5)
    # Each axis is cut down by itself.
    assert {x.mean() for x in whole.all(axis=1)[..., 0].reshape(200, -1)} <= {0.0, 1.0}


def test_everything_may_be_missing():
    outputs = dropped(layers.DropBlock2D(0.999, 9, seed=1), np.ones((1, 9, 9, 1)))
    np.testing.assert_array_equal(outputs, np.zeros((1, 9, 9, 1)))


@EVERY
def test_the_same_seed_drops_the_same_and_the_next_call_something_else(kind):
    first, second = made(kind), made(kind)
    inputs = ones(kind, 16)
    calls = [dropped(first, inputs) for _ in range(12)]
    again = [dropped(second, inputs) for _ in range(12)]
    np.testing.assert_array_equal(calls, again)
    assert any((x != calls[0]).any() for x in calls)


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize(
    "jit_compile", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_it_trains_within_a_model_and_is_saved(kind, jit_compile, tmp_path):
    shape = SHAPES[kind]
    model = keras.Sequential(
        [keras.Input(shape), keras.layers.Dense(2), made(kind), keras.layers.Flatten()]
    )
    model.compile("sgd", "mse", jit_compile=jit_compile)
    x = ones(kind, 8)
    model.fit(x, x.reshape(8, -1), batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6
    )
    layer = loaded.layers[1]
    assert type(layer) is kind
    assert (layer.rate, layer.seed) == (0.3, 3)


@EVERY
@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_it_keeps_to_its_dtype(kind, dtype):
    outputs = made(kind, dtype=dtype)(ones(kind, 8), training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == dtype.removeprefix(
        "mixed_"
    )


def test_half_floats_count_large_batches():
    layer = made(layers.DropBlock2D, dtype="mixed_float16")
    outputs = dropped(layer, np.ones((20, 80, 80, 1)))
    assert outputs.astype("float64").mean() == pytest.approx(1.0, abs=1e-3)


RATES = [{"rate": -0.1}, {"rate": 1.0}, {"rate": "0.1"}, {"seed": -1}, {"seed": 1.5}]
SHAPED = [
    {"block_size": 0},
    {"block_size": (3, 3)},
    {"per_channel": 1},
    {"data_format": "NHWC"},
]


def assert_named(kind, change):
    (name,) = change
    start = rf"^`{kind.__name__}\({name}=...\)` must be "
    with pytest.raises((ValueError, TypeError), match=start):
        kind(**{"rate": 0.1, **change})


@EVERY
@pytest.mark.parametrize("change", RATES, ids=str)
def test_a_wrong_rate_or_seed_is_named(kind, change):
    assert_named(kind, change)


@BLOCKS
@pytest.mark.parametrize("change", SHAPED, ids=str)
def test_a_wrong_block_is_named(kind, change):
    assert_named(kind, change)
