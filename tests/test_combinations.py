"""Layers chosen per image: how often, for whom, and at what cost."""

import json

import keras
import numpy as np
import pytest

from perfkit import _backend, augment
from perfkit._backend import ops
from perfkit._random import Sampler
from perfkit.augment.chosen import Chosen
from tests.conformance.common import IMAGES, run_uncompiled, to_numpy


@pytest.fixture(autouse=True)
def _uncompiled(monkeypatch):
    run_uncompiled(monkeypatch)


def adds(*values):
    """Layers that each add a number to images of zeros, one bit each."""
    return [augment.Rescaling(1.0, offset=value) for value in values]


def out_of(layer, samples=12, value=0.0):
    images = np.full((samples, 2, 2, 1), value, "float32")
    return to_numpy(layer(images))[:, 0, 0, 0]


def keys(number):
    for k in range(number):
        yield ops.convert_to_tensor(np.array([k, 77]), "int32")


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_dealing_is_exact_on_average_and_even_in_a_batch(batch):
    weights = np.array([0.5, 0.3, 0.2])
    counts = []
    for key in keys(300):
        choice = to_numpy(Sampler(batch, key).deal(weights.tolist()))
        counts.append(np.bincount(choice, minlength=3))
        assert (counts[-1] >= np.floor(batch * weights - 1e-9)).all()
        assert (counts[-1] <= np.ceil(batch * weights - 1e-9)).all()
    error = np.mean(counts, axis=0) - batch * weights
    assert np.abs(error).max() < 4 * 0.5 / np.sqrt(300)


def test_dealing_gives_no_place_in_the_batch_an_advantage():
    dealt = [to_numpy(Sampler(8, key).deal([0.25] * 4)) for key in keys(600)]
    share = np.mean(np.array(dealt) == 2, axis=0)
    assert np.abs(share - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / 600)


def test_samples_with_numbers_are_dealt_for_one_by_one():
    key = next(keys(1))
    index = ops.convert_to_tensor(np.arange(100), "int32")
    together = to_numpy(Sampler(100, key, index).deal([0.5, 0.5]))
    alone = [
        to_numpy(Sampler(1, key, index[k : k + 1]).deal([0.5, 0.5])) for k in (0, 7)
    ]
    assert [int(a[0]) for a in alone] == together[[0, 7]].tolist()
    assert 30 < together.sum() < 70


def test_apply_tosses_one_coin_for_all_layers():
    layer = augment.RandomApply(adds(1.0, 2.0), rate=0.25)
    assert sorted(out_of(layer)) == [0.0] * 9 + [3.0] * 3


def test_choice_applies_exactly_one_by_its_odds():
    layer = augment.RandomChoice(adds(1.0, 2.0, 4.0), odds=[3, 2, 1])
    assert sorted(out_of(layer)) == [1.0] * 6 + [2.0] * 4 + [4.0] * 2


def test_some_of_applies_as_many_different_layers_as_asked():
    values = [out_of(augment.SomeOf(adds(1.0, 2.0, 4.0), 2)) for _ in range(40)]
    assert set(np.ravel(values)) == {3.0, 5.0, 6.0}
    low, high = np.unique(values, return_counts=True)[1][[0, 2]]
    assert 130 <= low <= 190
    assert 130 <= high <= 190
    between = out_of(augment.SomeOf(adds(1.0, 2.0, 4.0), (0, 3)), 400)
    assert set(between) == set(range(8))


def test_order_is_drawn_per_image_and_every_order_comes():
    layers = [
        augment.Rescaling(2.0),
        augment.Rescaling(1.0, offset=1.0),
        augment.Rescaling(3.0, offset=-1.0),
    ]
    layer = augment.RandomOrder(layers)
    seen = np.concatenate([out_of(layer, 6, 1.0) for _ in range(40)])
    maps = {"d": lambda x: 2 * x, "i": lambda x: x + 1, "t": lambda x: 3 * x - 1}
    expected = {
        maps[c](maps[b](maps[a](1.0)))
        for a, b, c in ("dit", "dti", "idt", "itd", "tdi", "tid")
    }
    assert set(seen) == expected
    assert len(set(out_of(layer, 6, 1.0))) > 1


class CountsImages(augment.PixelAugment):
    """Adds one, and notes how many images it was run on."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def parameters(self, rng):
        return {"step": rng.uniform(1.0, 1.0)}

    def pixels(self, images, params):
        self.seen.append(images.shape[0])
        return images + params["step"]


@pytest.mark.parametrize(
    ("wrap", "expected"),
    [
        (lambda layer: augment.RandomApply([layer], rate=0.25), 4),
        (lambda layer: augment.RandomChoice([layer, *adds(0, 0, 0)]), 4),
        (lambda layer: augment.SomeOf([layer, *adds(0, 0, 0)], 2), 8),
        (lambda layer: augment.RandomApply([augment.RandomApply([layer])]), 8),
    ],
)
def test_what_reads_pixels_runs_on_its_share_of_the_batch(wrap, expected):
    layer = CountsImages()
    for seed in range(5):
        layer.seen.clear()
        combined = wrap(layer)
        combined._stream.generator = keras.random.SeedGenerator(seed)
        changed = out_of(combined, 16)
        assert layer.seen == [expected]
        assert set(changed) <= {0.0, 1.0}
        assert 0 < changed.sum() <= expected


def test_rate_runs_on_its_share_of_the_batch():
    layer = CountsImages(rate=0.25, seed=1)
    assert out_of(layer, 16).sum() == 4.0
    assert layer.seen == [4]


def test_videos_are_chosen_whole():
    layer = augment.RandomApply([CountsImages()], rate=0.5)
    out = to_numpy(layer(np.zeros((4, 3, 2, 2, 1), "float32")))
    assert (out == out[:, :1]).all()
    assert sorted(out[:, 0, 0, 0, 0]) == [0.0, 0.0, 1.0, 1.0]


def test_nothing_is_chosen_at_inference():
    layers = [augment.Rescaling(2.0), augment.RandomGamma(0.5)]
    for layer in (
        augment.RandomApply(layers, rate=1.0),
        augment.RandomChoice(layers),
        augment.SomeOf(layers, 2),
        augment.RandomOrder(layers),
    ):
        assert np.array_equal(to_numpy(layer(IMAGES, training=False)), IMAGES)


def test_a_choice_in_a_choice_meets_both():
    inner = augment.RandomChoice(adds(1.0, 2.0))
    out = out_of(augment.RandomChoice([inner, *adds(4.0)]), 64)
    assert sorted(set(out)) == [1.0, 2.0, 4.0]
    assert (out == 4.0).sum() == 32


def test_a_choice_of_crops_says_what_to_do():
    layer = augment.RandomChoice([augment.RandomCrop(4, 4), augment.RandomFlip()])
    with pytest.raises(ValueError, match=r"changes the size .* before or after"):
        layer(IMAGES)


def test_layers_for_different_data_do_not_combine():
    class Other(augment.Augment):
        def __init__(self):
            super().__init__()
            self.modality = object()

    with pytest.raises(ValueError, match="layers for one kind of data"):
        augment.Pipeline([augment.RandomFlip(), Other()])


def test_mixing_can_be_chosen():
    mixes = [augment.MixUp(1.0, classes=3), augment.CutMix(classes=3)]
    labels = np.arange(8, dtype="int32") % 3
    images = np.eye(3, dtype="float32")[labels][:, None, None] + np.zeros((8, 4, 4, 3))
    out = augment.RandomChoice(mixes, seed=2)({"images": images, "labels": labels})
    means = to_numpy(out["images"]).mean(axis=(1, 2))
    assert np.allclose(means, to_numpy(out["labels"]), atol=1e-5)


def test_limits_of_an_unknown_batch_are_never_too_small():
    batch = ops.convert_to_tensor(10, "int32")
    for shares, least in (((0.3,), 3), ((0.25,), 3), ((0.1, 0.15), 3)):
        assert int(Chosen(None, (shares,)).limit(batch)) >= least
        assert Chosen(None, (shares,)).limit(10) >= least


def sampled(seed=5):
    layers = [
        augment.RandomRotation(0.1),
        augment.RandomChoice([augment.RandomGamma(0.5), augment.RandomHue(0.4)]),
        augment.RandomBrightness(0.3, rate=0.5),
    ]
    return augment.Pipeline(layers, seed=seed)


def test_apply_of_sample_is_the_call():
    layer = sampled()
    params = layer.sample(4, seed=9)
    layer._stream.next_key = lambda: ops.convert_to_tensor(np.array([9, 0]), "int32")
    assert np.allclose(
        to_numpy(layer.apply(IMAGES, params)), to_numpy(layer(IMAGES)), atol=1e-3
    )


def test_what_was_sampled_goes_through_json():
    layer = sampled()
    params = layer.sample(4)
    text = json.dumps(params, default=lambda array: array.tolist())
    ours, theirs = [layer.apply(IMAGES, p) for p in (params, json.loads(text))]
    assert np.array_equal(to_numpy(ours), to_numpy(theirs))


def test_samples_by_number_do_not_depend_on_their_batch():
    layer = sampled()
    together = layer.sample(4, seed=(3, 1), index=[10, 11, 12, 13])
    expected = to_numpy(layer.apply(IMAGES, together))
    for k in range(4):
        params = layer.sample(1, seed=(3, 1), index=[10 + k])
        alone = to_numpy(layer.apply(IMAGES[k : k + 1], params))
        assert np.allclose(alone[0], expected[k], atol=1e-3)
    other = layer.sample(4, seed=(3, 2), index=[10, 11, 12, 13])
    assert not np.array_equal(other[0]["turns"], together[0]["turns"])


def test_any_choice_of_samples_can_be_applied():
    layer = augment.RandomChoice([CountsImages(), *adds(8.0)], seed=1)
    params = layer.sample(4, seed=1)
    params["choice"] = np.zeros((4,), "int32")
    images = np.zeros((4, 2, 2, 1), "float32")
    assert (to_numpy(layer.apply(images, params)) == 1.0).all()


def test_a_wrong_replay_says_so():
    layer = sampled()
    with pytest.raises(ValueError, match=r"drawn for 3 samples.* batch of 4"):
        layer.apply(IMAGES, layer.sample(3))
    with pytest.raises(ValueError, match="must be what `sample` returned"):
        layer.apply(IMAGES, [0.5, "x"])
    with pytest.raises(ValueError, match=r"`Pipeline\(batch_size=...\)`"):
        layer.sample(0)
    with pytest.raises(ValueError, match=r"`Pipeline\(index=...\)`"):
        layer.sample(2, index=[1])
    with pytest.raises(ValueError, match=r"`Pipeline\(seed=...\)`"):
        layer.sample(2, seed=(1, 2, 3))


def test_put_rows_replaces_what_is_named():
    x = ops.zeros((4, 2), "float32")
    rows = ops.convert_to_tensor(np.array([2, 0]), "int32")
    values = ops.convert_to_tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), "float32")
    out = to_numpy(_backend.put_rows(x, rows, values))
    assert out.tolist() == [[3.0, 4.0], [0.0, 0.0], [1.0, 2.0], [0.0, 0.0]]
