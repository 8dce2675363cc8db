"""What maps colours in Albumentations: recipes of perfkit's layers."""

from perfkit import augment
from perfkit.augment.moving.source import Source, symmetric
from perfkit.augment.moving.steps import Gain


def _no_op(op: Source, state):
    return []


def _brightness_contrast(op: Source, state):
    shared = state.values(op)
    op.neutral("ensure_safe_range", False)
    contrast, brightness = op.take("contrast_limit"), op.take("brightness_limit")
    by_max = op.take("brightness_by_max")
    if any(brightness) and not by_max:
        op.refuse("`brightness_by_max` has to be True. Received: False")
    recipes = []
    if any(contrast):
        factor = [1.0 + x for x in contrast]
        recipes.append((Gain, {"factor": factor, **shared}))
    if any(brightness):
        recipes.append((augment.RandomBrightness, {"factor": brightness, **shared}))
    return recipes


def _color_jitter(op: Source, state):
    shared = state.values(op)
    brightness, (low, high) = op.take("brightness"), op.take("contrast")
    recipes = []
    if tuple(brightness) != (1.0, 1.0):
        recipes.append((Gain, {"factor": brightness, **shared}))
    if (low, high) != (1.0, 1.0):
        if not low <= 1.0 <= high:
            op.refuse(f"`contrast` has to include 1. Received: contrast={(low, high)}")
        margins = 1.0 - low, high - 1.0
        recipes.append((augment.RandomContrast, {"factor": margins, **shared}))
    recipes += _saturation(op.take("saturation"), shared)
    return recipes + _hue(symmetric(op, "hue", op.take("hue")), shared)


def _saturation(factors, shared):
    if tuple(factors) == (1.0, 1.0):
        return []
    shares = [x / (1.0 + x) for x in factors]  # ours scales by f / (1 - f)
    return [(augment.RandomSaturation, {"factor": shares, **shared})]


def _hue(turns, shared):
    if not turns:
        return []
    return [(augment.RandomHue, {"factor": 2.0 * turns, **shared})]


def _hue_saturation_value(op: Source, state):
    shared = state.values(op)
    hue, saturation = op.take("hue_shift_limit"), op.take("sat_shift_limit")
    # What is added to a saturation is a factor for colours halfway to grey.
    factors = [max(0.0, 1.0 + x / 127.5) for x in saturation]
    value = [x / 255.0 for x in op.take("val_shift_limit")]
    recipes = _hue(symmetric(op, "hue_shift_limit", hue) / 180.0, shared)
    recipes += _saturation(factors, shared)
    if any(value):
        recipes.append((augment.RandomBrightness, {"factor": value, **shared}))
    return recipes


def _gamma(op: Source, state):
    factor = [x / 100.0 for x in op.take("gamma_limit")]
    return [(augment.RandomGamma, {"factor": factor, **state.values(op)})]


def _tone_curve(op: Source, state):
    settings = {"scale": op.take("scale"), "per_channel": op.take("per_channel")}
    return [(augment.ToneCurve, {**settings, **state.values(op)})]


def _posterize(op: Source, state):
    bits = op.take("num_bits")
    return [(augment.RandomPosterization, {"factor": bits, **state.values(op)})]


def _solarize(op: Source, state):
    threshold = op.take("threshold_range")
    settings = {"threshold_factor": threshold, **state.values(op)}
    return [(augment.Solarization, settings)]


def _invert(op: Source, state):
    return [(augment.RandomInvert, state.values(op))]


def _to_gray(op: Source, state):
    op.neutral("num_output_channels", 3)
    op.neutral("method", "weighted_average")
    return [(augment.RandomGrayscale, {"factor": 1.0})]


def _to_sepia(op: Source, state):
    return [(augment.Sepia, {"factor": (1.0, 1.0), **state.values(op)})]


def _channel_shuffle(op: Source, state):
    return [(augment.ChannelShuffle, {})]


def _channel_dropout(op: Source, state):
    settings = {
        "channel_drop_range": op.take("channel_drop_range"),
        "fill_value": op.take("fill"),
    }
    return [(augment.ChannelDropout, settings)]


def _planckian_jitter(op: Source, state):
    op.neutral("mode", "blackbody")
    op.neutral("sampling_method", "uniform")
    kelvin = op.take("temperature_limit")
    return [(augment.RandomPlanckian, {"kelvin": kelvin, **state.values(op)})]


def _auto_contrast(op: Source, state):
    op.neutral("cutoff", 0)
    op.neutral("ignore", None)
    layers = {"pil": augment.AutoContrast, "cdf": augment.Equalization}
    return [(op.one_of("method", layers), state.values(op))]


def _equalize(op: Source, state):
    op.neutral("by_channels", True)
    op.neutral("mask", None)
    op.neutral("mode", "cv", "pil")
    op.values.pop("mask_params", None)
    return [(augment.Equalization, state.values(op))]


def _clahe(op: Source, state):
    settings = {
        "clip_limit": op.take("clip_limit"),
        "tile_grid_size": op.take("tile_grid_size"),
    }
    return [(augment.CLAHE, {**settings, **state.values(op)})]


def _normalize(op: Source, state):
    op.neutral("normalization", "standard")
    mean, deviation, top = op.take("mean"), op.take("std"), op.take("max_pixel_value")
    if mean is None or deviation is None:
        op.refuse("`mean` and `std` have to be given.")
    if top is None:
        top = state.values(op)["value_range"][1]
    state.range = None
    single = isinstance(mean, (int, float))
    means, deviations = ([mean], [deviation]) if single else (mean, deviation)
    settings = {
        "mean": [top * x for x in means],
        "variance": [(top * x) ** 2 for x in deviations],
    }
    return [(augment.Normalization, settings)]


def _to_float(op: Source, state):
    low, high = state.values(op)["value_range"]
    top = op.take("max_value") or high
    state.range = low / top, high / top
    return [(augment.Rescaling, {"scale": 1.0 / top})]


OPERATIONS = {
    "AutoContrast": _auto_contrast,
    "CLAHE": _clahe,
    "ChannelDropout": _channel_dropout,
    "ChannelShuffle": _channel_shuffle,
    "ColorJitter": _color_jitter,
    "Equalize": _equalize,
    "HueSaturationValue": _hue_saturation_value,
    "InvertImg": _invert,
    "NoOp": _no_op,
    "Normalize": _normalize,
    "PlanckianJitter": _planckian_jitter,
    "Posterize": _posterize,
    "RandomBrightnessContrast": _brightness_contrast,
    "RandomGamma": _gamma,
    "RandomToneCurve": _tone_curve,
    "Solarize": _solarize,
    "ToFloat": _to_float,
    "ToGray": _to_gray,
    "ToSepia": _to_sepia,
}
