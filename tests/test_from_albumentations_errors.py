"""What of Albumentations has no equivalent is named, with its arguments."""

import pytest

from perfkit import augment
from tests.albumentations_like import compose, composition, operation, processor


def made(*transforms, **settings):
    return augment.from_albumentations(compose(*transforms), **settings).layers


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (operation("Blur"), "`Blur`"),
        (operation("ToTensorV2"), "Arrays stay arrays"),
        (composition("SelectiveChannelTransform", []), "`SelectiveChannelTransform`"),
        (operation("Rotate", interpolation=2), "interpolation=2"),
        (operation("Rotate", fill=(1, 2, 3)), r"fill=\(1, 2, 3\)"),
        (operation("Rotate", crop_border=True), "crop_border=True"),
        (operation("Rotate", rotate_method="ellipse"), "rotate_method='ellipse'"),
        (operation("Affine", shear={"x": (0, 9), "y": (0, 0)}), r"shear=\(0, 9\)"),
        (operation("Affine", scale={"x": (0.2, 1), "y": (1, 1)}), "half their size"),
        (operation("Affine", fit_output=True), "fit_output=True"),
        (operation("Affine", translate_px={"x": (1, 2), "y": (0, 0)}), "image_size"),
        (operation("Perspective", scale=(0, 0.3)), r"scale=\(0, 0.3\)"),
        (operation("Perspective", keep_size=False), "keep_size=False"),
        (operation("ElasticTransform"), "image_size"),
        (operation("GridDistortion", normalized=False), "normalized=False"),
        (operation("GridDistortion", num_steps=1), r"steps=\.\.\."),
        (operation("RandomCrop", pad_if_needed=True), "pad_if_needed=True"),
        (operation("RandomCrop", p=0.5), "p=0.5"),
        (operation("Resize", p=0.5), "p=0.5"),
        (operation("Resize", interpolation=4), "interpolation=4"),
        (operation("RandomResizedCrop", mask_interpolation=4), "mask_interpolation=4"),
        (operation("LongestMaxSize"), "PadIfNeeded"),
        (operation("PadIfNeeded"), "LongestMaxSize"),
        (operation("SmallestMaxSize"), "CenterCrop"),
        (operation("RandomBrightnessContrast", brightness_by_max=False), "by_max"),
        (operation("ColorJitter", contrast=(1.1, 1.2)), r"contrast=\(1.1, 1.2\)"),
        (operation("ColorJitter", hue=(0, 0.1)), "hue="),
        (operation("ToGray", method="pca"), "method='pca'"),
        (operation("ToGray", num_output_channels=1), "num_output_channels=1"),
        (operation("PlanckianJitter", mode="cied"), "mode='cied'"),
        (operation("AutoContrast", cutoff=5), "cutoff=5"),
        (operation("Equalize", by_channels=False), "by_channels=False"),
        (operation("Posterize", num_bits=[(1, 2), (3, 4)]), "RandomPosterization"),
        (operation("Sharpen"), "lightness="),
        (operation("Sharpen", lightness=(1.0, 1.0)), "1/13"),
        (operation("MedianBlur"), "blur_limit="),
        (operation("MotionBlur", blur_limit=(7, 7)), "blur_limit="),
        (operation("GaussNoise", mean_range=(0, 0.1)), "mean_range="),
        (operation("ImageCompression", compression_type="webp"), "'webp'"),
        (
            operation("Downscale", interpolation_pair={"downscale": 1, "upscale": 1}),
            "area",
        ),
        (operation("CoarseDropout", fill="inpaint_ns"), "fill='inpaint_ns'"),
        (operation("CoarseDropout", fill_mask=0), "fill_mask=0"),
        (operation("CoarseDropout", hole_width_range=(4, 8)), "image_size"),
        (operation("GridDropout", random_offset=False), "random_offset=False"),
        (operation("GridDropout", holes_number_xy=(2, 3)), r"\(2, 3\)"),
        (operation("Erasing", ratio=(1, 1)), "ratio="),
        (operation("Normalize", normalization="image"), "normalization='image'"),
        (operation("Normalize", mean=None), "`mean`"),
        (operation("Normalize", p=0.5), "p=0.5"),
        (
            composition("SomeOf", [operation("D4")] * 3, n=2, replace=True),
            "replace=True",
        ),
        (composition("SomeOf", [operation("D4")], n=2, replace=False), "SomeOf"),
        (composition("RandomOrder", [operation("D4")] * 3, n=2, replace=False), "n=2"),
        (composition("OneOf", [operation("RandomCrop")]), "in a choice"),
        (composition("Sequential", [operation("Resize")], p=0.5), "in a choice"),
    ],
)
def test_what_has_no_equivalent_is_named(transform, words):
    with pytest.raises(ValueError, match=words) as error:
        made(operation("D4"), transform)
    inner = getattr(transform, "transforms", [None])[0:1]
    place = "transforms[1]"
    assert f"`{type(transform).__name__}` at {place}" in str(error.value) or any(
        f"`{type(x).__name__}` at {place}.transforms[0]" in str(error.value)
        for x in inner
    )


def test_what_comes_after_normalize_has_no_range():
    with pytest.raises(ValueError, match=r"`RandomGamma`.* after `Normalize`"):
        made(operation("Normalize"), operation("RandomGamma"))
    assert len(made(operation("Normalize"), operation("CoarseDropout"))) == 2


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"format": "voc"}, "format='voc'"),
        ({"min_area": 4.0}, "min_area=4.0"),
        ({"min_width": 2.0}, "min_width=2.0"),
        ({"max_accept_ratio": 3.0}, "max_accept_ratio=3.0"),
    ],
)
def test_what_cannot_be_asked_of_boxes_is_named(params, words):
    known = {"format": "yolo", "min_visibility": 0.0, "max_accept_ratio": None}
    known |= {"min_area": 0.0, "min_width": 0.0, "min_height": 0.0}
    boxes = processor(**{**known, **params})
    source = compose(operation("D4"), processors={"bboxes": boxes})
    with pytest.raises(ValueError, match=rf"`bbox_params`.*{words}"):
        augment.from_albumentations(source)


def test_other_targets_and_other_objects_are_named():
    source = compose(operation("D4"), _additional_targets={"image2": "image"})
    with pytest.raises(ValueError, match=r"additional_targets.*image2"):
        augment.from_albumentations(source)
    points = compose(operation("D4"), processors={"keypoints": processor(format="yx")})
    with pytest.raises(ValueError, match=r"`keypoint_params`.*'yx'"):
        augment.from_albumentations(points)
    with pytest.raises(
        ValueError, match=r"`RandomFlip` .*no operation of Albumentations"
    ):
        augment.from_albumentations(augment.RandomFlip())


def test_arguments_of_another_version_are_named():
    newer = operation("D4")
    newer.arguments["group"] = "full"
    with pytest.raises(ValueError, match=r"`group` is not known, in Albumentations"):
        made(newer)
    older = operation("Rotate")
    del older.arguments["fill"]
    with pytest.raises(ValueError, match=r"`Rotate`.* lacks the argument `fill`"):
        made(older)


@pytest.mark.parametrize(
    "settings",
    [{"value_range": (1, 0)}, {"image_size": 32}, {"image_size": (0, 8)}, {"seed": -1}],
)
def test_wrong_settings_are_named(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=rf"{name}=\.\.\."):
        made(operation("D4"), **settings)
