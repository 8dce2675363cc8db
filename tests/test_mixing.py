"""MixUp and CutMix, against NumPy given the drawn parameters."""

import keras
import numpy as np
import pytest
from scipy import stats

from perfkit import augment
from tests.oracles import drawn, noise, to_numpy

BATCH, HEIGHT, WIDTH = 12, 8, 10
CLASSES = np.arange(BATCH) % 5
MIXERS = {
    "mixup": lambda **kwargs: augment.MixUp(1.0, seed=1, **kwargs),
    "cutmix": lambda **kwargs: augment.CutMix(1.0, seed=1, **kwargs),
}
each = pytest.mark.parametrize("name", MIXERS)


def close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=tolerance)


def windows(params):
    """Left, top, right and bottom of what CutMix replaces, in NumPy."""
    edges = []
    for place, size in (("x", WIDTH), ("y", HEIGHT)):
        length = np.round(params["side"] * size)
        start = np.floor(params[place] * (size - length + 1))
        edges.append((start.astype(int), (start + length).astype(int)))
    (left, right), (top, bottom) = edges
    return np.stack([left, top, right, bottom], axis=-1)


def kept(layer):
    """Partner of each sample, and how much of each of its pixels it keeps."""
    params = drawn(layer, BATCH)
    if isinstance(layer, augment.MixUp):
        share = np.ones((BATCH, HEIGHT, WIDTH)) * params["share"][:, None, None]
    else:
        share = np.ones((BATCH, HEIGHT, WIDTH))
        for one, (left, top, right, bottom) in zip(share, windows(params), strict=True):
            one[top:bottom, left:right] = 0.0
    return params["partner"], share


def mixed(values, partner, share):
    """Blend `values` with those of the partners, `share` to each sample or pixel."""
    share = share.reshape(share.shape + (1,) * (values.ndim - share.ndim))
    return values * share + values[partner] * (1 - share)


# Images and labels


@each
def test_images_are_mixed_with_the_partners_and_labels_by_the_exact_share(name):
    images = noise(BATCH, HEIGHT, WIDTH, 3)
    one_hot = np.eye(5, dtype="float32")[CLASSES]
    layer = MIXERS[name]()
    partner, share = kept(layer)
    outputs = to_numpy(layer({"images": images, "labels": one_hot}))
    close(outputs["images"], mixed(images, partner, share), 1e-3)
    weight = share.mean(axis=(1, 2))
    close(outputs["labels"], mixed(one_hot, partner, weight))
    close(outputs["labels"].sum(axis=1), 1.0)
    assert len(np.unique(weight)) > 6
    assert sorted(partner) == list(range(BATCH))
    assert not np.array_equal(partner, np.arange(BATCH))


def test_cut_out_pixels_are_copied_to_the_bit_and_counted_in_the_label():
    # Every sample has one colour, so the pixels say whose they are.
    images = np.arange(BATCH, dtype="float32")[:, None, None, None] + 0.1
    images = np.tile(images, (1, HEIGHT, WIDTH, 1))
    outputs = augment.CutMix(0.3, seed=2)({"images": images, "labels": np.eye(BATCH)})
    outputs = to_numpy(outputs)
    for pixels, label in zip(outputs["images"], outputs["labels"], strict=True):
        counts = np.bincount(
            (pixels - np.float32(0.1)).round().astype(int).ravel(), minlength=BATCH
        )
        assert set(np.unique(pixels)) <= set(np.unique(images))
        close(label, counts / (HEIGHT * WIDTH), 1e-6)


TARGETS = {
    "classes (N,)": (CLASSES, 5, np.eye(5)[CLASSES]),
    "classes (N, 1)": (CLASSES[:, None].astype("uint8"), 5, np.eye(5)[CLASSES]),
    "one-hot int": (np.eye(5, dtype="int32")[CLASSES], None, np.eye(5)[CLASSES]),
    "one-hot float": (np.eye(5, dtype="float32")[CLASSES], None, np.eye(5)[CLASSES]),
    "one-hot half": (np.eye(5, dtype="float16")[CLASSES], 5, np.eye(5)[CLASSES]),
    "multi-hot": (np.ones((BATCH, 3), "int64"), None, np.ones((BATCH, 3))),
    "targets (N,)": (noise(BATCH, seed=1), None, noise(BATCH, seed=1)),
    "targets (N, 1)": (noise(BATCH, 1, seed=1), None, noise(BATCH, 1, seed=1)),
    "targets (N, 2, 3)": (noise(BATCH, 2, 3), None, noise(BATCH, 2, 3)),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_labels_of_every_kind_are_mixed_as_numbers(kind):
    labels, classes, numbers = TARGETS[kind]
    layer = augment.MixUp(1.0, seed=1, classes=classes)
    partner, share = kept(layer)
    outputs = layer({"images": noise(BATCH, HEIGHT, WIDTH, 1), "labels": labels})
    assert keras.backend.standardize_dtype(outputs["labels"].dtype) == "float32"
    expected = mixed(numbers, partner, share[:, 0, 0])
    close(outputs["labels"], expected, 1e-4)
    assert not np.allclose(expected, numbers) or kind == "multi-hot"


@pytest.mark.parametrize(
    "labels", [noise(BATCH), noise(BATCH, 1), np.ones((BATCH, 3), "float32")]
)
def test_labels_that_are_no_classes_are_refused_where_classes_are_said(labels):
    data = {"images": noise(BATCH, HEIGHT, WIDTH, 1), "labels": labels}
    for layer in (augment.MixUp(1.0, classes=5), augment.CutMix(classes=5)):
        with pytest.raises(ValueError, match="one-hot ones of `classes=5`"):
            layer(data)


# Masks


def test_class_masks_are_blended_one_hot_by_mixup_and_cut_by_cutmix():
    masks = np.random.default_rng(1).integers(0, 4, (BATCH, HEIGHT, WIDTH, 1), "uint8")
    data = {"images": noise(BATCH, HEIGHT, WIDTH, 1), "segmentation_masks": masks}
    layer = MIXERS["mixup"](classes=4)
    blended = to_numpy(layer(data))["segmentation_masks"]
    close(blended, mixed(np.eye(4)[masks[..., 0]], *kept(layer)))
    layer = MIXERS["cutmix"]()
    cut = to_numpy(layer(data))["segmentation_masks"]
    assert cut.dtype == masks.dtype
    np.testing.assert_array_equal(cut, mixed(masks, *kept(layer)))


def test_class_masks_without_a_channel_become_one_hot_too():
    masks = np.random.default_rng(1).integers(0, 4, (BATCH, HEIGHT, WIDTH), "int32")
    data = {"images": noise(BATCH, HEIGHT, WIDTH, 1), "segmentation_masks": masks}
    layer = MIXERS["mixup"](classes=4)
    blended = to_numpy(layer(data))["segmentation_masks"]
    close(blended, mixed(np.eye(4)[masks], *kept(layer)))


@each
def test_float_masks_are_mixed_like_images(name):
    masks = noise(BATCH, HEIGHT, WIDTH, 2, high=1.0, seed=1)
    layer = MIXERS[name]()
    data = {"images": noise(BATCH, HEIGHT, WIDTH, 1), "segmentation_masks": masks}
    outputs = to_numpy(layer(data))
    close(outputs["segmentation_masks"], mixed(masks, *kept(layer)))


# Boxes


def boxed():
    rng = np.random.default_rng(3)
    corners = np.sort(rng.uniform(0, 1, (BATCH, 3, 2, 2)), axis=2)
    corners = (corners * [WIDTH, HEIGHT]).reshape(BATCH, 3, 4).astype("float32")
    labels = np.arange(BATCH * 3, dtype="int32").reshape(BATCH, 3)
    corners[:, 2], labels[:, 2] = 0.0, -1  # padding
    images = noise(BATCH, HEIGHT, WIDTH, 1)
    return {
        "images": images,
        "bounding_boxes": {"boxes": corners, "labels": labels},
    }


def test_mixup_keeps_the_boxes_of_both_images():
    data = boxed()
    layer = MIXERS["mixup"](bounding_box_format="xyxy")
    partner, _ = kept(layer)
    outputs = to_numpy(layer(data))["bounding_boxes"]
    corners, labels = data["bounding_boxes"].values()
    others = partner != np.arange(BATCH)
    expected = np.concatenate([corners, corners[partner]], axis=1)
    close(outputs["boxes"][others], expected[others])
    expected = np.concatenate([labels, labels[partner]], axis=1)
    np.testing.assert_array_equal(outputs["labels"][others], expected[others])


def visible(corners, window):
    """What is seen of one box through one window: corners, and area."""
    left, top, right, bottom = window
    seen = np.clip(corners, [left, top] * 2, [right, bottom] * 2)
    return seen, (seen[2] - seen[0]) * (seen[3] - seen[1])


@each
def test_a_sample_mixed_with_itself_has_each_box_once(name):
    data = boxed()
    layer = MIXERS[name](bounding_box_format="xyxy")
    partner, _ = kept(layer)
    itself = partner == np.arange(BATCH)
    assert itself.any()
    outputs = to_numpy(layer(data))["bounding_boxes"]
    corners, labels = data["bounding_boxes"].values()
    np.testing.assert_array_equal(outputs["boxes"][itself, :3], corners[itself])
    np.testing.assert_array_equal(outputs["labels"][itself, :3], labels[itself])
    assert (outputs["labels"][itself, 3:] == -1).all()


def test_cutmix_keeps_of_the_boxes_what_can_be_seen():
    data = boxed()
    layer = MIXERS["cutmix"](bounding_box_format="xyxy")
    params = drawn(layer, BATCH)
    outputs = to_numpy(layer(data))["bounding_boxes"]
    corners, labels = data["bounding_boxes"].values()
    hidden = pasted = lost = 0
    for k, window in enumerate(windows(params)):
        other = params["partner"][k]
        for n in range(3) if other != k else ():
            box, label = outputs["boxes"][k, n], outputs["labels"][k, n]
            inside = visible(corners[k, n], window)[1]
            area = visible(corners[k, n], [0, 0, WIDTH, HEIGHT])[1]
            if area > 0 and inside < area - 1e-4:
                close(box, corners[k, n])
                assert label == labels[k, n]
            else:
                assert label == -1
                hidden += area > 0
            box, label = outputs["boxes"][k, 3 + n], outputs["labels"][k, 3 + n]
            seen, inside = visible(corners[other, n], window)
            if inside > 0:
                close(box, seen)
                assert label == labels[other, n]
                pasted += 1
            else:
                assert label == -1
                lost += labels[other, n] != -1
    assert hidden > 0
    assert pasted > 0
    assert lost > 0


# Samples that are not mixed, and videos


@each
def test_samples_not_selected_are_exactly_untouched(name):
    data = {**boxed(), "labels": np.eye(5, dtype="float32")[CLASSES]}
    data["segmentation_masks"] = noise(BATCH, HEIGHT, WIDTH, 1)
    data["images"] = noise(BATCH, HEIGHT, WIDTH, 3, low=-100.0, high=400.0)
    layer = MIXERS[name](rate=0.5, bounding_box_format="xyxy")
    outputs = to_numpy(layer(data))
    same = (outputs["images"] == data["images"]).all(axis=(1, 2, 3))
    others = kept(layer)[0] != np.arange(BATCH)
    assert 2 <= (same & others).sum() <= others.sum() - 2
    for key in ("labels", "segmentation_masks"):
        np.testing.assert_array_equal(outputs[key][same], data[key][same])
    corners, labels = data["bounding_boxes"].values()
    after = outputs["bounding_boxes"]
    np.testing.assert_array_equal(after["boxes"][same, :3], corners[same])
    np.testing.assert_array_equal(after["labels"][same, :3], labels[same])
    assert (after["labels"][same, 3:] == -1).all()
    assert (after["labels"][~same, 3:] != -1).any()


@each
def test_the_frames_of_a_video_are_mixed_alike(name):
    videos = noise(BATCH, 3, HEIGHT, WIDTH, 2)
    masks = np.random.default_rng(1).uniform(size=(BATCH, 3, HEIGHT, WIDTH, 1))
    data = {
        "images": videos,
        "labels": np.eye(5)[CLASSES],
        "segmentation_masks": masks.astype("float32"),
    }
    layer = MIXERS[name]()
    partner, share = kept(layer)
    outputs = to_numpy(layer(data))
    close(outputs["images"], mixed(videos, partner, share[:, None]), 1e-3)
    close(outputs["segmentation_masks"], mixed(masks, partner, share[:, None]), 1e-4)
    weight = share.mean(axis=(1, 2))
    close(outputs["labels"], mixed(np.eye(5)[CLASSES], partner, weight))


@each
def test_nothing_is_mixed_at_inference(name):
    data = {"images": noise(4, 3, 3, 1), "labels": np.arange(4)}
    outputs = to_numpy(MIXERS[name](classes=5)(data, training=False))
    np.testing.assert_array_equal(outputs["images"], data["images"])
    np.testing.assert_array_equal(outputs["labels"], np.eye(4, 5))  # as in training


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [-1, 0, 1, 2]])
@pytest.mark.parametrize("training", [True, False])
def test_a_label_that_is_no_class_is_an_error(name, labels, training):
    data = {"images": noise(4, 3, 3, 1), "labels": labels}
    with pytest.raises(ValueError, match="less than `classes`"):
        MIXERS[name](classes=3)(data, training=training)


@pytest.mark.parametrize("name", MIXERS)
def test_what_cannot_be_mixed_is_refused(name):
    boxes = {"boxes": np.zeros((4, 1, 4)), "area": np.zeros((4, 1))}
    layer = MIXERS[name](classes=3, bounding_box_format="xyxy")
    data = {"images": noise(4, 3, 3, 1), "labels": np.zeros(4, "int32")}
    with pytest.raises(ValueError, match=r"lies beside them.*'area'"):
        layer({**data, "bounding_boxes": boxes})
    with pytest.raises(ValueError, match=r"labels .* shape \(4,\)"):
        layer({**data, "labels": np.zeros(3, "int32")})


# Distributions, of 4,000 draws with seed 1


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_the_share_of_mixup_has_the_beta_distribution(alpha):
    share = drawn(augment.MixUp(alpha, seed=1), 4000)["share"]
    assert stats.kstest(share, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


@pytest.mark.parametrize("factor", [0.3, 2.0])
def test_the_area_of_cutmix_has_the_beta_distribution(factor):
    side = drawn(augment.CutMix(factor, seed=1), 4000)["side"]
    assert stats.kstest(side**2, stats.beta(factor, factor).cdf).pvalue > 1e-3


def test_a_range_of_factors_is_drawn_from_per_sample():
    side = drawn(augment.CutMix((0.2, 5.0), seed=1), 4000)["side"]

    def cdf(x):  # the mean over the factors
        factors = np.linspace(0.2, 5.0, 201)[:, None]
        return stats.beta(factors, factors).cdf(np.asarray(x)[None]).mean(axis=0)

    assert stats.kstest(side**2, cdf).pvalue > 1e-3


def test_the_window_of_cutmix_is_anywhere_alike():
    params = drawn(augment.CutMix(1.0, seed=1), 4000)
    left, top, right, bottom = windows(params).T
    assert (np.minimum(left, top) >= 0).all()
    assert (right <= WIDTH).all()
    assert (bottom <= HEIGHT).all()
    narrow = right - left == 5  # of 10: six places
    assert stats.chisquare(np.bincount(left[narrow], minlength=6)).pvalue > 1e-3
