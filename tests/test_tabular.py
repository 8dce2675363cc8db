"""Operations on rows of a table, against NumPy given what was drawn."""

import keras
import numpy as np
import pytest
from scipy import stats

from perfkit import augment
from tests.oracles import drawn, to_numpy


def rows(samples, features, seed=0):
    return (
        np.random.default_rng(seed).normal(0, 1, (samples, features)).astype("float32")
    )


def close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=tolerance)


def numbered(samples, features):
    """Every value says whose it is, and of which feature."""
    return np.arange(samples)[:, None] + 1000.0 * np.arange(features)[None]


# Corruption


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.6, 1.0])
def test_the_share_of_features_is_corrupted_exactly(fraction):
    data = numbered(32, 10)
    corrupted = to_numpy(augment.FeatureCorruption(fraction, seed=1)(data)) != data
    assert (corrupted.sum(axis=1) == round(10 * fraction)).all()


def test_a_number_of_features_that_is_not_whole_is_rounded_at_random():
    data = numbered(2000, 3)
    corrupted = to_numpy(augment.FeatureCorruption(0.6, seed=1)(data)) != data
    counts = np.bincount(corrupted.sum(axis=1), minlength=4)
    assert counts[[0, 3]].tolist() == [0, 0]
    assert abs(counts[2] / 2000 - 0.8) < 4 * np.sqrt(0.16 / 2000)


def test_each_row_has_a_share_of_its_own():
    data = numbered(64, 100)
    layer = augment.FeatureCorruption((0.2, 0.8), seed=1)
    corrupted = (to_numpy(layer(data)) != data).sum(axis=1)
    assert (np.abs(corrupted - 100 * drawn(layer, 64)["fraction"]) < 1).all()


@pytest.mark.slow
def test_any_feature_and_any_other_row_is_as_likely():
    data = numbered(6, 5)
    layer = augment.FeatureCorruption(0.4, seed=1)
    out = np.concatenate([to_numpy(layer(data)) for _ in range(100)])
    data = np.tile(data, (100, 1))
    column, row = np.divmod(out, 1000.0)
    assert np.array_equal(column, np.tile(np.arange(5), (600, 1)))  # its own feature
    corrupted = out != data
    assert stats.chisquare(corrupted.sum(axis=0)).pvalue > 1e-3
    step = (row - data % 1000) % 6
    counts = np.bincount(step[corrupted].astype(int), minlength=6)
    assert counts[0] == 0  # never itself
    assert stats.chisquare(counts[1:]).pvalue > 1e-3


def test_features_of_one_row_come_from_different_rows():
    out = to_numpy(augment.FeatureCorruption(1.0, seed=1)(numbered(50, 20)))
    sources = [len(np.unique(row % 1000)) for row in out]
    assert min(sources) > 8


def test_missing_values_move_like_others():
    data = rows(16, 4)
    data[::2] = np.nan
    out = to_numpy(augment.FeatureCorruption(0.5, seed=1)(data))
    assert 0 < np.isnan(out[1::2]).sum() < out[1::2].size
    assert not np.isnan(out[::2]).all()


# Noise


def test_noise_is_normal_on_the_scale_of_each_feature():
    scale = [1.0, 0.0, 20.0]
    layer = augment.FeatureNoise((0.1, 0.4), scale, seed=1)
    data = rows(2000, 3) * 100
    factor = drawn(layer, 2000)["factor"]
    noise = to_numpy(layer(data)).astype("float64") - data
    assert not noise[:, 1].any()
    for k in (0, 2):
        unit = noise[:, k] / factor / scale[k]
        assert stats.kstest(unit, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise[:, 0], noise[:, 2])[0, 1]) < 5 / np.sqrt(2000)


def batches(data):
    return [data[:7], data[7:]]


SOURCES = {
    "array": lambda data: data,
    "list": batches,
    "pairs": lambda data: [(part, None) for part in batches(data)],
    "dicts": lambda data: [{"features": part} for part in batches(data)],
    "generator": lambda data: iter(batches(data)),
    "dict": lambda data: {"features": data},
}


@pytest.mark.parametrize("source", SOURCES)
def test_adapting_takes_the_deviation_of_each_feature(source):
    data = rows(20, 3) * [1.0, 50.0, 0.0] + 1e4
    layer = augment.FeatureNoise()
    layer.adapt(SOURCES[source](data))
    np.testing.assert_allclose(layer.scale, data.std(axis=0), rtol=1e-6, atol=1e-9)
    twin = augment.FeatureNoise.from_config(layer.get_config())
    assert twin.scale == layer.scale


def test_adapting_takes_effect_at_once_and_weights_keep_it(tmp_path):
    def model(layer):
        return keras.Sequential([keras.Input((2,)), layer])

    adapted, fresh = [augment.FeatureNoise(1.0, seed=1) for _ in range(2)]
    saved, loaded = model(adapted), model(fresh)  # built before the data are seen
    for size in (1.0, 100.0):
        adapted.adapt(rows(50, 2) * size)
        noise = to_numpy(adapted(np.zeros((200, 2))))
        assert 0.7 * size < noise.std() < 1.4 * size
    saved.save_weights(tmp_path / "a.weights.h5")
    loaded.load_weights(tmp_path / "a.weights.h5")
    assert fresh.scale == adapted.scale


def test_noise_without_a_fitting_scale_names_the_layer():
    with pytest.raises(ValueError, match=r"^my_layer: no scale yet.*adapt"):
        augment.FeatureNoise(name="my_layer")(rows(4, 3))
    layer = augment.FeatureNoise(scale=[1.0, 2.0], name="my_layer")
    with pytest.raises(ValueError, match=r"^my_layer: has 2 scales.*\(4, 3\)"):
        layer(rows(4, 3))
    with pytest.raises(ValueError, match="my_layer: there are no data"):
        layer.adapt([])
    with pytest.raises(ValueError, match="my_layer: the data hold NaN"):
        layer.adapt(np.full((3, 2), np.nan))


# Mixes


def test_mixup_of_rows_blends_them_and_their_labels():
    data, labels = rows(16, 5), np.arange(16) % 3
    layer = augment.RowMixUp(1.0, classes=3, seed=1)
    params = drawn(layer, 16)
    out = to_numpy(layer({"features": data, "labels": labels}))
    share, other = params["share"][:, None], params["partner"]
    close(out["features"], data * share + data[other] * (1 - share))
    hot = np.eye(3)[labels]
    close(out["labels"], hot * share + hot[other] * (1 - share))
    assert np.ptp(share) > 0.1


def test_cutmix_of_rows_copies_features_and_counts_them_in_the_label():
    data, hot = numbered(64, 10), np.eye(64, dtype="float32")
    layer = augment.RowCutMix(1.0, seed=1)
    params = drawn(layer, 64)
    out = to_numpy(layer({"features": data, "labels": hot}))
    partner = params["partner"]
    own = out["features"] == data
    assert np.where(own, True, out["features"] == data[partner]).all()
    alone = partner == np.arange(64)
    kept = np.where(alone, 1.0, own.mean(axis=1))
    close(np.diag(out["labels"]), kept)
    close(out["labels"].sum(axis=1), 1.0)
    off = np.abs(own.sum(axis=1) - 10 * params["share"])[~alone]
    assert (off < 1.0 + 1e-4).all()


def test_cutmix_takes_any_feature_as_likely():
    data = numbered(500, 6)
    layer = augment.RowCutMix(1.0, seed=1)
    out = to_numpy(layer({"features": data, "labels": np.zeros((500, 1), "float32")}))
    assert stats.chisquare((out["features"] != data).sum(axis=0)).pvalue > 1e-3


def test_missing_values_do_not_spread_by_cutmix():
    data = rows(32, 4)
    data[::2] = np.nan
    inputs = {"features": data, "labels": np.zeros((32, 2), "float32")}
    layer = augment.RowCutMix(1.0, seed=1)
    whose = layer({**inputs, "features": numbered(32, 4)})["features"]
    out = augment.RowCutMix(1.0, seed=1)(inputs)["features"]
    whose = (to_numpy(whose) % 1000).astype(int)
    assert np.array_equal(np.isnan(to_numpy(out)), whose % 2 == 0)


@pytest.mark.parametrize("mixing", [augment.RowMixUp, augment.RowCutMix])
def test_rows_that_are_not_mixed_are_untouched_to_the_bit(mixing):
    data, hot = rows(16, 5), np.eye(16, dtype="float32")
    layer = mixing(1.0, rate=0.5)
    params = layer.sample(16, seed=1)
    out = to_numpy(layer.apply({"features": data, "labels": hot}, params))
    whole = ~params["applied"]
    assert whole.sum() == 8
    assert np.array_equal(out["features"][whole], data[whole])
    assert np.array_equal(out["labels"][whole], hot[whole])
    assert not np.allclose(out["features"], data)
