"""What a backbone wants done to its pixels."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import dtype_of, ops
from perfkit._config import Configured

# The mean and deviation of ImageNet's colours: of RGB within 0 and 1, and of BGR bytes.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MEAN_OF_BYTES = (103.939, 116.779, 123.68)
MODES = {
    "tf": "pixels from 0 to 255 become -1 to 1",
    "torch": "pixels from 0 to 255 become 0 to 1, less ImageNet's mean, in deviations",
    "caffe": "RGB pixels from 0 to 255 become BGR, less ImageNet's mean",
    "none": "pixels stay as they are",
}


@keras.saving.register_keras_serializable(package="perfkit")
class Preprocessing(Configured, keras.layers.Layer):
    """Do to pixels what the backbone was trained with.

    Args:
        mode: `"tf"`: from 0..255 to -1..1. `"torch"`: from 0..255 to 0..1, then less
            the mean of ImageNet and divided by its deviation, each per channel.
            `"caffe"`: from RGB to BGR, then less the mean, still in 0..255. `"none"`:
            nothing, for a backbone that does it itself.
        data_format: `"channels_last"`, `"channels_first"` or `None` for Keras's own.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        `(..., height, width, 3)` or `(..., 3, height, width)`, RGB from 0 to 255; same
        shape out.

    Raises:
        ValueError: If an argument is none of its choices.

    Example:
        >>> import numpy as np
        >>> pixels = np.array([[[[0.0, 127.5, 255.0]]]])
        >>> keras.ops.convert_to_numpy(Preprocessing("tf")(pixels)).tolist()
        [[[[-1.0, 0.0, 1.0]]]]

    Reference: none (standard).
    """

    def __init__(self, mode, *, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.mode = _check.one_of("Preprocessing", "mode", mode, MODES)
        self.data_format = _check.data_format("Preprocessing", data_format)
        self.built = True

    def call(self, inputs):
        if self.mode == "none":
            return inputs
        if not keras.backend.is_float_dtype(dtype_of(inputs)):
            inputs = ops.cast(inputs, self.compute_dtype)
        if self.mode == "tf":
            return inputs / 127.5 - 1.0
        axis = -1 if self.data_format == "channels_last" else -3
        if self.mode == "caffe":
            return ops.flip(inputs, axis) - self._per_channel(_MEAN_OF_BYTES, inputs)
        mean, deviation = (self._per_channel(x, inputs) for x in (_MEAN, _DEVIATION))
        return (inputs / 255.0 - mean) / deviation

    def _per_channel(self, values, inputs):
        values = ops.convert_to_tensor(values, inputs.dtype)
        last = self.data_format == "channels_last"
        return values if last else ops.reshape(values, (3, 1, 1))

    def compute_output_shape(self, input_shape):
        return input_shape


# What the models of `keras.applications` want, by how their names begin. Of those that
# do it themselves, the layers that do.
_KNOWN = (
    ("mobilenet_", "tf", "mobilenet"),
    ("mobilenetv2_", "tf", "mobilenet_v2"),
    ("MobileNetV3", "none", "mobilenet_v3"),
    ("resnet50v2", "tf", "resnet_v2"),
    ("resnet101v2", "tf", "resnet_v2"),
    ("resnet152v2", "tf", "resnet_v2"),
    ("resnet50", "caffe", "resnet"),
    ("resnet101", "caffe", "resnet"),
    ("resnet152", "caffe", "resnet"),
    ("vgg16", "caffe", "vgg16"),
    ("vgg19", "caffe", "vgg19"),
    ("densenet", "torch", "densenet"),
    ("inception_v3", "tf", "inception_v3"),
    ("inception_resnet_v2", "tf", "inception_resnet_v2"),
    ("xception", "tf", "xception"),
    ("nasnet", "tf", "nasnet"),
    ("NASNet", "tf", "nasnet"),
    ("efficientnetv2", "none", "efficientnet_v2"),
    ("efficientnetb", "none", "efficientnet"),
    ("convnext", "none", "convnext"),
)
_DOING_IT = (keras.layers.Rescaling, keras.layers.Normalization, Preprocessing)


def preprocessing_of(backbone, *, data_format=None) -> tuple[Any, str]:
    """Find what a backbone wants done to its inputs, and how that is known.

    Models of `keras.applications` are known by their names, a KerasHub task by the
    image converter it brings, and a model that rescales or normalizes within its first
    layers does it itself. What does not take pictures of three channels wants nothing.

    Args:
        backbone: A built `keras.Model`.
        data_format: As in `Preprocessing`.

    Returns:
        A layer to put in front of the backbone, and a sentence that says which.

    Raises:
        ValueError: If the backbone takes pictures and none of this holds.

    Example:
        >>> inputs = keras.Input((8, 8, 3))
        >>> scaled = keras.layers.Rescaling(1 / 255, name="scaled")(inputs)
        >>> outputs = keras.layers.Conv2D(2, 3)(scaled)
        >>> layer, reason = preprocessing_of(keras.Model(inputs, outputs, name="mine"))
        >>> layer.mode, reason
        ('none', 'mine does it itself, in its layer `scaled`')

    Reference: none (standard).
    """
    return known("preprocessing_of", "backbone", backbone, data_format)


def known(owner, argument, backbone, data_format=None) -> tuple[keras.Layer, str]:
    """Find the preprocessing; see `preprocessing_of`.

    Args:
        owner: Name of the caller, for errors.
        argument: Name of its argument, for errors.
        backbone: The model.
        data_format: See `Preprocessing`.
    """
    _check.instance(owner, argument, backbone, keras.Model)
    name = backbone.name
    preprocessor = getattr(backbone, "preprocessor", None)  # of a KerasHub task
    converter = getattr(preprocessor, "image_converter", None)
    if converter is not None:
        return converter, f"{name} has an image converter of its own"
    inside = next(
        (x for x in _first_layers(backbone) if isinstance(x, _DOING_IT)), None
    )
    row = next((row for row in _KNOWN if name.startswith(row[0])), None)
    if inside is not None:
        mode, reason = "none", f"{name} does it itself, in its layer `{inside.name}`"
    elif not _takes_pictures(backbone):
        mode, reason = "none", f"{name} does not take pictures of three channels"
    elif row is not None and row[1] != "none":
        _, mode, module = row
        reason = f"`keras.applications.{module}` wants it, known by the name {name}"
    else:
        reason = "what the backbone wants done to pixels is not known"
        if row is not None:
            reason = f"{name} was made without its layers that rescale"
        _check.fail(
            owner,
            argument,
            "one of `keras.applications` under its own name, or one that rescales its "
            f"inputs itself: {reason}. Elsewhere give `preprocessing=` "
            "'tf', 'torch', 'caffe', 'none' or a layer",
            name,
        )
    return Preprocessing(mode, data_format=data_format, name="preprocessing"), reason


def _first_layers(model, many=8):
    """The first layers, those of a model that is nested among them."""
    found = []
    for layer in model.layers[:many]:
        found += _first_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found[:many]


def _takes_pictures(model):
    tensors = keras.tree.flatten(getattr(model, "inputs", None) or [])
    if len(tensors) != 1:
        return not tensors
    shape = tensors[0].shape
    return len(shape) == 4 and 3 in (shape[-1], shape[1])
