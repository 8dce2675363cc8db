"""Pipelines agree with Albumentations itself, where that is installed.

It brings an OpenCV of its own, so it is not among what the tests install; see
CONTRIBUTING.md.
"""

import os
import pathlib
import re
import warnings

import cv2
import numpy as np
import pytest

from perfkit import augment
from tests.albumentations_like import DEFAULTS, REQUIRED
from tests.oracles import smooth

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    A = pytest.importorskip("albumentations")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def photo(height=80, width=100, seed=0):
    image = smooth(1, height, width, 3, seed=seed)[0]
    return np.round(10 + 0.88 * image).astype("uint8")


def both(transform, image=None, inside=0, **settings):
    """The library's result, and the pipeline's, but for a border."""
    image = photo() if image is None else image
    pipeline = augment.from_albumentations(
        transform, image_size=image.shape[:2], **settings
    )
    theirs = transform(image=image)["image"].astype("float32")
    ours = np.asarray(pipeline.on_host(image, seed=1), "float32")
    assert theirs.shape == ours.shape
    cut = slice(inside, -inside or None)
    return theirs[cut, cut], ours[cut, cut]


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_stand_ins_are_like_the_library(name):
    arguments = getattr(A, name)(**REQUIRED.get(name, {})).get_transform_init_args()
    arguments.pop("p", None)
    assert arguments == DEFAULTS[name]


# One level of 255 for rounding; the mean is what matters where there is more.
ONE = (1.0, 0.51)
EXACT = [
    (A.HorizontalFlip(p=1), ONE),
    (A.VerticalFlip(p=1), ONE),
    (A.Rotate((20, 20), p=1), ONE),
    (A.Rotate((20, 20), fill=100, p=1), ONE),
    (A.Rotate((20, 20), border_mode=cv2.BORDER_REPLICATE, p=1), ONE),
    (A.Rotate((20, 20), border_mode=cv2.BORDER_REFLECT, p=1), ONE),
    (A.Rotate((20, 20), border_mode=cv2.BORDER_WRAP, p=1), ONE),
    (
        A.Affine(
            (0.8, 0.8),
            translate_percent={"x": 0.1, "y": 0.2},
            rotate=(15, 15),
            p=1,
        ),
        ONE,
    ),
    (
        A.Affine(
            scale={"x": (0.8, 0.8), "y": (1.25, 1.25)},
            translate_px={"x": (5, 5), "y": (-7, -7)},
            p=1,
        ),
        ONE,
    ),
    (A.CenterCrop(41, 50), ONE),
    (A.CenterCrop(40, 51), ONE),
    (A.Resize(150, 170), ONE),
    (A.Resize(50, 40), ONE),
    (A.RandomGamma((150, 150), p=1), ONE),
    (A.Posterize(3, p=1), ONE),
    (A.Solarize((0.4, 0.4), p=1), ONE),
    (A.InvertImg(p=1), ONE),
    (A.ToGray(p=1), ONE),
    (A.ToSepia(p=1), ONE),
    (A.RandomBrightnessContrast((0.1, 0.1), (-0.2, -0.2), p=1), ONE),
    (A.RandomBrightnessContrast((0.1, 0.1), (0.2, 0.2), p=1), ONE),
    (A.MultiplicativeNoise((1.2, 1.2), p=1), ONE),
    (A.ColorJitter((1.2, 1.2), (1, 1), (1, 1), (0, 0), p=1), ONE),
    (A.ColorJitter((1, 1), (1, 1), (1.5, 1.5), (0, 0), p=1), ONE),
    (A.AutoContrast(method="pil", p=1), ONE),
    (A.Sharpen((0.07, 0.07), (1, 1), p=1), ONE),
    (A.GaussianBlur(sigma_limit=(2, 2), p=1), ONE),
    (A.GaussianBlur(blur_limit=(5, 5), sigma_limit=(2, 2), p=1), ONE),
    (A.MedianBlur((3, 3), p=1), ONE),
    (A.MedianBlur((5, 5), p=1), ONE),
    (A.Normalize(), (1e-4, 1e-4)),
    (A.ToFloat(), (1e-6, 1e-6)),
    # Alike, as `docs/moving.md` says.
    (A.Resize(150, 170, interpolation=cv2.INTER_CUBIC), (4.0, 0.6)),
    (A.Resize(50, 40, interpolation=cv2.INTER_AREA), (6.0, 1.0)),
    (A.AutoContrast(p=1), (5.0, 3.0)),
    (A.Equalize(p=1), (5.0, 3.0)),
    (A.Equalize(mode="pil", p=1), (5.0, 3.0)),
    (
        A.Downscale(
            (0.5, 0.5),
            {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR},
            p=1,
        ),
        (6.0, 1.5),
    ),
]


def name_of(row):
    return type(row[0]).__name__


@pytest.mark.parametrize(
    ("transform", "tolerance"), EXACT, ids=[name_of(row) for row in EXACT]
)
def test_pinned_operation_agrees(transform, tolerance):
    theirs, ours = both(transform, inside=8)
    error = np.abs(theirs - ours)
    assert error.max() <= tolerance[0]
    assert error.mean() <= tolerance[1]


def test_square_images_are_transposed():
    theirs, ours = both(A.Transpose(p=1), photo(60, 60))
    np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize("size", [(72, 104), (104, 72), (30, 20)])
def test_letter_box_agrees(size):
    transform = A.Compose([A.LongestMaxSize(80), A.PadIfNeeded(80, 80, fill=50)])
    theirs, ours = both(transform, photo(*size), inside=20)  # rims blend with pixels
    assert np.abs(theirs - ours).max() <= 1.0


def test_central_crop_of_the_smallest_size_agrees():
    transform = A.Compose([A.SmallestMaxSize(64), A.CenterCrop(50, 56)])
    theirs, ours = both(transform, photo(80, 120))
    assert np.abs(theirs - ours).max() <= 3.0


def test_grey_images_agree_in_what_is_luma_in_colour():
    grey = photo()[..., :1].copy()
    for transform in (
        A.CLAHE((2, 2), p=1),
        A.ImageCompression(quality_range=(40, 40), p=1),
    ):
        theirs, ours = both(transform, grey)
        assert np.abs(theirs - ours).mean() < 0.5


def test_a_whole_composition_agrees():
    transform = A.Compose(
        [
            A.Resize(64, 64),
            A.Sequential([A.HorizontalFlip(p=1), A.Rotate((10, 10), p=1)], p=1),
            A.OneOf([A.InvertImg(), A.RandomGamma((200, 200), p=0)], p=1),
            A.Normalize(),
        ]
    )
    theirs, ours = both(transform, inside=8)
    assert np.abs(theirs - ours).mean() < 0.02


DRAWS = 300


def drawn(transform, name, image_size=(100, 100)):
    """What the pipeline's only layer draws."""
    pipeline = augment.from_albumentations(transform, image_size=image_size)
    (layer,) = pipeline.layers
    return layer.sample(DRAWS, seed=3)[name]


def theirs(transform, read):
    data = {"image": np.zeros((100, 100, 3), "uint8")}
    shape = {"shape": (100, 100, 3)}
    return np.array(
        [
            read({**transform.get_params(), **more})
            for more in (
                transform.get_params_dependent_on_data(shape, data)
                for _ in range(DRAWS)
            )
        ]
    )


@pytest.mark.parametrize(
    ("transform", "read", "name", "convert"),
    [
        (
            A.Affine(rotate=(-30, 60), p=1),
            lambda x: x["rotate"],
            "turns",
            lambda x: x * 360,
        ),
        (
            A.Affine(scale=(0.8, 1.25), p=1),
            lambda x: x["scale"]["x"],
            "width",
            lambda x: 1 / (1 + x),
        ),
        (
            A.Affine(translate_percent=(-0.1, 0.3), p=1),
            lambda x: x["matrix"][0, 2] / 100,
            "width",
            lambda x: x,
        ),
        (
            A.Affine(shear=(-20, 20), p=1),
            lambda x: x["matrix"][0, 1],
            "x",
            lambda x: x,
        ),
        (A.RandomGamma((60, 180), p=1), lambda x: x["gamma"], "factor", lambda x: x),
        (
            A.Solarize((0.2, 0.8), p=1),
            lambda x: x["threshold"] * 255,
            "threshold",
            lambda x: x,
        ),
        (
            A.ColorJitter((1, 1), (1, 1), (0.5, 1.5), (0, 0), p=1),
            lambda x: x["saturation"],
            "factor",
            lambda x: x / (1 - x),
        ),
        (
            A.ColorJitter((1, 1), (1, 1), (1, 1), (-0.1, 0.1), p=1),
            lambda x: x["hue"],
            "turns",
            lambda x: x,
        ),
        (A.Posterize((2, 6), p=1), lambda x: x["num_bits"], "bits", lambda x: x),
        (
            A.ImageCompression(quality_range=(20, 60), p=1),
            lambda x: x["quality"],
            "quality",
            lambda x: x,
        ),
    ],
    ids=lambda x: type(x).__name__ if hasattr(x, "p") else "",
)
def test_draws_have_the_same_range_and_mean(transform, read, name, convert):
    expected, received = theirs(transform, read), convert(drawn(transform, name))
    width = np.ptp(expected)
    assert abs(expected.min() - received.min()) < 0.05 * width
    assert abs(expected.max() - received.max()) < 0.05 * width
    assert abs(expected.mean() - received.mean()) < 0.12 * width


@pytest.mark.parametrize(("alpha", "sigma"), [(120, 6), (300, 12)])
def test_elastic_transform_bends_as_far(alpha, sigma):
    size = 128
    transform = A.ElasticTransform(alpha, sigma, p=1)
    theirs = np.stack(
        [
            transform.get_params_dependent_on_data({"shape": (size, size, 3)}, {})[
                "map_x"
            ]
            - np.arange(size)
            for _ in range(4)
        ]
    )
    (layer,) = augment.from_albumentations(transform, image_size=(size, size)).layers
    y, x = np.mgrid[:size, :size].astype("float32") + 0.5
    places = np.tile(np.stack([x, y, x], axis=-1), (8, 1, 1, 1))
    bent = np.asarray(layer.on_host(places, seed=1)) - places
    assert bent[:, 16:-16, 16:-16, 0].std() == pytest.approx(
        theirs[:, 16:-16, 16:-16].std(), rel=0.3
    )


@pytest.mark.parametrize(
    "transform",
    [
        A.GaussNoise((0.1, 0.1), p=1),
        A.GaussNoise((0.1, 0.1), per_channel=False, p=1),
        A.SaltAndPepper((0.1, 0.1), (0.3, 0.3), p=1),
        A.CoarseDropout((4, 4), (0.2, 0.2), (0.2, 0.2), p=1),
        A.GridDropout(0.5, p=1),
        A.ChannelDropout(fill=30, p=1),
        A.Erasing((0.1, 0.2), p=1),
    ],
    ids=lambda x: type(x).__name__,
)
def test_noise_and_holes_are_as_strong(transform):
    flat = np.full((64, 64, 3), 127, "uint8")
    pipeline = augment.from_albumentations(transform)
    theirs = np.stack([transform(image=flat)["image"] for _ in range(40)])
    ours = np.asarray(pipeline.on_host(np.stack([flat] * 40), seed=2))
    assert ours.mean() == pytest.approx(theirs.mean(), abs=6)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.12)


@pytest.mark.parametrize("p", [0.3, 0.5, 0.8])
def test_operations_are_applied_as_often(p):
    image = np.arange(4, dtype="float32").reshape(1, 2, 2, 1).repeat(1000, axis=0)
    for transform in (A.HorizontalFlip(p=p), A.InvertImg(p=p)):
        out = augment.from_albumentations(transform).on_host(image, seed=1)
        changed = np.any(out != image, axis=(1, 2, 3))
        assert abs(changed.mean() - p) < 4 * np.sqrt(p * (1 - p) / 1000)


def test_boxes_follow():
    params = A.BboxParams("coco", label_fields=["labels"], min_visibility=0.1)
    transform = A.Compose(
        [A.HorizontalFlip(p=1), A.CenterCrop(60, 60)], bbox_params=params
    )
    boxes = np.array([[30.0, 20.0, 25.0, 30.0], [5.0, 5.0, 6.0, 6.0]])
    theirs = transform(image=photo(), bboxes=boxes, labels=[1, 2])
    ours = augment.from_albumentations(transform).on_host(
        {
            "images": photo(),
            "bounding_boxes": {"boxes": boxes, "labels": np.array([1, 2])},
        }
    )["bounding_boxes"]
    assert ours["labels"].tolist() == [1, -1]
    np.testing.assert_allclose(ours["boxes"][:1], theirs["bboxes"], atol=1e-3)
    assert list(theirs["labels"]) == [1]


def test_real_compositions_are_read():
    transform = A.Compose(
        [
            A.OneOrOther(A.HorizontalFlip(), A.VerticalFlip(), p=0.3),
            A.SomeOf([A.ToGray(), A.ToSepia(p=0.2), A.NoOp()], n=2),
            A.RandomOrder([A.ToGray(), A.ToSepia()], n=2),
        ],
        keypoint_params=A.KeypointParams("xy"),
        seed=5,
    )
    pipeline = augment.from_albumentations(transform)
    names = [type(layer).__name__ for layer in pipeline.layers]
    assert names == ["RandomChoice", "SomeOf", "RandomOrder"]
    assert pipeline.seed == 5


def test_example_in_the_guide_runs():
    page = pathlib.Path(__file__).parent.parent / "docs" / "moving.md"
    (code,) = re.findall(r"```py\n(.*?)```", page.read_text(), re.DOTALL)
    names = {"augment": augment}
    exec(compile(code, page.name, "exec"), names)
    assert names["images"].shape == (8, 160, 160, 3)
