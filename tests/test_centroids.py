"""First centroids and the nearest of them, against tfmot and closed forms."""

import keras
import numpy as np
import pytest

from perfkit.compress import _tfmot
from perfkit.ops import centroids, clustering

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
beside_tfmot = pytest.mark.skipif(
    not ON_TENSORFLOW, reason="NumPy alone, and seen on TensorFlow"
)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.standard_t(4, 3000).astype("float32") * 0.1
SPARSE = np.where(RNG.random(3000) < 0.6, 0.0, WEIGHTS + 0.05).astype("float32")


def theirs(kind, weights, count, **options):
    """First centroids by tfmot, and in rising order."""
    _tfmot.tfmot()
    from tensorflow_model_optimization.python.core.clustering.keras import (
        clustering_centroids as module,
    )

    made = getattr(module, f"{kind}CentroidsInitialisation")(
        keras.ops.convert_to_tensor(weights), count, **options
    )
    return np.sort(np.array(made.get_cluster_centroids()))


def error(weights, found):
    return np.square(weights[:, None] - found).min(axis=1).sum()


@beside_tfmot
@pytest.mark.parametrize("count", [2, 7, 32])
def test_linear_ones_are_those_of_tfmot(count):
    found = centroids.first(WEIGHTS, count, "linear")
    np.testing.assert_allclose(found, theirs("Linear", WEIGHTS, count), atol=1e-6)


@beside_tfmot
@pytest.mark.parametrize("count", [4, 7, 16])
def test_around_zero_the_sides_get_as_many_as_with_tfmot(count):
    found = centroids.first(SPARSE, count - 1, "linear", around_zero=True)
    expected = theirs("Linear", SPARSE, count, preserve_sparsity=True)
    np.testing.assert_allclose(np.sort([*found, 0.0]), expected, atol=1e-6)


@beside_tfmot
@pytest.mark.parametrize("count", [4, 16])
def test_quantiles_lie_in_the_cell_of_whose_end_tfmot_makes_a_centroid(count):
    """It looks its quantiles up among 30 values, and takes the next one above."""
    found = centroids.first(WEIGHTS, count, "density")
    below = theirs("DensityBased", WEIGHTS, count) - found
    cell = (WEIGHTS.max() - WEIGHTS.min() + 0.02) / 29
    assert (below > -1e-6).all()
    assert (below < cell + 1e-6).all()


def test_quantiles_have_even_shares_of_the_weights_between_them():
    found = centroids.first(WEIGHTS, 12, "density")
    shares = np.searchsorted(np.sort(WEIGHTS), found) / len(WEIGHTS)
    np.testing.assert_allclose(np.diff(shares), 0.09, atol=2e-3)
    assert len(np.unique(centroids.first(WEIGHTS, 64, "density"))) == 64


@beside_tfmot
@pytest.mark.parametrize("count", [4, 16, 64])
def test_means_have_less_error_than_the_seeds_of_tfmot(count):
    found = centroids.first(WEIGHTS, count, "kmeans++")
    seeds = theirs("KmeansPlusPlus", WEIGHTS, count)
    assert error(WEIGHTS, found) < 0.9 * error(WEIGHTS, seeds)


def test_means_are_those_of_the_weights_that_are_nearest():
    found = centroids.first(WEIGHTS, 8, "kmeans++")
    places = np.abs(WEIGHTS[:, None] - found).argmin(axis=1)
    means = [WEIGHTS[places == k].mean(dtype="float64") for k in range(8)]
    np.testing.assert_allclose(found, means, atol=1e-7)


def least_error(weights, count):
    """Of all ways to cut sorted weights into so many runs, by dynamic programming."""
    weights = np.sort(weights.astype("float64"))
    size = len(weights)
    costs = np.full((size + 1, size + 1), np.inf)
    for start in range(size):
        for end in range(start + 1, size + 1):
            run = weights[start:end]
            costs[start, end] = np.square(run - run.mean()).sum()
    best = costs[0]
    for _ in range(count - 1):
        best = np.min(best[:, None] + costs, axis=0)
    return best[-1]


def test_means_come_close_to_the_least_error_there_is():
    least = least_error(WEIGHTS[:150], 6)
    found = [
        error(WEIGHTS[:150], centroids.first(WEIGHTS[:150], 6, "kmeans++", seed=seed))
        for seed in range(10)
    ]
    assert min(found) == pytest.approx(least, rel=0.02)
    assert np.median(found) < 1.3 * least


@pytest.mark.parametrize("seed", range(5))
def test_groups_that_lie_apart_are_found(seed):
    groups = np.array([-5.0, -1.0, 0.0, 4.0])
    weights = (
        groups[:, None] + RNG.normal(0, 1e-3, (4, [3, 50, 500][seed % 3]))
    ).ravel()
    found = centroids.first(weights, 4, "kmeans++", seed=seed)
    np.testing.assert_allclose(found, groups, atol=5e-3)


@pytest.mark.parametrize("method", centroids.METHODS)
def test_any_weights_give_as_many_centroids_in_rising_order(method):
    for weights in (WEIGHTS, np.zeros(9), np.array([2.0]), np.array([-1.0, 1.0, 0.0])):
        for around_zero in (False, True):
            options = {"around_zero": around_zero}
            found = centroids.first(weights, 5, method, **options)
            assert found.shape == (5,)
            assert (np.diff(found) >= 0).all()
            assert found.min() >= min(weights.min(), 0)
            assert found.max() <= max(weights.max(), 0)
            again = centroids.first(weights, 5, method, **options)
            np.testing.assert_array_equal(found, again)


def test_a_seed_gives_other_draws():
    for method in ("random", "kmeans++"):
        one, other = (centroids.first(WEIGHTS, 8, method, seed=seed) for seed in (0, 1))
        assert (one != other).any()


@pytest.mark.parametrize("count", [2, 3, 16, 33])
@pytest.mark.parametrize("units", [1, 4])
def test_the_nearest_is_the_one_at_the_least_distance(count, units):
    weights = RNG.normal(size=(200, 4)).astype("float32")
    found = np.sort(RNG.normal(size=(units, count))).astype("float32")
    weights[0], weights[1] = 9.0, -9.0
    places = keras.ops.convert_to_numpy(clustering.nearest(weights, found))
    distances = np.abs(weights[..., None].astype("float64") - found)
    np.testing.assert_array_equal(places, distances.argmin(axis=-1))


def test_of_centroids_that_are_alike_any_is_the_nearest():
    found = np.array([[-1.0, 2.0, 2.0, 2.0, 5.0]])
    places = clustering.nearest(np.array([[-2.0], [1.0], [2.0], [3.0], [4.0]]), found)
    values = found[0][keras.ops.convert_to_numpy(places)]
    assert values.ravel().tolist() == [-1.0, 2.0, 2.0, 2.0, 5.0]


def test_half_way_the_lower_one_is_taken():
    places = clustering.nearest(np.array([[1.0], [3.0]]), np.array([[0.0, 2.0, 4.0]]))
    assert keras.ops.convert_to_numpy(places).ravel().tolist() == [0, 1]


@beside_tfmot
@pytest.mark.parametrize("averaged", [False, True])
def test_values_and_gradients_are_those_of_tfmot(averaged):
    import tensorflow as tf

    _tfmot.tfmot()
    from tensorflow_model_optimization.python.core.clustering.keras import (
        cluster_config,
        clustering_algorithm,
    )

    weights = tf.constant(WEIGHTS[:200].reshape(-1, 1))
    shuffled = RNG.permutation(np.linspace(-0.3, 0.4, 9)).astype("float32")
    pull = tf.constant(RNG.normal(size=(200, 1)).astype("float32"))
    kinds = cluster_config.GradientAggregation
    algorithm = clustering_algorithm.ClusteringAlgorithm(
        tf.Variable(shuffled), kinds.AVG if averaged else kinds.SUM
    )
    found = []
    for ours in (True, False):
        values = tf.constant(shuffled) if ours else algorithm.cluster_centroids
        with tf.GradientTape() as tape:
            tape.watch([values, weights])
            if ours:
                made = clustering.clustered(weights, values[None], averaged=averaged)
            else:
                places = algorithm.get_pulling_indices(weights)
                made = algorithm.get_clustered_weight(places, weights)
            total = tf.reduce_sum(made * pull)
        gradients = tape.gradient(total, [values, weights])
        found.append(
            [np.array(made), *(np.array(tf.convert_to_tensor(g)) for g in gradients)]
        )
    for mine, its in zip(*found, strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6)
