"""What moves pixels in Albumentations: recipes of perfkit's layers."""

import math

from perfkit import augment
from perfkit.augment.moving.source import Source, reciprocal, symmetric
from perfkit.augment.moving.steps import Mirror

# OpenCV's numbers. Ours has no reflection that leaves the edge out.
_BORDERS = {0: "constant", 1: "nearest", 2: "reflect", 3: "wrap", 4: "reflect"}
SAMPLING = {0: "nearest", 6: "nearest", 1: "bilinear", 5: "bilinear"}


def _horizontal_flip(op: Source, state):
    return _flip(op, "horizontal")


def _vertical_flip(op: Source, state):
    return _flip(op, "vertical")


def _flip(op: Source, axis):
    if op.p > 0.5:
        return [(Mirror, {"axis": axis})]
    op.p *= 2.0  # `RandomFlip` throws a coin of its own
    return [(augment.RandomFlip, {"mode": axis})]


def _transpose(op: Source, state):
    return [(Mirror, {"axis": "diagonal"})]


def _d4(op: Source, state):
    return [(augment.RandomD4, {})]


def _quarter_turns(op: Source, state):
    return [(augment.RandomRot90, {})]


def _warp(op: Source):
    """What lies outside, and how to resample."""
    mode = op.one_of("border_mode", _BORDERS)
    constant = mode == "constant"
    fills = [
        op.number(name) if constant else op.take(name) for name in ("fill", "fill_mask")
    ]
    return {
        "fill_mode": mode,
        "interpolation": op.one_of("interpolation", SAMPLING),
        "mask_interpolation": op.one_of("mask_interpolation", SAMPLING),
        "fill_value": fills[0] if constant else 0.0,
        "mask_fill_value": fills[1] if constant else 0.0,
    }


def _turned(degrees, how):
    """A rotation, unless it is none."""
    if not any(degrees):
        return []
    return [(augment.RandomRotation, {"factor": [x / 360.0 for x in degrees], **how})]


def _rotate(op: Source, state):
    op.neutral("crop_border", False)
    op.neutral("rotate_method", "largest_box")
    return _turned(op.take("limit"), _warp(op))


def _affine(op: Source, state):
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


def _shift_scale_rotate(op: Source, state):
    op.neutral("rotate_method", "largest_box")
    scale = [1.0 + x for x in op.take("scale_limit")]
    how = _warp(op)
    shift = {"x": op.take("shift_limit_x"), "y": op.take("shift_limit_y")}
    return [
        *_zoomed(op, scale, scale, False, how),
        *_turned(op.take("rotate_limit"), how),
        *_shifted(shift, how),
    ]


def _zoomed(op: Source, x, y, alike, how):
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


def _perspective(op: Source, state):
    op.neutral("keep_size", True)
    op.neutral("fit_output", False)
    low, high = op.take("scale")
    if high > 0.25:
        op.refuse(f"`scale` goes up to 0.25. Received: scale={(low, high)}")
    return [(augment.RandomPerspective, {"scale": 4.0 * high, **_warp(op)})]


def _elastic_transform(op: Source, state):
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


def _grid_distortion(op: Source, state):
    op.neutral("normalized", True)
    op.take("keypoint_remapping_method")
    settings = {
        "steps": op.take("num_steps"),
        "distort_limit": op.take("distort_limit"),
    }
    return [(augment.GridDistortion, {**settings, **_warp(op)})]


def _thin_plate_spline(op: Source, state):
    op.take("keypoint_remapping_method")
    settings = {
        "scale": op.take("scale_range"),
        "points": op.take("num_control_points"),
    }
    return [(augment.ThinPlateSpline, {**settings, **_warp(op)})]


OPERATIONS = {
    "Affine": _affine,
    "D4": _d4,
    "ElasticTransform": _elastic_transform,
    "GridDistortion": _grid_distortion,
    "HorizontalFlip": _horizontal_flip,
    "Perspective": _perspective,
    "RandomRotate90": _quarter_turns,
    "Rotate": _rotate,
    "ShiftScaleRotate": _shift_scale_rotate,
    "SquareSymmetry": _d4,
    "ThinPlateSpline": _thin_plate_spline,
    "Transpose": _transpose,
    "VerticalFlip": _vertical_flip,
}
