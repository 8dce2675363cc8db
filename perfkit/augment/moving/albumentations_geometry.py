"""What moves pixels in Albumentations: recipes of perfkit's layers."""

import math

from perfkit import augment
from perfkit.augment.moving.source import reciprocal, symmetric
from perfkit.augment.moving.steps import Mirror

# OpenCV's numbers. Ours has no reflection that leaves the edge out.
_BORDERS = {0: "constant", 1: "nearest", 2: "reflect", 3: "wrap", 4: "reflect"}
_SAMPLING = {0: "nearest", 6: "nearest", 1: "bilinear", 5: "bilinear"}
_RESIZING = {**_SAMPLING, 2: "bicubic", 3: "area"}
_AREA = {None: False, "image": True}


def _horizontal_flip(op, state):
    return _flip(op, "horizontal")


def _vertical_flip(op, state):
    return _flip(op, "vertical")


def _flip(op, axis):
    if op.p > 0.5:
        return [(Mirror, {"axis": axis})]
    op.p *= 2.0  # `RandomFlip` throws a coin of its own
    return [(augment.RandomFlip, {"mode": axis})]


def _transpose(op, state):
    return [(Mirror, {"axis": "diagonal"})]


def _d4(op, state):
    return [(augment.RandomD4, {})]


def _quarter_turns(op, state):
    return [(augment.RandomRot90, {})]


def _warp(op):
    """What lies outside, and how to resample."""
    mode = op.one_of("border_mode", _BORDERS)
    constant = mode == "constant"
    fills = [
        op.number(name) if constant else op.take(name) for name in ("fill", "fill_mask")
    ]
    return {
        "fill_mode": mode,
        "interpolation": op.one_of("interpolation", _SAMPLING),
        "mask_interpolation": op.one_of("mask_interpolation", _SAMPLING),
        "fill_value": fills[0] if constant else 0.0,
        "mask_fill_value": fills[1] if constant else 0.0,
    }


def _turned(degrees, how):
    """A rotation, unless it is none."""
    if not any(degrees):
        return []
    return [(augment.RandomRotation, {"factor": [x / 360.0 for x in degrees], **how})]


def _rotate(op, state):
    op.neutral("crop_border", False)
    op.neutral("rotate_method", "largest_box")
    return _turned(op.take("limit"), _warp(op))


def _affine(op, state):
    op.neutral("rotate_method", "largest_box")
    op.neutral("fit_output", False)
    op.neutral("balanced_scale", False)
    scale, shear = op.take("scale"), op.take("shear")
    how, degrees = _warp(op), op.take("rotate")
    recipes = _zoomed(op, scale["x"], scale["y"], op.take("keep_ratio"), how)
    recipes += _turned(degrees, how)
    slopes = {
        f"{axis}_factor": math.tan(math.radians(symmetric(op, "shear", shear[axis])))
        for axis in "xy"
    }
    if any(slopes.values()):
        recipes.append((augment.RandomShear, {**slopes, **how}))
    percent, pixels = op.take("translate_percent"), op.take("translate_px")
    if percent is None and pixels is not None:
        height, width = state.pixels(op, "translate_px", *pixels["x"], *pixels["y"])
        percent = {
            "x": [x / width for x in pixels["x"]],
            "y": [y / height for y in pixels["y"]],
        }
    return recipes + _shifted(percent, how)


def _shift_scale_rotate(op, state):
    op.neutral("rotate_method", "largest_box")
    scale = [1.0 + x for x in op.take("scale_limit")]
    how = _warp(op)
    shift = {"x": op.take("shift_limit_x"), "y": op.take("shift_limit_y")}
    return [
        *_zoomed(op, scale, scale, False, how),
        *_turned(op.take("rotate_limit"), how),
        *_shifted(shift, how),
    ]


def _zoomed(op, x, y, alike, how):
    if (*x, *y) == (1.0,) * 4:
        return []
    if min(*x, *y) < 0.5:
        reason = "images shrink to half their size at most."
        op.refuse(f"{reason} Received: scale={tuple(x)}, {tuple(y)}")
    factors = {"height_factor": reciprocal(*y)}
    if not alike:
        factors["width_factor"] = reciprocal(*x)
    return [(augment.RandomZoom, {**factors, **how})]


def _shifted(share, how):
    if share is None or not any((*share["x"], *share["y"])):
        return []
    factors = {"height_factor": tuple(share["y"]), "width_factor": tuple(share["x"])}
    return [(augment.RandomTranslation, {**factors, **how})]


def _perspective(op, state):
    op.neutral("keep_size", True)
    op.neutral("fit_output", False)
    low, high = op.take("scale")
    if high > 0.25:
        op.refuse(f"`scale` goes up to 0.25. Received: scale={(low, high)}")
    return [(augment.RandomPerspective, {"scale": 4.0 * high, **_warp(op)})]


def _elastic_transform(op, state):
    op.neutral("same_dxdy", False)
    op.neutral("approximate", False)
    op.take("keypoint_remapping_method")
    alpha, sigma = op.take("alpha"), op.take("sigma")
    noise = op.one_of("noise_distribution", {"gaussian": None, "uniform": 3.0**0.5})
    height, width = state.pixels(op, "alpha", alpha)
    if noise is None:  # normal numbers are divided by the greatest of them
        tail = math.sqrt(2.0 * math.log(4.0 * height * width))
        noise = tail - math.log(4.0 * math.pi * math.log(4.0 * height * width)) / (
            2.0 * tail
        )
    deviation = abs(alpha) / noise / (2.0 * math.sqrt(math.pi) * sigma)
    longer = max(height, width)
    # The deviation of ours at a scale of 1, and the waves of a cubic spline.
    scale = deviation / (0.1 / (2.0 * math.sqrt(math.pi)) * longer)
    steps = min(max(round(longer / (math.sqrt(3.0) * sigma)), 1), 64)
    settings = {"scale": (scale, scale), "steps": steps}
    return [(augment.RandomElasticTransform, {**settings, **_warp(op)})]


def _grid_distortion(op, state):
    op.neutral("normalized", True)
    op.take("keypoint_remapping_method")
    settings = {
        "steps": op.take("num_steps"),
        "distort_limit": op.take("distort_limit"),
    }
    return [(augment.GridDistortion, {**settings, **_warp(op)})]


def _thin_plate_spline(op, state):
    op.take("keypoint_remapping_method")
    settings = {
        "scale": op.take("scale_range"),
        "points": op.take("num_control_points"),
    }
    return [(augment.ThinPlateSpline, {**settings, **_warp(op)})]


# Crops and sizes: the size that they give is known to what comes after them.


def _random_crop(op, state):
    return [(augment.RandomCrop, _cropped(op, state))]


def _center_crop(op, state):
    return [(augment.CenterCrop, _cropped(op, state))]


def _cropped(op, state):
    op.neutral("pad_if_needed", False)
    for name in ("pad_position", "border_mode", "fill", "fill_mask"):
        op.take(name)
    state.size = op.take("height"), op.take("width")
    return {"height": state.size[0], "width": state.size[1]}


def _random_resized_crop(op, state):
    op.neutral("area_for_downscale", None)
    op.neutral("mask_interpolation", 0, 6)
    state.size = tuple(op.take("size"))
    settings = {
        "height": state.size[0],
        "width": state.size[1],
        "scale": op.take("scale"),
        "ratio": op.take("ratio"),
        "interpolation": op.one_of("interpolation", _SAMPLING),
    }
    return [(augment.RandomResizedCrop, settings)]


def _box_safe_crop(op, state):
    op.neutral("mask_interpolation", 0, 6)
    state.size = op.take("height"), op.take("width")
    erosion = op.take("erosion_rate")
    settings = {
        "height": state.size[0],
        "width": state.size[1],
        "erosion": erosion,
        "interpolation": op.one_of("interpolation", _SAMPLING),
        # Without a box there, it is the image but for a part of its size.
        "scale": (max((1.0 - erosion) ** 2, 1e-6), 1.0),
        "ratio": (0.01, 100.0),
    }
    return [(augment.BoxSafeCrop, settings)]


def _resized(op):
    op.neutral("mask_interpolation", 0, 6)
    how = op.one_of("interpolation", _RESIZING)
    antialias = op.one_of("area_for_downscale", _AREA) or how == "area"
    how = "bilinear" if how == "area" else how
    return {"interpolation": how, "antialias": antialias}


def _resize(op, state):
    state.size = op.take("height"), op.take("width")
    size = {"height": state.size[0], "width": state.size[1]}
    return [(augment.Resizing, {**size, **_resized(op)})]


def _letter_box(op, pad, state):
    """`LongestMaxSize`, and the `PadIfNeeded` that follows it."""
    longest, both = op.take("max_size"), op.take("max_size_hw")
    state.size = (longest, longest) if both is None else tuple(both)
    op.neutral("mask_interpolation", 0, 6)
    op.neutral("area_for_downscale", None)
    pad.neutral("border_mode", 0)
    pad.neutral("position", "center")
    pad.neutral("pad_height_divisor", None)
    pad.neutral("pad_width_divisor", None)
    pad.values.pop("padding", None)
    frame = pad.take("min_height"), pad.take("min_width")
    if frame != state.size:
        pad.refuse(f"it has to fill the frame of {state.size}. Received: {frame}")
    settings = {
        "height": frame[0],
        "width": frame[1],
        "interpolation": op.one_of("interpolation", _SAMPLING),
        "fill_value": pad.number("fill"),
        "mask_fill_value": pad.number("fill_mask"),
    }
    pad.layers([])
    return [(augment.LetterBox, settings)]


def _center_of_smallest(op, crop, state):
    """`SmallestMaxSize`, and the `CenterCrop` that follows it."""
    op.neutral("max_size_hw", None)
    size = op.take("max_size")
    if not isinstance(size, int):
        op.refuse(f"`max_size` has to be one number. Received: max_size={size!r}")
    window = _cropped(crop, state)
    if max(window.values()) > size:
        crop.refuse(f"its window has to fit into {size} pixels. Received: {window}")
    crop.layers([])
    square = {"height": size, "width": size, "crop_to_aspect_ratio": True}
    return [
        (augment.Resizing, {**square, **_resized(op)}),
        (augment.CenterCrop, window),
    ]


OPERATIONS = {
    "Affine": _affine,
    "CenterCrop": _center_crop,
    "D4": _d4,
    "ElasticTransform": _elastic_transform,
    "GridDistortion": _grid_distortion,
    "HorizontalFlip": _horizontal_flip,
    "Perspective": _perspective,
    "RandomCrop": _random_crop,
    "RandomResizedCrop": _random_resized_crop,
    "RandomRotate90": _quarter_turns,
    "RandomSizedBBoxSafeCrop": _box_safe_crop,
    "Resize": _resize,
    "Rotate": _rotate,
    "ShiftScaleRotate": _shift_scale_rotate,
    "SquareSymmetry": _d4,
    "ThinPlateSpline": _thin_plate_spline,
    "Transpose": _transpose,
    "VerticalFlip": _vertical_flip,
}
# Two in a row that are one.
PAIRS = {
    ("LongestMaxSize", "PadIfNeeded"): _letter_box,
    ("SmallestMaxSize", "CenterCrop"): _center_of_smallest,
}
