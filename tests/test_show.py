"""What `augment.show` draws, read from the figure."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from perfkit import augment

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 12, 18, 3)).astype("uint8")


def drawn(axes):
    return np.asarray(axes.images[0].get_array())


def corners(axes):
    return [patch.get_bbox().extents.tolist() for patch in axes.patches]


def rows(figure, columns):
    axes = figure.axes
    return [axes[k : k + columns] for k in range(0, len(axes), columns)]


def test_a_row_is_an_original_and_its_copies():
    figure = augment.show(augment.RandomHue(0.5), IMAGES, copies=3)
    first, second = rows(figure, 4)
    np.testing.assert_allclose(drawn(first[0]), IMAGES[0] / 255, atol=1e-6)
    np.testing.assert_allclose(drawn(second[0]), IMAGES[1] / 255, atol=1e-6)


def test_copies_are_what_the_layer_makes_of_the_same_draws():
    layer = augment.RandomRotation(0.2, interpolation="nearest")
    figure = augment.show(layer, IMAGES, copies=2, seed=5)
    params = layer.sample(4, seed=5)
    wanted = keras.ops.convert_to_numpy(
        layer.apply(np.repeat(IMAGES, 2, axis=0), params)
    )
    seen = [drawn(axes) for row in rows(figure, 3) for axes in row[1:]]
    np.testing.assert_allclose(seen, wanted / 255, atol=1e-6)
    texts = [axes.get_xlabel() for row in rows(figure, 3) for axes in row]
    turns = [f"turns {turns:.3g}" for turns in params["turns"]]
    assert texts == ["original", *turns[:2], "original", *turns[2:]]


def test_the_seed_alone_decides_and_the_layer_s_stream_stays():
    layer, other = [augment.RandomHue(0.5, seed=3) for _ in range(2)]
    first, again, new = [
        augment.show(layer, IMAGES, copies=1, seed=seed) for seed in (0, 0, 1)
    ]
    assert (drawn(first.axes[1]) == drawn(again.axes[1])).all()
    assert (drawn(first.axes[1]) != drawn(new.axes[1])).any()
    np.testing.assert_allclose(layer(IMAGES), other(IMAGES))


def test_boxes_are_where_the_layer_puts_them_with_their_names():
    layer = augment.RandomFlip("horizontal", bounding_box_format="xyxy")
    boxes = {"boxes": np.array([[[2.0, 3.0, 8.0, 9.0]]]), "labels": np.array([[0]])}
    data = {"images": IMAGES[:1], "bounding_boxes": boxes}
    figure = augment.show(layer, data, copies=8, names=["$cat", "dog"])
    flipped = [axes.get_xlabel() == "x -1, y 1" for axes in figure.axes]
    assert 0 < sum(flipped) < 8
    for axes, here in zip(figure.axes, flipped, strict=True):
        assert corners(axes) == [[10, 3, 16, 9] if here else [2, 3, 8, 9]]
        assert [text.get_text() for text in axes.texts] == ["$cat"]


def test_boxes_that_left_are_not_drawn():
    layer = augment.CenterCrop(2, 2, bounding_box_format="rel_xyxy")
    boxes = np.array([[[0.0, 0.0, 0.1, 0.1], [0.0, 0.0, 1.0, 1.0]]])
    data = {"images": IMAGES[:1], "bounding_boxes": {"boxes": boxes}}
    before, after = augment.show(layer, data).axes
    assert len(before.patches) == 2
    assert corners(after) == [[0, 0, 2, 2]]
    assert not after.texts
    assert [before.get_xlabel(), after.get_xlabel()] == ["12 x 18, original", "2 x 2"]


def test_masks_lie_over_the_image_but_for_the_background():
    masks = np.zeros((1, 12, 18), "uint8")
    masks[:, :, 9:] = 2
    data = {"images": IMAGES[:1], "segmentation_masks": masks}
    figure = augment.show(augment.RandomFlip("horizontal"), data, copies=8)
    for axes in figure.axes:
        overlay = np.asarray(axes.images[1].get_array())
        left = axes.get_xlabel() == "x -1, y 1"
        side = overlay[:, :9] if left else overlay[:, 9:]
        assert (side[..., 3] == 0.5).all()
        assert overlay[..., 3].sum() == 0.5 * 12 * 9


def test_masks_of_classes_show_their_shares():
    masks = np.zeros((2, 12, 18), "int32")
    masks[1] = 1
    data = {"images": IMAGES, "segmentation_masks": masks}
    layer = augment.MixUp(1.0, classes=3)
    figure = augment.show(layer, data, copies=3, seed=1)
    params = [layer.sample(2, seed=(1, k)) for k in range(3)]
    for copy, own in enumerate(params):
        wanted = np.where(own["partner"] == [0, 1], 1.0, own["share"])
        wanted = np.where([True, False], 1.0 - wanted, wanted)
        for row in range(2):
            overlay = figure.axes[row * 4 + 1 + copy].images[1].get_array()
            np.testing.assert_allclose(overlay[..., 3], 0.5 * wanted[row], atol=1e-6)


def test_keypoints_move():
    points = np.array([[[3.0, 4.0], [30.0, 40.0]]])
    data = {"images": IMAGES[:1], "keypoints": points}
    for axes in augment.show(augment.RandomFlip("horizontal"), data, copies=8).axes:
        flipped = axes.get_xlabel() == "x -1, y 1"
        wanted = points[0] * [-1, 1] + [18, 0] if flipped else points[0]
        np.testing.assert_allclose(axes.collections[0].get_offsets(), wanted)
        assert axes.get_xlim() == (0, 18)
        assert axes.get_ylim() == (12, 0)


def test_labels_stand_above_and_mixed_ones_as_shares():
    layer = augment.MixUp(1.0, classes=2)
    data = {"images": IMAGES, "labels": np.array([0, 1])}
    figure = augment.show(layer, data, copies=4, names={0: "cat"})
    first, second = rows(figure, 5)
    assert [first[0].get_title(), second[0].get_title()] == ["cat", "1"]
    for copy in range(4):
        params = layer.sample(2, seed=(0, copy))
        share = params["share"][0]
        alone = params["partner"][0] == 0
        title = first[copy + 1].get_title()
        assert title == "cat" if alone else f"cat {share:.2f}" in title
        image = IMAGES[0] * share + IMAGES[params["partner"][0]] * (1 - share)
        np.testing.assert_allclose(drawn(first[copy + 1]), image / 255, atol=1e-5)


def test_labels_that_are_not_mixed_stand_above_the_original_alone():
    data = {"images": IMAGES[0], "labels": 7}
    titles = [a.get_title() for a in augment.show(augment.RandomFlip(), data).axes]
    assert titles == ["7", "", "", "", ""]


def test_samples_of_audio_meet_each_other_not_their_copies():
    waves = np.random.default_rng(0).normal(size=(2, 50))
    figure = augment.show(augment.AudioMix(), waves, copies=6)
    captions = [axes.get_xlabel() for axes in figure.axes]
    assert {text.split(",")[0] for text in captions} == {
        "original",
        "partner 0",
        "partner 1",
    }


@pytest.mark.parametrize(
    ("layer", "value_range"),
    [
        (augment.Rescaling(1 / 255), (0, 1)),
        (augment.Rescaling(1 / 127.5, offset=-1), (-1, 1)),
        (augment.Rescaling(1.0), (0, 255)),
    ],
)
def test_usual_ranges_of_values_are_recognized(layer, value_range):
    low, high = value_range
    before, after = augment.show(layer, IMAGES[:1]).axes
    wanted = (np.array(layer(IMAGES[0])) - low) / (high - low)
    np.testing.assert_allclose(drawn(after), wanted, atol=1e-5)
    np.testing.assert_allclose(drawn(before), IMAGES[0] / 255, atol=1e-5)


def test_other_ranges_go_from_least_to_greatest_or_are_told():
    layer = augment.Normalization(mean=[120.0] * 3, variance=[30.0] * 3)
    out = np.array(layer(IMAGES[0]))
    own, told = [
        drawn(augment.show(layer, IMAGES[:1], value_range=edges).axes[1])
        for edges in (None, (-5, 5))
    ]
    np.testing.assert_allclose(own, (out - out.min()) / np.ptp(out), atol=1e-5)
    np.testing.assert_allclose(told, np.clip((out + 5) / 10, 0, 1), atol=1e-5)


def test_layouts_and_channels():
    last = augment.show(augment.RandomHue(0.5), IMAGES)
    layer = augment.RandomHue(0.5, data_format="channels_first")
    first = augment.show(layer, IMAGES.transpose(0, 3, 1, 2))
    for one, other in zip(last.axes, first.axes, strict=True):
        np.testing.assert_allclose(drawn(one), drawn(other), atol=1e-6)
    grey = augment.show(augment.RandomBrightness(0.1), IMAGES[0, ..., :1])
    assert drawn(grey.axes[0]).shape == (12, 18)


def test_one_image_tensors_and_videos():
    layer = augment.RandomFlip()
    one = augment.show(layer, keras.ops.convert_to_tensor(IMAGES[0]))
    batch = augment.show(layer, IMAGES[:1])
    assert (drawn(one.axes[3]) == drawn(batch.axes[3])).all()
    video = augment.show(layer, IMAGES[None])  # two frames
    assert (drawn(video.axes[3]) == drawn(one.axes[3])).all()


def test_at_most_so_many_images():
    figure = augment.show(augment.RandomFlip(), np.repeat(IMAGES, 4, 0), max_images=3)
    assert len(figure.axes) == 3 * 5


def test_a_choice_says_what_was_chosen():
    flip, turn = augment.RandomFlip("vertical"), augment.RandomRotation((0.25, 0.25))
    layer = augment.RandomChoice([flip, augment.Pipeline([turn])])
    axes = augment.show(layer, IMAGES[:1], copies=4).axes[1:]
    captions = sorted(a.get_xlabel().partition(" ")[0] for a in axes)
    assert captions == ["Flip", "Flip", "Rotation", "Rotation"]
    layers = [augment.RandomInvert(1.0), turn]
    captions = [
        {
            axes.get_xlabel().replace("\n", " ")
            for axes in augment.show(layer, IMAGES[:1], copies=8).axes[1:]
        }
        for layer in (
            augment.RandomApply(layers),
            augment.SomeOf(layers, 1),
            augment.RandomOrder(layers),
            augment.Pipeline(layers),
        )
    ]
    one, other = "Invert inverted 1", "Rotation turns 0.25"
    assert captions == [
        {f"{one}; {other}", "not applied"},
        {one, other},
        {f"{one}; {other}", f"{other}; {one}"},
        {f"{one}; {other}"},
    ]


def test_a_rate_says_to_which_copies_it_applied():
    layer = augment.RandomBrightness((0.1, 0.1), rate=0.5)
    axes = augment.show(layer, IMAGES[:1], copies=16).axes[1:]
    assert {a.get_xlabel() for a in axes} == {"factor 0.1", "not applied"}
    for one in axes:
        same = np.allclose(drawn(one), IMAGES[0] / 255, atol=1e-6)
        assert same == (one.get_xlabel() == "not applied")
    axes = augment.show(augment.MedianBlur(rate=0.5), IMAGES[:1]).axes[1:]
    captions = [a.get_xlabel() for a in axes]
    assert sorted(captions) == ["applied"] * 2 + ["not applied"] * 2


def test_a_policy_names_its_operations():
    layer = augment.RandAugment(num_ops=1)
    captions = [
        axes.get_xlabel() for axes in augment.show(layer, IMAGES, copies=14).axes
    ]
    named = {text.rstrip("-.0123456789").strip() for text in captions}
    assert {"rotate", "auto contrast", "posterize", "shear x"} <= named


def test_long_captions_end_after_three_lines_and_can_be_left_out():
    layer = augment.RandomPerspective()
    figure = augment.show(layer, IMAGES[:1], size=1.5)
    text = figure.axes[1].get_xlabel()
    assert text.count("\n") == 2
    assert text.endswith(" …")
    bare = augment.show(layer, IMAGES[:1], params=False)
    assert {axes.get_xlabel() for axes in bare.axes} == {""}


def test_waveforms_and_spectrograms():
    layer = augment.RandomGain((6.0, 6.0))
    wave = np.sin(np.arange(100.0))
    before, after = augment.show(layer, wave, copies=1).axes
    np.testing.assert_allclose(before.lines[0].get_ydata(), wave, atol=1e-6)
    np.testing.assert_allclose(after.lines[0].get_ydata(), wave * 10**0.3, atol=1e-5)
    assert before.get_ylim() == after.get_ylim()
    layer = augment.TimeMasking(5, time_first=False)
    spectrogram = np.random.default_rng(0).random((1, 8, 20))
    before, after = augment.show(layer, spectrogram, copies=1).axes
    np.testing.assert_allclose(drawn(before), spectrogram[0], atol=1e-6)
    wanted = layer.on_host(spectrogram, layer.sample(1, seed=0))[0]
    np.testing.assert_allclose(drawn(after), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "arguments", "error", "words"),
    [
        (keras.layers.Flatten(), {}, TypeError, "of type Augment"),
        (augment.FeatureNoise(0.1, 1.0), {}, ValueError, "images or audio"),
        (augment.RandomFlip(), {"copies": 0}, ValueError, "copies"),
        (augment.RandomFlip(), {"max_images": 0}, ValueError, "max_images"),
        (augment.RandomFlip(), {"seed": -1}, ValueError, "seed"),
        (augment.RandomFlip(), {"seed": None}, ValueError, "seed"),
        (augment.RandomFlip(), {"params": 1}, TypeError, "params"),
        (augment.RandomFlip(), {"names": "cat"}, TypeError, "names"),
        (augment.RandomFlip(), {"value_range": (1, 0)}, ValueError, "value_range"),
        (augment.RandomFlip(), {"size": 0.0}, ValueError, "size"),
        (augment.MixUp(classes=2), {"max_images": 1}, ValueError, "max_images"),
        (augment.MixUp(classes=2), {}, ValueError, "labels"),
    ],
)
def test_wrong_arguments(layer, arguments, error, words):
    with pytest.raises(error, match=words):
        augment.show(layer, IMAGES, **arguments)


def test_mixing_needs_a_batch():
    layer = augment.MixUp(classes=2)
    with pytest.raises(ValueError, match="batch the data first"):
        augment.show(layer, {"images": IMAGES[0], "labels": 1})
    with pytest.raises(ValueError, match="batch of at least 2"):
        augment.show(layer, {"images": IMAGES[:1], "labels": np.array([1])})


def test_a_figure_is_a_picture_to_notebooks_and_nothing_else_is_touched():
    figure = augment.show(augment.RandomFlip(), IMAGES)
    assert figure._repr_png_().startswith(b"\x89PNG")
    # Keras itself imports pyplot, if it can.
    code = (
        "import sys\n"
        "sys.modules['matplotlib.pyplot'] = None\n"
        "import numpy as np, keras\n"
        "from perfkit import augment\n"
        "figure = augment.show(augment.RandomFlip(), np.zeros((1, 4, 4, 3)))\n"
        "figure.savefig('seen.png')"
    )
    assert python(code).returncode == 0


@pytest.mark.slow
def test_a_missing_matplotlib_is_named():
    code = (
        "import sys\n"
        "sys.modules['matplotlib'] = None\n"
        "import numpy as np\n"
        "from perfkit import augment\n"
        "augment.show(augment.RandomFlip(), np.zeros((1, 4, 4, 3)))"
    )
    assert "pip install 'perfkit[examples]'" in python(code).stderr.splitlines()[-1]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def python(code):
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
