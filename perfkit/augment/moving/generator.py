"""Pipelines from the arguments of Keras's `ImageDataGenerator`."""

import math

import numpy as np

from perfkit import augment
from perfkit.augment.moving import source
from perfkit.augment.moving.source import Source
from perfkit.augment.moving.steps import Gain

_OWNER = "from_image_data_generator"
_DEFAULTS = {
    "featurewise_center": False,
    "samplewise_center": False,
    "featurewise_std_normalization": False,
    "samplewise_std_normalization": False,
    "zca_whitening": False,
    "zca_epsilon": 1e-6,
    "rotation_range": 0,
    "width_shift_range": 0.0,
    "height_shift_range": 0.0,
    "brightness_range": None,
    "shear_range": 0.0,
    "zoom_range": 0.0,
    "channel_shift_range": 0.0,
    "fill_mode": "nearest",
    "cval": 0.0,
    "horizontal_flip": False,
    "vertical_flip": False,
    "rescale": None,
    "preprocessing_function": None,
    "data_format": None,
    "validation_split": 0.0,
    "interpolation_order": 1,
    "dtype": None,
}
# Arguments that only do without: what to do instead.
_UNKNOWN = {
    "preprocessing_function": "Call it on the data, or in a layer after the pipeline.",
    "samplewise_center": "Subtract the mean in a layer after the pipeline.",
    "samplewise_std_normalization": "Divide by it in a layer after the pipeline.",
    "zca_whitening": "Whiten the data beforehand.",
    "validation_split": "Split the data, and augment the larger part.",
}


def from_image_data_generator(
    generator=None, *, image_size=None, seed=None, **arguments
):
    """Make a `Pipeline` from Keras's `ImageDataGenerator`, or from its arguments.

    Pixels are 0 to 255 before `rescale`, as there. Images are turned and stretched
    about their middle, and `width_shift_range` goes sideways, as documented there.

    Args:
        generator: An `ImageDataGenerator`; `None` to take `arguments`.
        image_size: Height and width of the images, in pixels; needed for shifts in
            pixels alone.
        seed: See `Pipeline`.
        **arguments: Those of `ImageDataGenerator`, in its units: degrees, fractions
            or pixels.

    Returns:
        A `Pipeline`, whose dtype is that of the generator.

    Raises:
        TypeError: If an argument is not one of `ImageDataGenerator`.
        ValueError: If an argument has no equivalent; it says which one and why.

    Example:
        >>> pipeline = from_image_data_generator(rotation_range=20, rescale=1 / 255)
        >>> [type(layer).__name__ for layer in pipeline.layers]
        ['RandomRotation', 'Rescaling']

    Reference: none. Shifts by whole pixels become continuous, and shears do not
        stretch; shifted channels are cut off at 0 and 255, there at the image's own
        extremes.
    """
    for name in arguments:
        if name not in _DEFAULTS or generator is not None:
            raise TypeError(
                f"`from_image_data_generator` got `{name}`, which "
                "`ImageDataGenerator` does not take, or which the generator has."
            )
    if generator is None:
        values = {**_DEFAULTS, **arguments}
    else:
        values = {name: _read(generator, name) for name in _DEFAULTS}
    operation = f"`{type(generator).__name__ if generator else 'ImageDataGenerator'}`"
    found = Source(_OWNER, operation, values)
    for name, advice in _UNKNOWN.items():
        if found.take(name):
            found.refuse(f"`{name}` is not supported. {advice}")
    found.take("zca_epsilon")
    dtype, data_format = found.take("dtype"), found.take("data_format")
    recipes = [
        *_moves(found, image_size),
        *_colors(found),
        *_standardization(found, generator),
    ]
    shared = {} if data_format is None else {"data_format": data_format}
    recipes = [(cls, {**shared, **settings}) for cls, settings in recipes]
    kwargs = {} if dtype is None else {"dtype": dtype}
    return source.pipeline(found.layers(recipes), seed, kwargs)


def _read(generator, name):
    """An argument, from where the generator keeps it."""
    # Keras has no public name for this one.
    kept = f"_{name}" if name == "validation_split" else name
    if not hasattr(generator, kept):
        found = Source(_OWNER, f"`{type(generator).__name__}`", {})
        found.refuse(f"it lacks `{name}`. Pass an `ImageDataGenerator`.")
    return getattr(generator, kept)


def _moves(found, size):
    """Rotate, shift, shear, zoom and flip, in this order."""
    orders = {0: "nearest", 1: "bilinear"}
    how = {
        "fill_mode": found.take("fill_mode"),
        "fill_value": found.take("cval"),
        "interpolation": found.one_of("interpolation_order", orders),
    }
    degrees, shear = found.take("rotation_range"), found.take("shear_range")
    heights = _shift(found, "height_shift_range", size, 0)
    widths = _shift(found, "width_shift_range", size, 1)
    zoom = found.take("zoom_range")
    if isinstance(zoom, (int, float)):
        zoom = (1 - zoom, 1 + zoom)
    zoom = tuple(float(x) - 1.0 for x in zoom)
    horizontal, vertical = found.take("horizontal_flip"), found.take("vertical_flip")
    recipes = []
    if degrees:
        recipes.append((augment.RandomRotation, {"factor": degrees / 360.0, **how}))
    if heights or widths:
        shifts = {"height_factor": heights, "width_factor": widths}
        recipes.append((augment.RandomTranslation, {**shifts, **how}))
    if shear:
        slope = math.tan(math.radians(abs(shear)))
        recipes.append((augment.RandomShear, {"x_factor": slope, **how}))
    if any(zoom):
        factors = {"height_factor": zoom, "width_factor": zoom}
        recipes.append((augment.RandomZoom, {**factors, **how}))
    if horizontal or vertical:
        axes = {"horizontal": horizontal, "vertical": vertical}
        mode = "_and_".join(axis for axis, flipped in axes.items() if flipped)
        recipes.append((augment.RandomFlip, {"mode": mode}))
    return recipes


def _shift(found, name, size, axis):
    """A shift as a fraction of the size."""
    shift = found.take(name)
    if np.ndim(shift):
        found.refuse(f"`{name}` is a list of shifts. Pass a number. Received: {shift}")
    if abs(shift) < 1:
        return float(shift)
    reach = shift - 1 if isinstance(shift, (int, np.integer)) else shift
    if reach == 0:
        return 0.0
    return reach / found.size(name, size, shift)[axis]


def _colors(found):
    channels, brightness = (
        found.take("channel_shift_range"),
        found.take("brightness_range"),
    )
    recipes = []
    if channels:
        recipes.append((augment.RandomBrightness, {"factor": channels / 255.0}))
    if brightness is not None:
        recipes.append((Gain, {"factor": tuple(brightness)}))
    return recipes


def _standardization(found: Source, generator):
    rescale = found.take("rescale")
    center = found.take("featurewise_center")
    scale = found.take("featurewise_std_normalization")
    recipes = [(augment.Rescaling, {"scale": rescale})] if rescale else []
    if center or scale:
        settings = _statistics(found, generator, center, scale)
        recipes.append((augment.Normalization, settings))
    return recipes


def _statistics(found: Source, generator, center, scale):
    """Mean and variance of the data that the generator was fitted to."""
    mean = getattr(generator, "mean", None) if center else 0.0
    deviation = getattr(generator, "std", None) if scale else 1.0 - 1e-6
    if mean is None or deviation is None:
        found.refuse(
            "`featurewise_center` and `featurewise_std_normalization` need the "
            "generator, after its `fit`. Or leave them out, and use "
            "`augment.Normalization`."
        )
    many = max(np.size(mean), np.size(deviation))
    variance = (np.ravel(deviation) + 1e-6) ** 2
    return {
        "mean": np.broadcast_to(np.ravel(mean), many).tolist(),
        "variance": np.broadcast_to(variance, many).tolist(),
    }
