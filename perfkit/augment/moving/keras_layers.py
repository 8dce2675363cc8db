"""Pipelines from Keras's own layers."""

import inspect

import keras
import numpy as np

from perfkit import augment
from perfkit.augment.base import Augment
from perfkit.augment.moving import source
from perfkit.augment.moving.source import Source

_RENAMED = {"ContrastLimitedAdaptiveHistogramEqualization": "CLAHE"}
_SAME = {
    "AugMix",
    "AutoContrast",
    "CenterCrop",
    "CutMix",
    "Equalization",
    "MixUp",
    "Normalization",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Rescaling",
    "Resizing",
    "Solarization",
}
_SKIPPED = ("InputLayer", "Identity")
_REASONS = {
    "GaussianNoise": "its `stddev` is in the unit of the pixels, which is not known. "
    "Use `augment.GaussianNoise`, whose `stddev` is a fraction of `value_range`.",
    "MaxNumBoundingBoxes": "perfkit keeps the number of boxes. Pad them in the data.",
}
_OTHER = "it is no image augmentation of Keras's. Keep it outside of the pipeline."


def from_keras(layers, *, seed=None, **kwargs):
    """Make a `Pipeline` of perfkit from Keras's image augmentation layers.

    Each becomes the layer of the same name, with the ranges that Keras's layer draws
    from; what perfkit's does otherwise is in its docstring. Draws are not the same.
    Nested models and pipelines become one, and layers of perfkit stay.

    Args:
        layers: A `keras.Sequential`, a `keras.layers.Pipeline`, a list of layers or
            one layer.
        seed: See `Pipeline`. The layers' own seeds are kept, and by default the
            pipeline's follows from them, if each layer that draws has one.
        **kwargs: See `Pipeline` (`name`, `dtype`, ...). By default the dtype is that
            of the last layer.

    Returns:
        A `Pipeline`.

    Raises:
        ValueError: If a layer has no equivalent; it says which one and why.

    Example:
        >>> import keras
        >>> layers = [keras.layers.RandomFlip(), keras.layers.Rescaling(1 / 255)]
        >>> [type(layer).__name__ for layer in from_keras(layers).layers]
        ['RandomFlip', 'Rescaling']

    Reference: none.
    """
    found = list(_flat(layers, "layers"))
    formats = {
        layer.data_format for layer, _ in found if getattr(layer, "data_format", None)
    }
    shared = {"data_format": formats.pop()} if len(formats) == 1 else {}
    made = [_translated(layer, place, shared) for layer, place in found]
    if found and "dtype" not in kwargs:
        kwargs["dtype"] = found[-1][0].dtype_policy
    return source.pipeline(made, seed, kwargs)


def _flat(layers, place):
    """Layers and where they stand, those of models and pipelines one by one."""
    if isinstance(layers, (keras.Sequential, keras.layers.Pipeline)):
        layers, place = layers.layers, f"{place}.layers" if "[" in place else place
    if not isinstance(layers, (list, tuple)):
        if type(layers).__name__ not in _SKIPPED:
            yield layers, place
        return
    for number, layer in enumerate(layers):
        yield from _flat(layer, f"{place}[{number}]")


def _translated(layer, place, shared):
    if isinstance(layer, Augment):
        return layer
    kind = type(layer).__name__
    name = f" named {layer.name!r}" if hasattr(layer, "name") else ""
    operation = f"`{kind}`{name}{f' at {place}' if '[' in place else ''}"
    theirs = type(layer).__module__.split(".")[0] in ("keras", "tf_keras")
    if not theirs or kind not in (*_SAME, *_RENAMED):
        reason = _REASONS.get(kind, _OTHER) if theirs else _OTHER
        Source("from_keras", operation, {}).refuse(reason)
    cls = getattr(augment, _RENAMED.get(kind, kind))
    taken = set(inspect.signature(cls).parameters) | {"bounding_box_format"}
    config = {**shared, **layer.get_config()}
    given = Source("from_keras", operation, config)
    known = [key for key in config if key in taken or key == "data_format"]
    arguments = {key: given.take(key) for key in known}
    if arguments.get("bounding_box_format", "") is None:
        del arguments["bounding_box_format"]
    if cls.random and isinstance(getattr(layer, "seed", None), int):
        arguments["seed"] = layer.seed % 2**32
    for key in ("trainable", "dtype", "name"):
        given.values.pop(key, None)
    change = _CHANGES.get(kind)
    if change:
        change(arguments, layer)
    given.done()
    arguments |= {"name": layer.name, "dtype": layer.dtype_policy}
    return given.make(cls, arguments)


# What Keras's configuration says otherwise than perfkit's arguments.


def _from_zero(*names):
    """Pairs around 0 that stand for a number, which goes either way."""

    def change(arguments, layer):
        for name in names:
            low, high = arguments[name]
            if low == -high:
                arguments[name] = (0.0, high)

    return change


def _clip_limit(arguments, layer):
    arguments["clip_limit"] = (arguments["clip_limit"],) * 2
    arguments["per_channel"] = True


def _cut_mix(arguments, layer):
    arguments["factor"] = tuple(max(x, 1e-3) for x in arguments["factor"])


def _color_jitter(arguments, layer):
    """Numbers as Keras's `RandomContrast` takes them: it adds contrast only."""
    contrast = arguments["contrast_factor"]
    if isinstance(contrast, (int, float)):
        arguments["contrast_factor"] = (0.0, contrast)
    saturation = arguments["saturation_factor"]
    if isinstance(saturation, (int, float)):
        arguments["saturation_factor"] = (0.0, saturation)


def _posterization(arguments, layer):
    """Keras leaves out the upper end."""
    low, high = map(int, arguments["factor"])
    arguments["factor"] = (low, max(low, high - 1))


def _solarization(arguments, layer):
    """Keras takes lower ends as pixel values."""
    for name in ("addition_factor", "threshold_factor"):
        low, high = arguments[name]
        arguments[name] = tuple(sorted((low / 255.0, high)))


def _normalization(arguments, layer):
    if layer.mean is not None:
        for name in ("mean", "variance"):
            values = keras.ops.convert_to_numpy(getattr(layer, name))
            values = np.ravel(np.asarray(values, "float64"))
            single = arguments["axis"] in (None, ()) or len(values) == 1
            arguments[name] = float(values[0]) if single else values.tolist()


_CHANGES = {
    "ContrastLimitedAdaptiveHistogramEqualization": _clip_limit,
    "CutMix": _cut_mix,
    "Normalization": _normalization,
    "RandomColorDegeneration": _from_zero("factor"),
    "RandomColorJitter": _color_jitter,
    "RandomPosterization": _posterization,
    "RandomSaturation": _from_zero("factor"),
    "RandomShear": _from_zero("x_factor", "y_factor"),
    "Solarization": _solarization,
}
