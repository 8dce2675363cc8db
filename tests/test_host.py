"""The host engine on all that images can be, against the maths of the device.

The reference is the device's canvas on NumPy arrays; `host_equals_device` of the
conformance suite compares the host with the device itself.
"""

import functools

import keras
import ml_dtypes
import numpy as np
import pytest
from scipy import ndimage

from perfkit import augment
from perfkit.augment import _layout, replay
from perfkit.augment.canvas import Canvas
from perfkit.ops import affine
from perfkit.ops.host import look_up
from perfkit.ops.warp import FILL_MODES
from tests.cases import CASES, build

EDGE = 3  # pixels, where OpenCV rounds places to 1/32 pixel


def photographs(*shape):
    noise = np.random.default_rng(7).normal(size=(4, *shape))
    smooth = ndimage.gaussian_filter(noise, (0, 3, 3, 0))
    return (128 + 110 * smooth / np.abs(smooth).max()).astype("uint8")


# What images are made to be, from (samples, height, width, 3) of bytes.
KINDS = {
    "floats": lambda images: images.astype("float32") + 0.25,
    "one channel": lambda images: images[..., :1],
    "four channels": lambda images: np.concatenate([images, images[..., :1]], -1),
    "seven channels": lambda images: images.repeat(3, axis=-1)[..., :7],
    "half floats": lambda images: images.astype(ml_dtypes.bfloat16),
    "videos": lambda images: np.stack([images, images[:, ::-1]], axis=1),
    "backwards": lambda images: images[:, :, ::-1],
    "whole numbers": lambda images: images.astype("int32"),
}
TYPICAL = {"floats", "four channels", "videos"}
ROWS = [(op, arguments) for op, arguments in CASES if not op.mixes]


def with_annotations(images):
    """Images with a mask of large class numbers, and boxes."""
    *lead, height, width, _ = images.shape
    mask = np.zeros((height, width, 1), "int32")
    mask[5:25, 8:30] = 2**24 + 1
    box = np.array([[8.0, 5.0, 30.0, 25.0]], "float32")
    return {
        "images": images,
        "segmentation_masks": np.broadcast_to(mask, (*lead, *mask.shape)),
        "bounding_boxes": {
            "boxes": np.broadcast_to(box, (*lead, 1, 4)),
            "labels": np.ones((*lead, 1), "int32"),
        },
    }


def plainly(layer, inputs, params, monkeypatch):
    """The same without OpenCV."""
    with monkeypatch.context() as patch:
        patch.setattr(_layout, "HostCanvas", Canvas)
        return layer.on_host(inputs, params)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[] if kind in TYPICAL else [pytest.mark.slow])
        for kind in KINDS
    ],
)
@pytest.mark.parametrize(("op", "arguments"), ROWS)
def test_host_makes_the_same_without_opencv(op, arguments, kind, monkeypatch):
    images = KINDS[kind](photographs(36, 36, 3))
    layer = build(op, arguments, bounding_box_format="xyxy")
    inputs = with_annotations(images)
    params, before = layer.sample(4, seed=5), images.copy()
    try:
        expected = plainly(layer, inputs, params, monkeypatch)
    except ValueError:  # a number for each of three channels, of others
        with pytest.raises(ValueError, match=layer.name):
            layer.on_host(inputs, params)
        return
    found = layer.on_host(inputs, params)
    np.testing.assert_array_equal(images, before)
    theirs, ours = expected.pop("images"), found.pop("images")
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    inner = (..., slice(EDGE, -EDGE), slice(EDGE, -EDGE), slice(None))
    difference = np.abs(ours - theirs)[inner] * (255 / max(np.ptp(theirs), 1e-6))
    assert difference.mean() < 1.0
    assert np.quantile(difference, 0.99) < 3.0
    masks = found.pop("segmentation_masks")
    assert set(np.unique(masks)) <= {0, 2**24 + 1}
    assert np.mean(masks == expected.pop("segmentation_masks")) > 0.98
    pairs = zip(*map(keras.tree.flatten, (found, expected)), strict=True)
    for our, their in pairs:
        np.testing.assert_allclose(our, their, atol=0.01)


JITTER = augment.RandomColorJitter((0, 255), 0.2, 0.2, (0.4, 0.6), 0.05)
POSTERIZATION = functools.partial(augment.RandomPosterization, 3)


@pytest.mark.parametrize("rate", [1.0, 0.5])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (augment.RandomRotation(0.1), augment.CLAHE),
        (JITTER, augment.CLAHE),
        (JITTER, augment.Equalization),
        (JITTER, augment.JPEGCompression),
        (JITTER, POSTERIZATION),
        (JITTER, augment.Solarization),
        (augment.RandomSharpness(0.5), POSTERIZATION),
        (augment.RandomGaussianBlur(1.0, 5, 1.0), augment.Equalization),
    ],
)
def test_levels_are_not_off_before_what_makes_much_of_them(
    first, second, rate, monkeypatch
):
    images = photographs(96, 96, 3)
    layer = augment.Pipeline([first, second(rate=rate, seed=0)])
    params = layer.sample(4, seed=3)
    theirs = plainly(layer, images, params, monkeypatch)
    difference = np.abs(layer.on_host(images, params) - theirs)
    difference = difference[:, EDGE:-EDGE, EDGE:-EDGE]
    assert difference.mean() < 0.35  # as if rounded once
    assert np.quantile(difference, 0.999) < 3.0


def moved_and_coloured(fill_mode, colours):
    """A pipeline that loses nothing, if pixels are moved once."""
    there, back = [
        augment.RandomTranslation(
            (shift, shift), (0.05, 0.1), fill_mode=fill_mode, fill_value=200.0
        )
        for shift in (0.5, -0.45)
    ]
    turn = augment.RandomRotation(0.05, fill_mode=fill_mode, fill_value=200.0)
    contrast = augment.RandomContrast((0.5, 0.6))
    layers = [there, *colours, turn, contrast, back, augment.RandomBrightness(0.1)]
    return augment.Pipeline(layers, bounding_box_format="xyxy", min_visible=0.4, seed=1)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize(
    "colours",
    [
        [augment.RandomInvert(1.0)],
        [augment.RandomBrightness(0.1), augment.RandomContrast(0.3)],
        [augment.RandomGamma(0.5)],
        [augment.RandomInvert(1.0), augment.RandomGamma(0.5), JITTER],
        [augment.RandomSharpness((0.6, 0.8))],
    ],
    ids=lambda layers: "-".join(type(layer).__name__ for layer in layers),
)
@pytest.mark.parametrize("kind", ["bytes", "floats", "videos"])
def test_colours_between_motions_lose_nothing(colours, fill_mode, kind, monkeypatch):
    images = KINDS.get(kind, np.asarray)(photographs(48, 48, 3))
    layer = moved_and_coloured(fill_mode, colours)
    inputs, params = with_annotations(images), layer.sample(4, seed=5)
    found = layer.on_host(inputs, params)
    expected = plainly(layer, inputs, params, monkeypatch)
    difference = np.abs(found.pop("images") - expected.pop("images"))
    assert difference.mean() < 1.0
    assert np.quantile(difference, 0.98) < 3.0  # the edges of what is filled
    for our, their in zip(
        *[keras.tree.flatten(x["bounding_boxes"]) for x in (found, expected)],
        strict=True,
    ):
        np.testing.assert_allclose(our, their, atol=0.01)
    masks = found["segmentation_masks"] == expected["segmentation_masks"]
    assert masks.mean() > 0.98


def test_the_order_of_what_is_chosen_is_that_of_the_device(monkeypatch):
    layers = [
        augment.RandomGamma(0.8),
        augment.RandomRotation(0.1),
        augment.RandomBrightness(0.3),
    ]
    order = augment.RandomOrder(layers)
    layer = augment.Pipeline([order, order], bounding_box_format="xyxy", seed=1)
    inputs = with_annotations(photographs(36, 36, 3))
    for seed in range(8):  # the hull of a hull is not the hull
        params = layer.sample(4, seed=seed)
        found = layer.on_host(inputs, params)["bounding_boxes"]
        expected = plainly(layer, inputs, params, monkeypatch)["bounding_boxes"]
        np.testing.assert_allclose(found["boxes"], expected["boxes"], atol=1e-3)


def test_what_comes_out_is_not_what_went_in():
    inputs = with_annotations(photographs(8, 8, 3))
    layer = augment.RandomBrightness(0.2, bounding_box_format="xyxy")
    outputs = layer.on_host(inputs)
    for array in keras.tree.flatten(outputs):
        assert not any(
            np.shares_memory(array, given) for given in keras.tree.flatten(inputs)
        )


@pytest.mark.parametrize(
    "layer",
    [
        augment.RandomErasing(fill_value=-100.0),
        augment.RandomRotation(0.1, fill_mode="constant", fill_value=300.0),
        augment.LetterBox(40, 60, fill_value=-1.0),
        augment.RandomColorDegeneration((0.5, 0.9), value_range=(0, 100)),
        augment.RandomSaturation((0.2, 0.5), value_range=(50, 200)),
        augment.Rescaling(1 / 255),
        augment.RandomGamma(0.8, value_range=(0, 100)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_bytes_that_leave_their_range_are_floats(layer, monkeypatch):
    images = photographs(36, 36, 3)
    params = layer.sample(4, seed=1)
    ours = layer.on_host(images, params)
    theirs = plainly(layer, images, params, monkeypatch)
    reach = float(np.ptp(theirs)) / 100
    assert ours.min() == pytest.approx(theirs.min(), abs=reach)
    assert ours.max() == pytest.approx(theirs.max(), abs=reach)


@pytest.mark.parametrize("value_range", [(0, 100), (50, 255)])
def test_bytes_that_are_asked_for_are_cut_off_at_the_range(value_range, monkeypatch):
    images = photographs(12, 12, 3)
    layer = augment.RandomBrightness((0.3, 0.5), value_range, dtype="uint8")
    params = layer.sample(4, seed=1)
    ours = layer.on_host(images, params)
    assert (ours.min(), ours.max()) != (images.min(), images.max())
    theirs = plainly(layer, images, params, monkeypatch)
    np.testing.assert_allclose(ours.astype("float32"), theirs, atol=0.51)


class Enlarged(augment.WarpAugment):
    """Images and their frames enlarged."""

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def parameters(self, rng):
        return {"scale": rng.uniform(self.scale, self.scale)}

    def matrix(self, params, height, width):
        return affine.scaling(params["scale"], params["scale"])

    def output_size(self, height, width):
        return int(height * self.scale), int(width * self.scale)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("scale", [1.5, 2.0, 4.0])
def test_what_is_enlarged_is_blended_with_what_lies_beyond(
    fill_mode, dtype, scale, monkeypatch
):
    images = photographs(12, 10, 3).astype(dtype)
    layer = Enlarged(scale, fill_mode=fill_mode, fill_value=250.0, dtype=dtype)
    params = layer.sample(4, seed=1)
    ours = layer.on_host(images, params)
    theirs = plainly(layer, images, params, monkeypatch)
    np.testing.assert_allclose(ours, theirs.astype("float32"), atol=1.01)


def test_draws_by_number_are_those_of_the_layers_own_seed():
    images = photographs(8, 8, 3)
    first, again, other = [
        augment.RandomBrightness(0.9, seed=seed).on_host(images, index=range(4))
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1.0


def test_a_worker_process_has_draws_of_its_own(monkeypatch):
    images = photographs(8, 8, 3)
    layer = augment.RandomBrightness(0.2, seed=1)
    here = layer.on_host(images)
    draws = []
    for process in (41, 42):
        twin = augment.RandomBrightness(0.2, seed=1)
        twin.on_host(images[0])  # which draws for more, before the process is forked
        monkeypatch.setattr(replay, "_stream", lambda process=process: process)
        draws.append([twin.on_host(image) for image in images[1:]])
        monkeypatch.undo()
    assert np.abs(np.subtract(*draws)).max(axis=(1, 2, 3)).min() > 0.1
    assert np.abs(draws[0] - here[1:]).max(axis=(1, 2, 3)).min() > 0.1


@pytest.mark.parametrize("shape", [(2, 0, 8, 3), (0, 8, 8, 3)])
def test_images_without_pixels_are_refused(shape):
    layer = augment.RandomFlip(name="mirror")
    with pytest.raises(ValueError, match="mirror: there are no pixels"):
        layer.on_host(np.zeros(shape, "uint8"))


def test_images_of_different_sizes_are_told_what_to_do():
    images = [np.zeros((4, 4, 3)), np.zeros((5, 4, 3))]
    with pytest.raises(ValueError, match=r"`layer\.on_host` on each"):
        augment.RandomFlip().on_host(images)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("columns", [1, 3])
def test_a_look_up_is_that_of_numpy(fast, columns, monkeypatch):
    if fast:
        assert look_up._translate() is not None
    else:
        monkeypatch.setattr(look_up, "_translate", lambda: None)
    image = photographs(9, 11, 3)[0]
    table = np.random.default_rng(0).integers(0, 256, (256, columns)).astype("uint8")
    channel = np.arange(3) if columns == 3 else np.zeros(3, int)
    for dtype in ("uint8", "float32"):
        out = np.empty(image.shape, dtype)
        look_up.look_up(image, table.astype(dtype), out)
        np.testing.assert_array_equal(out, table[image, channel].astype(dtype))


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_negatives_are_exact_and_the_others_stay(channels):
    images = photographs(8, 10, channels)
    layer = augment.RandomInvert(0.5, dtype="uint8")
    params = layer.sample(len(images), seed=1)
    expected = keras.ops.convert_to_numpy(layer.apply(images, params))
    changed = (expected != images).any(axis=(1, 2, 3))
    assert 0 < changed.sum() < len(images)
    np.testing.assert_array_equal(layer.on_host(images, params), expected)


def test_channels_that_stay_go_on_to_the_next_step(monkeypatch):
    images = photographs(8, 10, 3)
    before = images.copy()
    layer = augment.Pipeline(
        [augment.ChannelShuffle(rate=0.5), augment.RandomGamma((2.0, 2.0))],
        dtype="uint8",
    )
    params = layer.sample(len(images), seed=1)
    ours = layer.on_host(images, params)
    theirs = plainly(layer, images, params, monkeypatch)
    np.testing.assert_allclose(ours.astype("float32"), theirs, atol=0.51)
    np.testing.assert_array_equal(images, before)
