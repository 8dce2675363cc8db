"""Wrong arguments fail at construction, wrong inputs at the call, in clear words."""

import inspect
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from perfkit import augment
from tests.cases import CASES, build
from tests.conformance.common import IMAGES, LABELS, full_inputs, run_uncompiled

NAN = float("nan")
NO_NUMBERS = ["0.1", (0.2, 0.1), (0.1,), (0.1, 0.2, 0.3), [], NAN, True, {}, 1e9, -1e9]
NO_SIZES = [0, -1, 8.0, "8", None, True]
NO_BOOLEANS = ["yes", 1, None]
NO_NAMES = ["mirror", 1, ("bilinear",)]
# Values that are wrong for every operation with an argument of the name.
WRONG = {
    "all_ops": NO_BOOLEANS,
    "addition_factor": NO_NUMBERS,
    "alpha": [0.0, -1.0, "0.1", (0.1, 0.2), NAN, None, True],
    "amount": [*NO_NUMBERS, None, -0.1],
    "angle": [*NO_NUMBERS, None],
    "antialias": NO_BOOLEANS,
    "axis": [1, 0, (1, 2), "channels"],
    "bins": [1, 0, -3, 2.0, "8", True, None],
    "bounding_box_format": ["coco", "XYXY", 1],
    "brightness_factor": NO_NUMBERS,
    "chroma_subsampling": NO_BOOLEANS,
    "chain_depth": [0, 9, 1.5, "1", None, True],
    "channel_drop_range": [0, -1, 1.0, "1", (2, 1), (1,), (0, 1), [], True, None],
    "classes": [1, 0, -3, 2.0, "3", True],
    "clip_limit": [*NO_NUMBERS, 0.5, (0.5, 2.0), 300, None],
    "contrast_factor": ["0.1", (0.1,), [], NAN, True, 2.0, -0.1, (0.1, -0.1)],
    "crop_to_aspect_ratio": NO_BOOLEANS,
    "data_format": ["nhwc", 1],
    "direction": [*NO_NUMBERS, None],
    "distort_limit": NO_NUMBERS,
    "erosion": ["0.1", (0.1, 0.2), -0.1, 1.1, NAN, None, True],
    "factor": ["0.1", (0.1,), [], NAN, True, None, 1e9, -1e9, (-5, 0.5), (0.5, 4000)],
    "fill_mode": [*NO_NAMES, None],
    "fill_value": ["0", NAN, float("inf"), (0, 0, 0)],
    "fused": NO_BOOLEANS,
    "grid_fraction": [*NO_NUMBERS, None, 0.0],
    "height": NO_SIZES,
    "height_factor": [*NO_NUMBERS, None],
    "height_fraction": [*NO_NUMBERS, None, -0.1],
    "holes": [*NO_NUMBERS, None, 0, 1.5, (1.0, 2.0), (0, 5), 10**6],
    "hue_factor": NO_NUMBERS,
    "interpolation": [*NO_NAMES, "bilinaer", None],
    "invert": NO_BOOLEANS,
    "kernel_size": [0, -3, 2, 4, 3.0, "3", None, True, (3,), (3, 4), (3, 3, 3), 10**9],
    "kelvin": [*NO_NUMBERS, 1000, (1000, 6500), None],
    "layers": [[], [keras.layers.Dense(1)], [None], augment.RandomFlip()],
    "mask_fill_value": ["0", None, NAN, float("inf"), (0, 0, 0)],
    "mask_interpolation": [*NO_NAMES, "bilinaer", None],
    "mean": ["1", [NAN], [], [[1.0]], True],
    "num_chains": [0, 9, 1.5, "1", None, True],
    "num_ops": [0, 17, 1.5, "1", None, True],
    "number": [-1, 4, 1.5, "1", None, True, (2, 1), (1,), (0, 1, 2)],
    "odds": [0.5, [1.0], [1.0, -0.1], [0.0, 0.0], ["1", 2.0], (1.0, NAN), (1, 2, 3)],
    "min_visible": ["0.1", (0.1, 0.2), -0.1, 1.1, NAN, None, True],
    "object_rate": ["0.1", (0.1, 0.2), -0.1, 1.1, NAN, None, True],
    "offset": ["1", [NAN], [], [[1.0]], True, None, float("inf")],
    "pad_to_aspect_ratio": NO_BOOLEANS,
    "policy": [*NO_NAMES, "ImageNet", None],
    "per_channel": NO_BOOLEANS,
    "quality": [*NO_NUMBERS, None, 0, 101, 50.0, (1.0, 2.0), (0, 5), (90, 101)],
    "points": [1, 17, 0, 4.0, "4", None, True],
    "rate": ["0.1", (0.1, 0.2), -0.1, 1.1, NAN, None, True],
    "ratio": [*NO_NUMBERS, 1.0, (0.0, 1.0), None],
    "rotation_factor": [*NO_NUMBERS, None],
    "salt": [*NO_NUMBERS, None, -0.1],
    "saturation_factor": NO_NUMBERS,
    "scale": ["1", [NAN], [], True, None, (-1.0, NAN)],
    "seed": [-1, 1.5, "1", True, NAN, 2**32],
    "sigma": [*NO_NUMBERS, None, -0.1],
    "shear_factor": [*NO_NUMBERS, None, -0.1],
    "threshold_factor": NO_NUMBERS,
    "tile_grid_size": [8, (8,), (8, 0), (8, 8.0), (8, True), (8, 8, 8), "88", None],
    "stddev": [*NO_NUMBERS, None, -0.1],
    "steps": [0, 65, -1, 5.0, "5", None, True],
    "turns": [(), (4,), (-1,), (0, 0), (1.0,), (True,), 1, "0", None],
    "value_range": [(1, 0), (0, 0), 255, (0,), (0, NAN), (0, float("inf")), None, "01"],
    "variance": ["1", [NAN], [], [-1.0], -1.0, True],
    "width": NO_SIZES,
    "width_factor": NO_NUMBERS,
    "width_fraction": [*NO_NUMBERS, None, -0.1],
    "x_factor": [*NO_NUMBERS, None, -0.1],
    "y_factor": [*NO_NUMBERS, None, -0.1],
    "zoom_factor": [*NO_NUMBERS, None],
    "mode": ["diagonal", 1, None],
    "name": [],  # Keras's own
}
# A value that is right for one family all the same: a colour, and that of what shares
# the resample.
RIGHT = {
    "fill_value": (augment.DropAugment, (0, 0, 0)),
    "mask_interpolation": (augment.GeometricAugment, None),
}
# Ranges, which take a number, or a pair within bounds.
RANGES = {
    "addition_factor",
    "amount",
    "angle",
    "brightness_factor",
    "contrast_factor",
    "direction",
    "distort_limit",
    "factor",
    "grid_fraction",
    "height_factor",
    "height_fraction",
    "hue_factor",
    "rotation_factor",
    "salt",
    "saturation_factor",
    "shear_factor",
    "threshold_factor",
    "sigma",
    "stddev",
    "width_factor",
    "width_fraction",
    "x_factor",
    "y_factor",
    "zoom_factor",
}
ROWS = dict(reversed(CASES))


def name(op):
    return op.__name__


def arguments_of(op):
    """Names of all arguments, those of the family too."""
    return sorted(
        {
            parameter.name
            for cls in op.__mro__
            if issubclass(cls, augment.Augment)
            for parameter in inspect.signature(cls.__init__).parameters.values()
            if parameter.name != "self" and parameter.kind is not parameter.VAR_KEYWORD
        }
    )


def complaint(op, argument, value):
    """What is wrong with the error for a wrong argument, or `None`."""
    try:
        if issubclass(op, augment.Combination):
            layers = [augment.RandomFlip(), augment.RandomInvert()]
            op(**{**ROWS[op], "layers": layers, argument: value})
        else:
            build(op, ROWS[op], **{argument: value})
    except (TypeError, ValueError) as error:
        said = str(error)
    else:
        return f"{argument}={value!r} was accepted"
    start = rf"`{op.__name__}\({argument}=\.\.\.\)` must be .+\. Received: {argument}="
    end = "" if argument == "layers" else re.escape(repr(value))
    return None if re.match(start + end, said) else said


def is_right(op, argument, value):
    family, right = RIGHT.get(argument, ((), None))
    return issubclass(op, family) and value == right


@pytest.mark.parametrize("op", ROWS, ids=name)
def test_wrong_arguments_name_argument_range_and_value(op):
    arguments = set(arguments_of(op)) - (set() if op.random else {"seed", "rate"})
    complaints = [
        complaint(op, argument, value)
        for argument in sorted(arguments)
        for value in WRONG[argument]
        if not is_right(op, argument, value)
    ]
    assert not any(complaints), [text for text in complaints if text]


@pytest.mark.parametrize("op", [op for op in ROWS if not op.random], ids=name)
@pytest.mark.parametrize("argument", ["seed", "rate"])
def test_what_draws_nothing_takes_no_seed_and_no_rate(op, argument):
    with pytest.raises(ValueError, match=rf"{argument}=\.\.\.\)` must be left out"):
        build(op, ROWS[op], **{argument: 0})


@pytest.mark.parametrize("op", ROWS, ids=name)
def test_unknown_arguments_fail(op):
    with pytest.raises((TypeError, ValueError), match="probability"):
        build(op, ROWS[op], probability=0.5)


@pytest.mark.parametrize("op", ROWS, ids=name)
def test_numbers_of_every_kind_make_the_same_range(op):
    for argument in RANGES & set(arguments_of(op)):
        # The factor is one probability, and of whole numbers.
        if op in (augment.RandomGrayscale, augment.RandomPosterization):
            continue
        for same in (
            [0.25, np.float32(0.25), np.float64(0.25)],
            [(0.25, 0.5), [0.25, 0.5], (np.float32(0.25), np.float64(0.5))],
            [(1, 1), (1.0, np.int64(1)), [np.uint8(1), 1]],
        ):
            layers = [build(op, ROWS[op], **{argument: value}) for value in same]
            ranges = [getattr(layer, argument) for layer in layers]
            assert all(pair == ranges[0] for pair in ranges), ranges
            assert all(type(edge) is float for edge in ranges[0])


def test_sizes_and_value_ranges_may_be_numpy_numbers():
    crop = augment.CenterCrop(np.int32(3), np.int64(4))
    assert (crop.height, crop.width) == (3, 4)
    for pair in ([0, 1], (np.float32(0), np.int64(1)), (0.0, 1.0)):
        assert augment.RandomInvert(value_range=pair).value_range == (0.0, 1.0)


def test_a_seed_may_be_a_numpy_number_and_a_factor_negative():
    assert augment.RandomFlip(seed=np.int64(3)).seed == 3
    assert augment.RandomFlip(seed=2**32 - 1)(IMAGES).shape == IMAGES.shape
    assert augment.RandomRotation(-0.2).factor == (-0.2, 0.2)  # as in Keras


def images(*shape, dtype="uint8"):
    return np.zeros(shape, dtype)


def boxes(**others):
    return {"boxes": np.zeros((4, 2, 4), "float32"), **others}


WRONG_INPUTS = {
    "rank 2": (images(12, 16), r"rank 3 .* images\.shape=\(12, 16\)"),
    "rank 6": (images(1, 1, 1, 4, 4, 3), r"images\.shape=\(1, 1, 1, 4, 4, 3\)"),
    "booleans": (images(4, 4, 4, 3, dtype="bool"), "dtype=bool"),
    "complex": (images(4, 4, 4, 3, dtype="complex64"), "dtype=complex64"),
    "no images": ({"labels": LABELS}, r"'images'.*\['labels'\]"),
    "boxes without a format": (
        full_inputs(),
        "does not know their format. Pass `bounding_box_format`",
    ),
    "boxes in no dict": (
        {"images": IMAGES, "bounding_boxes": np.zeros((4, 2, 4))},
        "'bounding_boxes' must be a dict with the key 'boxes'",
    ),
    "keypoints without y": (
        {"images": IMAGES, "keypoints": np.zeros((4, 2, 1))},
        r"keypoints must have shape.*\(4, 2, 1\)",
    ),
    "masks of another size": (
        {"images": IMAGES, "segmentation_masks": np.zeros((4, 16, 12, 1), "int32")},
        r"segmentation_masks .* \(4, 12, 16, any\)\. Received: shape=\(4, 16, 12, 1\)",
    ),
    "keypoints of fewer samples": (
        {"images": IMAGES, "keypoints": np.zeros((3, 2, 2))},
        r"keypoints .* \(4, any, any\)\. Received: shape=\(3, 2, 2\)",
    ),
    "keypoints of one image": (
        {"images": IMAGES, "keypoints": np.zeros((2, 2))},
        r"keypoints .* \(4, any, any\)\. Received: shape=\(2, 2\)",
    ),
}
WRONG_BOXES = {
    "five numbers": (
        {"boxes": np.zeros((4, 2, 5), "float32")},
        r"boxes .* \(4, any, 4\)\. Received: shape=\(4, 2, 5\)",
    ),
    "labels of other boxes": (
        boxes(labels=np.zeros((4,), "int32")),
        r"labels of boxes .* \(4, 2\)\. Received: shape=\(4,\)",
    ),
    "unsigned labels": (
        boxes(labels=np.zeros((4, 2), "uint8")),
        "labels of boxes must be signed.*dtype=uint8",
    ),
}


@pytest.mark.parametrize(("inputs", "message"), WRONG_INPUTS.values(), ids=WRONG_INPUTS)
@pytest.mark.parametrize("op", [augment.RandomFlip, augment.RandomInvert], ids=name)
def test_wrong_inputs_name_the_layer(op, inputs, message):
    with pytest.raises((TypeError, ValueError), match=f"^my_layer: .*{message}"):
        op(name="my_layer")(inputs)


@pytest.mark.parametrize(("wrong", "message"), WRONG_BOXES.values(), ids=WRONG_BOXES)
def test_wrong_boxes_name_the_layer(wrong, message):
    layer = augment.RandomFlip(bounding_box_format="xyxy", name="my_layer")
    with pytest.raises((TypeError, ValueError), match=f"^my_layer: .*{message}"):
        layer({"images": IMAGES, "bounding_boxes": wrong})


@pytest.mark.parametrize("key", ["images", "bounding_boxes", "keypoints"])
def test_ragged_tensors_name_the_layer(key):
    ragged = tf.ragged.stack([tf.zeros((2, 4)), tf.zeros((3, 4))])
    wrong = {"boxes": ragged} if key == "bounding_boxes" else ragged
    layer = augment.RandomFlip(bounding_box_format="xyxy", name="my_layer")
    with pytest.raises(TypeError, match=f"^my_layer: '{key}' is a ragged tensor"):
        layer({"images": IMAGES[:2], key: wrong})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (IMAGES, "needs their 'labels'"),
        ({"images": IMAGES}, "needs their 'labels'"),
        ({"images": IMAGES, "labels": LABELS}, r"integer labels .*classes=\.\.\."),
        (
            {"images": IMAGES, "labels": LABELS[:, None]},
            r"integer labels .*shape=\(4, 1\)",
        ),
        ({"images": IMAGES[0], "labels": LABELS[0]}, r"one image .*batch the data"),
    ],
)
@pytest.mark.parametrize("op", [augment.MixUp, augment.CutMix], ids=name)
def test_mixing_names_what_it_lacks(op, inputs, message):
    for layer in (op(name="my_layer"), augment.Pipeline([op(name="my_layer")])):
        with pytest.raises(ValueError, match=message) as caught:
            layer(inputs)
        assert str(caught.value).startswith((f"{layer.name}: ", "my_layer: "))


@pytest.mark.parametrize(
    "masks",
    [np.zeros((4, 12, 16), "int32"), np.zeros((4, 12, 16, 1), "uint8")],
    ids=["flat", "one channel"],
)
def test_mixing_up_class_masks_wants_the_number_of_classes(masks):
    with pytest.raises(ValueError, match=r"integer segmentation_masks .*classes="):
        augment.MixUp()({"images": IMAGES, "segmentation_masks": masks})


def test_one_list_entry_per_channel_is_needed():
    for layer in (
        augment.Rescaling([1.0, 2.0]),
        augment.Normalization(mean=[0.0, 1.0], variance=1.0),
    ):
        for channels in (1, 3):
            with pytest.raises(ValueError, match=f"{layer.name}: .*channels"):
                layer(IMAGES[..., :channels])


def test_normalization_without_statistics_names_the_layer():
    layer = augment.Normalization(name="my_layer")
    with pytest.raises(ValueError, match=r"^my_layer: no mean and variance.*adapt"):
        layer(IMAGES)


class Torn(augment.RandomRotation):
    """A rotation whose matrix holds NaN."""

    def parameters(self, rng):
        return {"turns": rng.uniform() * 0.0 + NAN}


class Faded(augment.RandomBrightness):
    """A brightness whose offset is infinite."""

    def parameters(self, rng):
        return {"factor": rng.uniform() + float("inf")}


@pytest.mark.parametrize("op", [Torn, Faded], ids=name)
@pytest.mark.parametrize("fused", [None, True, False])
def test_nan_in_a_matrix_names_the_layer(op, fused, monkeypatch):
    run_uncompiled(monkeypatch)
    layer = op(0.1, name="my_layer")
    if fused is not None:
        layers = [augment.RandomFlip(), layer, augment.RandomFlip()]
        layer = augment.Pipeline(layers, fused=fused, name="my_layer")
    with pytest.raises(ValueError, match="my_layer: a matrix holds NaN"):
        layer(IMAGES)


@pytest.mark.parametrize("op", [Torn, Faded], ids=name)
def test_nan_in_a_matrix_stops_tf_data(op):
    layer = op(0.1, name="my_layer")
    dataset = tf.data.Dataset.from_tensors(IMAGES).map(layer)
    with pytest.raises(tf.errors.InvalidArgumentError, match="my_layer: a matrix"):
        next(iter(dataset))


def test_nan_in_a_matrix_is_told_from_a_compiled_eager_call():
    with pytest.raises(ValueError, match="my_layer: a matrix holds NaN"):
        Faded(0.1, name="my_layer")(IMAGES)


def test_images_of_unknown_rank_say_what_to_do():
    layer = augment.RandomFlip(name="my_layer")
    files = tf.data.Dataset.from_tensors("of any kind")
    with pytest.raises(ValueError, match=r"my_layer: .*unknown rank.*ensure_shape"):
        files.map(lambda text: layer(tf.io.decode_image(text)))


def test_images_are_taken_alone_or_in_a_dict():
    layer = augment.RandomInvert()
    assert layer(IMAGES[0].tolist()).shape == IMAGES[0].shape
    assert np.array_equal(layer(IMAGES, np.False_), IMAGES)
    for arguments in ((IMAGES, LABELS), ((IMAGES, LABELS),)):
        with pytest.raises(TypeError, match=r"dataset\.map\(lambda images, labels"):
            layer(*arguments)


def test_a_key_of_another_library_is_pointed_out():
    with pytest.warns(UserWarning, match="'masks' passes by.*'segmentation_masks'"):
        augment.RandomInvert()({"images": IMAGES, "masks": IMAGES})


def test_what_passes_by_may_be_anything():
    things = {"names": ["a", "b"], "nothing": None, "text": "abc", "keypoints": None}
    out = augment.RandomInvert()({"images": IMAGES, **things})
    assert {**out, **things, "images": 0} == {**things, "images": 0}
    assert out["names"] is things["names"]
    assert "keypoints" not in out


def test_an_unknown_number_of_channels_is_asked_for():
    dataset = tf.data.Dataset.from_generator(
        lambda: [IMAGES[0]], output_signature=tf.TensorSpec([None, None, None], "uint8")
    )
    dataset.map(augment.RandomFlip())
    for layer in (
        augment.RandomHue(0.1),
        augment.ChannelShuffle(),
        augment.CLAHE(),
        augment.ToneCurve(per_channel=True),
    ):
        with pytest.raises(ValueError, match=f"{layer.name}: .*ensure_shape"):
            dataset.map(layer)
    dataset.map(augment.ToneCurve())
