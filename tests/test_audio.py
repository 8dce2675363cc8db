"""Operations on audio, against NumPy and SciPy given what was drawn."""

import keras
import numpy as np
import pytest
from scipy import stats

from perfkit import augment
from perfkit._backend import ops
from perfkit.ops import clip
from tests.oracles import drawn, to_numpy

LENGTHS = np.array([50, 64, 33, 20], "int32")


def waveforms(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype("float32")


def close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=tolerance)


def decibels(ratio):
    return 10 * np.log10(ratio)


# Masks


def bands(layer, size):
    """What is hidden of ones, along time or frequency, and nothing else is."""
    time = isinstance(layer, augment.TimeMasking)
    shape = (512, size, 3) if time else (512, 3, size)
    hidden = to_numpy(layer(np.ones(shape, "float32"))) == 0
    across = 2 if time else 1
    assert np.array_equal(hidden.any(axis=across), hidden.all(axis=across))
    return hidden.all(axis=across)


MASKINGS = pytest.mark.parametrize(
    "masking", [augment.TimeMasking, augment.FrequencyMasking]
)


@MASKINGS
def test_widths_of_masks_are_whole_and_all_as_likely(masking):
    layer = masking(7, masks=1, max_fraction=1.0, seed=1)
    widths = np.concatenate([bands(layer, 40).sum(axis=1) for _ in range(4)])
    counts = np.bincount(widths, minlength=8)
    assert len(counts) == 8
    assert stats.chisquare(counts).pvalue > 1e-3


@MASKINGS
def test_places_of_a_mask_are_all_as_likely_for_its_width(masking):
    layer = masking(2, masks=1, max_fraction=1.0, seed=1)
    hidden = np.concatenate([bands(layer, 6) for _ in range(4)])
    for width in (1, 2):
        starts = hidden[hidden.sum(axis=1) == width].argmax(axis=1)
        counts = np.bincount(starts, minlength=7 - width)
        assert len(counts) == 7 - width
        assert stats.chisquare(counts).pvalue > 1e-3


@MASKINGS
def test_a_mask_is_one_band_and_several_are_as_many_at_most(masking):
    for masks in (1, 3):
        hidden = bands(masking(6, masks, max_fraction=1.0, seed=1), 60)
        edges = np.diff(hidden.astype(int), axis=1, prepend=0, append=0)
        runs = (edges == 1).sum(axis=1)
        assert runs.max() == masks
        assert (hidden.sum(axis=1) <= 6 * masks).all()
        assert len(np.unique(hidden, axis=0)) > 100  # each sample has its own


@MASKINGS
def test_no_mask_is_wider_than_its_share(masking):
    hidden = bands(masking(100, masks=1, max_fraction=0.25, seed=1), 30)
    assert np.array_equal(np.unique(hidden.sum(axis=1)), np.arange(8))


def test_time_masks_keep_to_the_length_and_their_share_of_it():
    lengths = np.repeat([[40, 8]], 256, axis=0).ravel().astype("int32")
    data = {"spectrograms": np.ones((512, 40, 3)), "lengths": lengths}
    layer = augment.TimeMasking(100, masks=1, max_fraction=0.5, seed=1)
    hidden = (to_numpy(layer(data)["spectrograms"]) == 0)[:, :, 0]
    assert hidden[::2].sum(axis=1).max() == 20
    assert hidden[1::2].sum(axis=1).max() == 4
    assert hidden[1::2, 7].any()
    assert not hidden[1::2, 8:].any()


@MASKINGS
def test_masks_show_the_mean_of_what_is_no_padding(masking):
    values = np.random.default_rng(0).uniform(1, 2, (4, 64, 10, 2)).astype("float32")
    layer = masking(8, max_fraction=1.0, fill_mode="mean", seed=1)
    data = {"spectrograms": values, "lengths": LENGTHS}
    out = to_numpy(layer(data)["spectrograms"])
    for k, length in enumerate(LENGTHS):
        changed = (out[k] != values[k]).any(axis=-1)
        assert changed.any()
        mean = values[k, :length].mean(axis=(0, 1), dtype="float64")
        close(out[k][changed], np.broadcast_to(mean, (changed.sum(), 2)))
        assert not changed[length:].any()


@MASKINGS
def test_masks_show_the_fill_value(masking):
    out = masking(5, fill_value=-80.0, max_fraction=1.0)(np.zeros((8, 16, 16)))
    assert set(np.unique(to_numpy(out))) == {-80.0, 0.0}


# Shift and gain


@pytest.mark.parametrize("channels", [(), (2,)])
def test_a_shift_is_a_roll_of_what_is_no_padding(channels):
    values = waveforms(4, 64, *channels)
    layer = augment.TimeShift(0.7, seed=1)
    shift = np.round(drawn(layer, 4)["fraction"] * LENGTHS).astype(int)
    assert shift.min() < 0 < shift.max()
    out = to_numpy(layer({"waveforms": values, "lengths": LENGTHS})["waveforms"])
    for k, length in enumerate(LENGTHS):
        rolled = np.roll(values[k, :length], shift[k], axis=0)
        assert np.array_equal(out[k], np.concatenate([rolled, values[k, length:]]))


def test_a_shift_with_a_fill_value_loses_what_leaves():
    values = waveforms(8, 64)
    layer = augment.TimeShift(1.0, fill_mode="constant", fill_value=9.0, seed=1)
    shift = np.round(drawn(layer, 8)["fraction"] * 64).astype(int)
    out = to_numpy(layer(values))
    for k, steps in enumerate(shift):
        expected = np.full(64, 9.0, "float32")
        if steps >= 0:
            expected[steps:] = values[k, : 64 - steps]
        else:
            expected[:steps] = values[k, -steps:]
        assert np.array_equal(out[k], expected)


def test_shifts_are_uniform():
    fraction = drawn(augment.TimeShift((-0.2, 0.6), seed=1), 4096)["fraction"]
    assert stats.kstest(fraction, stats.uniform(-0.2, 0.8).cdf).pvalue > 1e-3


def test_a_gain_is_one_in_decibels():
    values = waveforms(256, 16)
    out = to_numpy(augment.RandomGain((-6.0, 20.0), seed=1)(values))
    gain = decibels((out.astype("float64") ** 2).sum(axis=1) / (values**2).sum(axis=1))
    assert stats.kstest(gain, stats.uniform(-6.0, 26.0).cdf).pvalue > 1e-3
    ratio = out / values
    close(ratio / ratio[:, :1], np.ones_like(ratio), 1e-4)


# Noise


def parts_of(layer, data):
    """Power of what was added and of what was there, without the padding."""
    values = data["waveforms"].astype("float64")
    added = to_numpy(layer(data)["waveforms"]) - values
    size = values.shape[1]
    inside = np.arange(size) < data.get("lengths", [size] * len(values))[:, None]
    inside = inside.reshape(inside.shape + (1,) * (values.ndim - 2))
    axes = tuple(range(1, values.ndim))
    return [(np.where(inside, x, 0.0) ** 2).sum(axis=axes) for x in (added, values)]


@pytest.mark.parametrize("slope", [0.0, (-6.0, 6.0)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_noise_has_exactly_the_ratio_that_was_drawn(slope, channels):
    scale = np.array([1.0, 1e-3, 1e4, 5.0]).reshape((4,) + (1,) * (1 + len(channels)))
    values = (waveforms(4, 64, *channels) * scale).astype("float32")
    layer = augment.AudioNoise((-5.0, 15.0), slope, seed=1)
    snr = drawn(layer, 4)["snr"]
    added, own = parts_of(layer, {"waveforms": values, "lengths": LENGTHS})
    close(decibels(own / added), snr, 0.01)
    assert np.ptp(snr) > 1.0


def test_silence_stays_silent_and_noise_is_no_constant():
    data = np.stack([np.zeros(64), np.ones(64)]).astype("float32")
    out = to_numpy(augment.AudioNoise(10.0, -6.0)(data))
    assert (out[0] == 0.0).all()
    assert abs((out[1] - 1.0).mean()) < 1e-4


def noise_of(layer, samples, size):
    """Noise of unit power, as the layer makes it."""
    values = np.ones((samples, size), "float32")
    return to_numpy(layer(values)).astype("float64") - values


def test_white_noise_is_normal_and_unrelated():
    noise = noise_of(augment.AudioNoise(0.0, seed=1), 16, 2048)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    related = np.corrcoef(noise) - np.eye(16)
    assert np.abs(related).max() < 5 / np.sqrt(2048)


@pytest.mark.parametrize("size", [2048, 2047])
@pytest.mark.parametrize("slope", [-6.0206, -3.0103, 0.0, 3.0103, 6.0206])
def test_colour_is_the_slope_of_the_spectrum(slope, size):
    bits = ops.convert_to_tensor(np.arange(128), "int32")
    slopes = ops.convert_to_tensor(np.full(128, slope), "float32")
    noise = to_numpy(clip.colored_noise(bits, slopes, size, 1))[..., 0]
    power = (np.abs(np.fft.rfft(noise, axis=1)) ** 2).mean(axis=0)[1:-1]
    octaves = np.log2(np.arange(1, len(power) + 1))
    # All octaves count alike: there are more frequencies in the higher ones.
    weights = 1 / np.sqrt(np.arange(1, len(power) + 1))
    measured = np.polyfit(octaves, decibels(power), 1, w=weights)[0]
    assert abs(measured - slope) < 0.2  # five deviations


def test_each_sample_has_a_colour_of_its_own():
    layer = augment.AudioNoise(0.0, (-6.0, 6.0), seed=1)
    slope = drawn(layer, 64)["slope"]
    noise = noise_of(layer, 64, 512)
    spectrum = np.abs(np.fft.rfft(noise, axis=1)) ** 2
    high = spectrum[:, 128:].sum(axis=1) / spectrum.sum(axis=1)
    assert stats.spearmanr(slope, high).statistic > 0.95


def test_channels_have_noise_of_their_own():
    for slope in (0.0, 3.0):
        values = np.ones((1, 4096, 2), "float32")
        noise = to_numpy(augment.AudioNoise(0.0, slope, seed=1)(values)) - values
        assert abs(np.corrcoef(noise[0].T)[0, 1]) < 5 / np.sqrt(4096)


# Stretch


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.0, 1.3, 2.0])
def test_a_stretch_interpolates_in_time(speed):
    values = np.random.default_rng(0).uniform(0, 1, (4, 64, 3, 2)).astype("float32")
    layer = augment.TimeStretch(speed, fill_value=-1.0)
    out = to_numpy(layer({"spectrograms": values, "lengths": LENGTHS}))
    for k, length in enumerate(LENGTHS):
        after = min(int(np.ceil(length / np.float32(speed))), 64)
        assert out["lengths"][k] == after
        place = np.arange(after) * np.float64(np.float32(speed))
        for channel in np.ndindex(3, 2):
            own = values[k, :length, *channel]
            expected = np.interp(place, np.arange(length), own)
            close(out["spectrograms"][k, :after, *channel], expected, 1e-4)
        assert (out["spectrograms"][k, after:length] == -1.0).all()
        rest = max(after, length)
        np.testing.assert_array_equal(out["spectrograms"][k, rest:], values[k, rest:])


def test_speeds_are_uniform_in_their_logarithm():
    speed = drawn(augment.TimeStretch((0.5, 2.0), seed=1), 4096)["speed"]
    octaves = stats.uniform(-1.0, 2.0)
    assert stats.kstest(np.log2(speed), octaves.cdf).pvalue > 1e-3


# Mixes


def test_a_mix_lays_the_partner_under_at_exactly_the_ratio():
    values = waveforms(8, 64) * np.arange(1, 9)[:, None].astype("float32")
    layer = augment.AudioMix((0.0, 20.0), seed=1)
    params = drawn(layer, 8)
    labels = np.arange(8)
    out = layer({"waveforms": values, "labels": labels})
    added = to_numpy(out["waveforms"]) - values.astype("float64")
    own, other = [(x**2).sum(axis=1) for x in (values, values[params["partner"]])]
    gain = np.sqrt(own / other / 10 ** (params["snr"] / 10))
    close(added, values[params["partner"]] * gain[:, None], 1e-3)
    assert out["labels"] is labels


def test_a_mix_leaves_padding_out_of_both():
    values = waveforms(4, 64)
    layer = augment.AudioMix((0.0, 20.0), seed=1)
    params = drawn(layer, 4)
    out = to_numpy(layer({"waveforms": values, "lengths": LENGTHS})["waveforms"])
    for k, other in enumerate(params["partner"]):
        both = min(LENGTHS[k], LENGTHS[other])
        added = out[k] - values[k].astype("float64")
        assert not added[both:].any()
        ratio = (values[k, : LENGTHS[k]] ** 2).sum() / (added**2).sum()
        assert abs(decibels(ratio) - params["snr"][k]) < 0.01


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_no_sample_is_its_own_partner(batch):
    for seed in range(20):
        partner = augment.AudioMix().sample(batch, seed=seed)["partner"]
        assert sorted(partner) == list(range(batch))
        assert (partner != np.arange(batch)).all()


def test_mixup_of_waveforms_blends_them_and_their_labels():
    values = waveforms(8, 16, 2)
    labels = np.arange(8) % 3
    layer = augment.AudioMixUp(1.0, classes=3, seed=1)
    params = drawn(layer, 8)
    out = to_numpy(layer({"waveforms": values, "labels": labels}))
    share = params["share"][:, None, None]
    close(out["waveforms"], values * share + values[params["partner"]] * (1 - share))
    share, hot = share[:, 0], np.eye(3)[labels]
    close(out["labels"], hot * share + hot[params["partner"]] * (1 - share))


def test_mixup_of_padded_waveforms_takes_the_longer_length():
    values = waveforms(4, 64)
    layer = augment.AudioMixUp(1.0, seed=1)
    params = drawn(layer, 4)
    labels = np.eye(4, dtype="float32")
    data = {"waveforms": values, "lengths": LENGTHS, "labels": labels}
    out = to_numpy(layer(data))
    zeroed = np.where(np.arange(64) < LENGTHS[:, None], values, 0.0)
    longer = np.maximum(LENGTHS, LENGTHS[params["partner"]])
    np.testing.assert_array_equal(out["lengths"], longer)
    share = params["share"][:, None]
    mixed = zeroed * share + zeroed[params["partner"]] * (1 - share)
    for k, length in enumerate(longer):
        close(out["waveforms"][k, :length], mixed[k, :length])
        assert np.array_equal(out["waveforms"][k, length:], values[k, length:])


# What Keras's own layers make


def test_bins_come_first_from_kerass_mel_spectrogram():
    mel = keras.layers.MelSpectrogram(
        num_mel_bins=16, sampling_rate=8000, sequence_stride=64, fft_length=256
    )
    spectrograms = to_numpy(mel(waveforms(4, 4000))) + 200.0
    layer = augment.FrequencyMasking(4, masks=1, time_first=False, seed=1)
    hidden = to_numpy(layer(spectrograms)) == 0
    assert np.array_equal(hidden.any(axis=2), hidden.all(axis=2))
    assert 0 < hidden.all(axis=2).sum(axis=1).max() <= 4


def test_a_length_beyond_the_end_is_the_end():
    values = waveforms(2, 16)
    for lengths in ([99, 16], [16, 16]):
        data = {"waveforms": values, "lengths": np.array(lengths, "int32")}
        out = augment.TimeShift((0.25, 0.25))(data)["waveforms"]
        np.testing.assert_array_equal(to_numpy(out), np.roll(values, 4, axis=1))


def test_clips_of_unknown_padding_are_all_of_their_time():
    length = ops.convert_to_tensor(np.array([[[3]], [[0]]]), "int32")
    inside = to_numpy(clip.inside(length, 4))[:, :, 0]
    assert inside.tolist() == [[True, True, True, False], [False] * 4]
