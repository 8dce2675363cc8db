"""Masks against sorting in NumPy, and against tensorflow-model-optimization."""

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.graph import kernels as graph
from perfkit.ops import sparsity

RNG = np.random.default_rng(0)


def with_tfmot(test):
    """Mark a test of what is in TensorFlow, and warns of old things on import."""
    ignored = pytest.mark.filterwarnings("ignore:distutils Version classes")
    elsewhere = keras.backend.backend() != "tensorflow"
    return pytest.mark.skipif(elsewhere, reason="tfmot")(ignored(test))


def noise(*shape):
    return RNG.normal(size=shape).astype("float32")


# Single weights


@pytest.mark.parametrize("count", [0, 1, 250, 499, 500])
def test_the_largest_are_those_that_sorting_finds(count):
    scores = noise(20, 25)
    mask = sparsity.largest(scores, count)
    order = np.argsort(scores.ravel())
    assert set(np.flatnonzero(mask)) == set(order[500 - count :])


def test_of_equal_scores_exactly_so_many_stay_and_the_earlier_ones():
    mask = sparsity.largest(np.ones(10, "float32"), 3)
    assert mask.tolist() == [True] * 3 + [False] * 7
    scores = np.array([2, 1, 3, 1, 1, 1], "float32")
    assert sparsity.largest(scores, 4).tolist() == [1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("zeros", [0, 10, 250, 399, 400, 401, 500])
def test_the_largest_are_found_among_weights_that_were_pruned_before(zeros, dtype):
    scores = np.random.default_rng(zeros).permutation(500).astype(dtype)
    order = np.argsort(scores)
    scores[order[:zeros]] = 0
    mask = sparsity.largest(scores, 100)
    assert mask.sum() == 100
    assert mask[order[max(zeros, 400) :]].all()
    assert scores[mask].sum() == scores[order[400:]].sum()


def test_the_largest_of_all_are_chosen_over_all_but_one_of_each_stays():
    scores = [noise(4, 6), noise(7) + 9.0, noise(3, 3)]
    together = np.sort(np.concatenate([x.ravel() for x in scores]))
    masks = sparsity.largest_of_all([x.copy() for x in scores], 12)
    for mask, each in zip(masks, scores, strict=True):
        np.testing.assert_array_equal(mask, each >= together[-12])
    masks = sparsity.largest_of_all([x.copy() for x in scores], 7)
    assert [mask.sum() for mask in masks] == [1, 5, 1]
    assert all(mask.ravel()[x.argmax()] for mask, x in zip(masks, scores, strict=True))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_in_order_of_magnitude_are_so(dtype):
    values = np.append(noise(200), [0.0, -0.0, np.inf, -1e-8]).astype(dtype)
    numbers = sparsity.in_order_of_magnitude(values)
    np.testing.assert_array_equal(_rank(numbers), _rank(np.abs(values)))


def _rank(values):
    return np.unique(values, return_inverse=True)[1]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_zeroed_is_plus_zero_and_the_rest_is_as_it_was(dtype):
    values = np.append(noise(100), [-np.inf, np.nan]).astype(dtype)
    mask = RNG.random(102) < 0.5
    found = sparsity.zeroed(values, mask)
    expected = np.where(mask, values, np.zeros((), dtype))
    assert found.tobytes() == expected.tobytes()
    assert not np.signbit(found[~mask]).any()


# Groups and blocks


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize(("count", "size"), [(2, 4), (1, 4), (3, 8), (2, 5)])
def test_the_largest_of_groups_are_those_that_sorting_finds(count, size, axis):
    scores = noise(8, 11, 6)
    mask = np.moveaxis(sparsity.largest_of_groups(scores, count, size, axis), axis, -1)
    rows = np.moveaxis(scores, axis, -1)
    for start in range(0, rows.shape[-1], size):
        group = rows[..., start : start + size]
        place = np.argsort(np.argsort(-group, -1), -1)
        np.testing.assert_array_equal(mask[..., start : start + size], place < count)


def test_groups_are_counted_alike_whatever_fits_into_the_cache(monkeypatch):
    scores = noise(64, 12, 5)
    whole = sparsity.largest_of_groups(scores, 2, 4, 1)
    monkeypatch.setattr(sparsity, "_CACHED", 50)
    np.testing.assert_array_equal(sparsity.largest_of_groups(scores, 2, 4, 1), whole)


def test_of_equal_scores_in_a_group_the_earlier_stay():
    mask = sparsity.largest_of_groups(np.ones((8, 3), "int32"), 2, 4, 0)
    assert (mask == np.array([1, 1, 0, 0] * 2, bool)[:, None]).all()


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_blocks_are_pooled_and_spread_as_by_a_loop(pooling):
    scores, block = noise(2, 7, 10), (3, 4)
    pooled = sparsity.pooled(scores, block, pooling)
    spread = sparsity.spread(pooled, block, scores.shape)
    for k, row, column in np.ndindex(scores.shape):
        top, left = row // 3 * 3, column // 4 * 4
        inside = scores[k, top : top + 3, left : left + 4]
        expected = getattr(inside, pooling)()
        assert spread[k, row, column] == pytest.approx(expected, rel=1e-5, abs=1e-6)


# Patterns on layers


def kernel_of(layer, shape):
    model = keras.Sequential([keras.Input(shape), layer])
    return graph.select(model, layer)[1][0]


@pytest.mark.parametrize(
    ("layer", "shape", "axis"),
    [
        (keras.layers.Dense(6), (8,), 0),
        (keras.layers.Conv1D(6, 3), (9, 8), 1),
        (keras.layers.Conv2D(6, 3), (9, 9, 8), 2),
        (keras.layers.Conv2DTranspose(6, 3), (9, 9, 8), 3),
        (keras.layers.EinsumDense("abc,cde->abde", (5, 3, 2)), (5, 8), 0),
        (keras.layers.EinsumDense("abde,dec->abc", (5, 3)), (5, 2, 8), 1),
        (keras.layers.LSTM(8), (5, 8), 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else "",
)
def test_two_of_four_run_along_the_input_channels(layer, shape, axis):
    kernel = kernel_of(layer, shape)
    value = noise(*kernel.variable.shape)
    pattern = compress.NofM(2, 4)
    mask = pattern.mask(pattern.magnitudes(value), kernel, 0.5)
    groups = np.moveaxis(mask, axis, -1).reshape(-1, 4)
    np.testing.assert_array_equal(groups.sum(1), 2)
    magnitudes = np.moveaxis(np.abs(value), axis, -1).reshape(-1, 4)
    kept, gone = magnitudes[groups].reshape(-1, 2), magnitudes[~groups].reshape(-1, 2)
    assert (kept.min(1) > gone.max(1)).all()


def test_a_lower_sparsity_than_that_of_groups_means_fewer_zeros_in_each():
    kernel = kernel_of(keras.layers.Dense(6), (16,))
    pattern, scores = compress.NofM(1, 8), np.abs(noise(16, 6))
    for share, zeros in ((0.0, 0), (0.25, 2), (0.5, 4), (0.875, 7)):
        mask = pattern.mask(scores, kernel, share)
        groups = mask.reshape(2, 8, 6).sum(1)
        np.testing.assert_array_equal(groups, 8 - zeros)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: compress.NofM(4, 4), "n"),
        (lambda: compress.NofM(0, 4), "n"),
        (lambda: compress.NofM(1, 1), "m"),
        (lambda: compress.NofM(2, 64), "m"),
        (lambda: compress.Block((1, 1)), "shape"),
        (lambda: compress.Block((0, 4)), "shape"),
        (lambda: compress.Block(4), "shape"),
        (lambda: compress.Block((4, 1), "sum"), "pooling"),
        (lambda: compress.CubicSparsity(1.0, 10), "final"),
        (lambda: compress.CubicSparsity(0.5, 0), "steps"),
        (lambda: compress.CubicSparsity(0.5, 10, begin=-1), "begin"),
        (lambda: compress.CubicSparsity(0.5, 10, initial=-0.1), "initial"),
    ],
)
def test_wrong_patterns_and_schedules(make, name):
    with pytest.raises(ValueError, match=rf"\({name}=...\)` must be "):
        make()


# tensorflow-model-optimization, in the same process


def theirs(value, share, *, block=(1, 1), pooling="AVG", rows=None):
    """The mask of tfmot's own implementation, on a TensorFlow variable."""
    import tensorflow as tf

    schedule = compress.ConstantSparsity(share, 0, -1, 1)
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl

    mask = tf.Variable(np.ones_like(value))
    slots = [(tf.Variable(value), mask, tf.Variable(0.0))]
    pruning = pruning_impl.Pruning(
        lambda: tf.constant(1), slots, schedule, block, pooling, rows
    )
    pruning.conditional_mask_update()
    return mask.numpy() != 0


@with_tfmot
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("shape", [(30, 20), (3, 3, 10, 20), (5, 8, 25)])
def test_masks_are_those_of_tfmot_to_the_bit(share, shape):
    value, pattern = noise(*shape), compress.Unstructured()
    mask = pattern.mask(pattern.magnitudes(value), None, share)
    np.testing.assert_array_equal(mask, theirs(value, share))


@with_tfmot
@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize("block", [(4, 1), (1, 4), (2, 3), (5, 7)])
def test_blocks_are_those_of_tfmot_to_the_bit(block, pooling):
    # Where blocks do not fit, SAME padding shifts the windows of tfmot by a half.
    value = noise(9 * block[0], 7 * block[1])
    pattern = compress.Block(block, pooling)
    mask = pattern.mask(pattern.magnitudes(value), None, 0.7)
    name = {"mean": "AVG", "max": "MAX"}[pooling]
    np.testing.assert_array_equal(mask, theirs(value, 0.7, block=block, pooling=name))


@with_tfmot
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (keras.layers.Dense(6), (16,)),
        (keras.layers.Dense(6), (13,)),
        (keras.layers.Conv2D(6, 3), (9, 9, 8)),
        (keras.layers.Conv2D(6, 3), (9, 9, 3)),
    ],
)
@pytest.mark.parametrize("equal", [False, True])
def test_two_of_four_are_those_of_tfmot_to_the_bit(layer, shape, equal):
    kernel = kernel_of(layer, shape)
    value = noise(*kernel.variable.shape)
    value = np.ones_like(value) if equal else value
    pattern = compress.NofM(2, 4)
    mask = pattern.mask(pattern.magnitudes(value), kernel, 0.5)
    np.testing.assert_array_equal(mask, theirs(value, 0.5, rows=(2, 4)))


@with_tfmot
def test_equal_weights_are_pruned_exactly_which_tfmot_does_not():
    value = np.ones((10, 10), "float32")
    pattern = compress.Unstructured()
    assert pattern.mask(pattern.magnitudes(value), None, 0.8).sum() == 20
    assert theirs(value, 0.8).all()


@with_tfmot
def test_the_cubic_schedule_is_that_of_tfmot():
    ours = compress.CubicSparsity(0.9, 70, begin=20, initial=0.2)
    other = compress.PolynomialDecay(0.2, 0.9, 20, 90)
    for step in range(20, 130, 7):
        assert ours(step) == pytest.approx(float(other(step)[1]), abs=1e-6)
    assert ours(19) == 0.0


@with_tfmot
def test_the_schedules_of_tfmot_are_its_own_classes():
    import tensorflow_model_optimization as tfmot

    assert compress.PolynomialDecay is tfmot.sparsity.keras.PolynomialDecay
    assert compress.ConstantSparsity is tfmot.sparsity.keras.ConstantSparsity
    assert {"PolynomialDecay", "ConstantSparsity"} <= set(dir(compress))
    with pytest.raises(AttributeError, match="no attribute 'ConstantDecay'"):
        compress.ConstantDecay  # noqa: B018
