"""What changes values otherwise in Albumentations: recipes of perfkit's layers."""

from perfkit import augment
from perfkit.augment.moving.source import Source, nothing
from perfkit.augment.moving.steps import Gain


def _multiplicative_noise(op: Source, state):
    op.neutral("per_channel", False)
    op.neutral("elementwise", False)
    return [(Gain, {"factor": op.take("multiplier"), **state.values(op)})]


def _sharpen(op: Source, state):
    op.neutral("method", "kernel")
    op.neutral("lightness", (1.0, 1.0))
    op.take("kernel_size")  # of the other method
    op.take("sigma")
    # PIL's smoothing has thirteenths for weights, this kernel whole numbers.
    low, high = ((1.0 + 13.0 * x) / 2.0 for x in op.take("alpha"))
    if high > 1.0:
        op.refuse(f"`alpha` goes up to 1/13. Received: up to {(2 * high - 1) / 13:g}")
    return [(augment.RandomSharpness, {"factor": (low, high), **state.values(op)})]


def _gaussian_blur(op: Source, state):
    _, high = op.take("blur_limit")
    sigma = op.take("sigma_limit")
    size = int(sigma[1] * 3.5) * 2 + 1 if high == 0 else high + (high + 1) % 2
    settings = {"kernel_size": size, "sigma": sigma, **state.values(op)}
    return [(augment.RandomGaussianBlur, settings)]


def _motion_blur(op: Source, state):
    low, high = op.take("blur_limit")
    if low > 3:
        op.refuse(f"`blur_limit` starts at 3. Received: blur_limit={(low, high)}")
    op.take("allow_shifted")
    turns = sorted(-x / 360.0 for x in op.take("angle_range"))
    settings = {"angle": turns, "direction": op.take("direction_range")}
    size = {"kernel_size": high + (high + 1) % 2}
    return [(augment.MotionBlur, {**settings, **size})]


def _median_blur(op: Source, state):
    low, high = op.take("blur_limit")
    sizes = list(range(low + (low + 1) % 2, high + 1, 2))
    if not sizes or max(sizes) > 5:
        op.refuse(f"`blur_limit` goes up to 5. Received: blur_limit={(low, high)}")
    if len(sizes) == 1:
        return [(augment.MedianBlur, {"kernel_size": sizes[0]})]
    blurs = [augment.MedianBlur(size) for size in sizes]
    if op.p == 1.0:
        return [(augment.RandomChoice, {"layers": blurs})]
    odds = [op.p / len(blurs)] * len(blurs) + [1.0 - op.p]
    op.p = 1.0
    return [(augment.RandomChoice, {"layers": [*blurs, nothing()], "odds": odds})]


def _gauss_noise(op: Source, state):
    op.neutral("mean_range", (0.0, 0.0))
    op.neutral("noise_scale_factor", 1)
    settings = {"stddev": op.take("std_range"), "per_channel": op.take("per_channel")}
    return [(augment.GaussianNoise, {**settings, **state.values(op)})]


def _shot_noise(op: Source, state):
    # Photons are counted before a gamma of 2.2 there: as strong at half the range.
    scale = [2.0 / 2.2**2 * x for x in op.take("scale_range")]
    return [(augment.ShotNoise, {"scale": scale, **state.values(op)})]


def _salt_and_pepper(op: Source, state):
    settings = {"amount": op.take("amount"), "salt": op.take("salt_vs_pepper")}
    return [(augment.SaltAndPepper, {**settings, **state.values(op)})]


def _image_compression(op: Source, state):
    op.neutral("compression_type", "jpeg")
    quality = op.take("quality_range")
    return [(augment.JPEGCompression, {"quality": quality, **state.values(op)})]


def _downscale(op: Source, state):
    pair = op.take("interpolation_pair")
    known = {(0, 0): "nearest", (3, 1): "bilinear"}
    how = known.get((pair["downscale"], pair["upscale"]))
    if how is None:
        reason = "`interpolation_pair` has to be nearest both ways, or area and linear."
        op.refuse(f"{reason} Received: {pair}")
    settings = {"scale": op.take("scale_range"), "interpolation": how}
    return [(augment.Downscale, {**settings, **state.values(op)})]


def _filled(op: Source, state):
    op.neutral("fill_mask", None)
    fill = op.take("fill")
    if isinstance(fill, str):
        if fill != "random":
            op.refuse(f"holes cannot be filled like this. Received: fill={fill!r}")
        return {"fill_value": "noise", **state.values(op)}
    if isinstance(fill, (tuple, list)):
        fill = [float(x) for x in fill]
    return {"fill_value": fill}


def _coarse_dropout(op: Source, state):
    settings = {"holes": op.take("num_holes_range")}
    for axis, name in enumerate(("height", "width")):
        argument = f"hole_{name}_range"
        span = op.take(argument)
        if all(isinstance(x, int) for x in span):
            size = state.pixels(op, argument, *span)[axis]
            span = [x / size for x in span]
        settings[f"{name}_fraction"] = span
    return [(augment.CoarseDropout, {**settings, **_filled(op, state)})]


def _grid_dropout(op: Source, state):
    op.neutral("random_offset", True)
    op.take("shift_xy")
    many, units = op.take("holes_number_xy"), op.take("unit_size_range")
    if units is not None:
        shorter = min(state.pixels(op, "unit_size_range", *units))
        unit = [x / shorter for x in units]
    elif many is None or many[0] == many[1]:
        unit = 1.0 / (many[0] if many else 10)
    else:
        op.refuse(f"holes are as far apart either way. Received: {many}")
    settings = {
        "grid_fraction": unit,
        "ratio": 1.0 - op.take("ratio"),
        "rotation_factor": 0.0,
    }
    return [(augment.GridMask, {**settings, **_filled(op, state)})]


def _erasing(op: Source, state):
    op.neutral("ratio", (0.3, 3.3))
    settings = {"scale": op.take("scale"), **_filled(op, state)}
    return [(augment.RandomErasing, settings)]


OPERATIONS = {
    "CoarseDropout": _coarse_dropout,
    "Downscale": _downscale,
    "Erasing": _erasing,
    "GaussNoise": _gauss_noise,
    "GaussianBlur": _gaussian_blur,
    "GridDropout": _grid_dropout,
    "ImageCompression": _image_compression,
    "MedianBlur": _median_blur,
    "MotionBlur": _motion_blur,
    "MultiplicativeNoise": _multiplicative_noise,
    "SaltAndPepper": _salt_and_pepper,
    "Sharpen": _sharpen,
    "ShotNoise": _shot_noise,
}
