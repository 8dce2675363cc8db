"""SqueezeNet v1.1 with its ImageNet weights, as a plain Functional model.

The weights are in the package ndf 0.1.4 (by Primoz Godec, MIT), which `perfkit[test]`
installs. The model was released by the authors of the paper (BSD).

Reference: Iandola et al., SqueezeNet, 2016, arXiv:1602.07360.
"""

import io

import keras
import numpy as np

from tests.support import filling, packaged, strict_pickle

PACKAGE = "ndf"
FILE = "ndf/example_models/weights/squeezenet_weights.pkl"
SHA256 = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
BGR_MEAN = (103.939, 116.779, 123.68)
# Of the fires 2 to 9, the filters that squeeze and those that expand.
FIRES = (
    *((16, 64), (16, 64), (32, 128), (32, 128)),
    *((48, 192), (48, 192), (64, 256), (64, 256)),
)
POOLED = (3, 5)  # fires with a pooling after them


def squeezenet(include_top=True, input_shape=(224, 224, 3)):
    """Return the model with its weights.

    Args:
        include_top: Whether to end in the probabilities of 1,000 classes. If not, the
            output is the last feature map, of 512 channels and about a 16th of the
            height and width.
        input_shape: Height and width, which may be None, and 3.
    """
    return build(tensors(), include_top, input_shape)


def preprocess_input(images):
    """Return RGB images with values in [0, 255] as the model takes them."""
    return keras.ops.cast(images, "float32")[..., ::-1] - np.array(BGR_MEAN, "float32")


def tensors():
    """Return `{name: (kernel, bias)}` as in the file."""
    data = packaged.read(PACKAGE, FILE, SHA256, "test")
    layers = strict_pickle.Unpickler(io.BytesIO(data), KNOWN).load()
    return {name: tuple(part.values for part in layers[name]) for name in layers}


def build(state, include_top, input_shape):
    """Return the model made of tensors; one without a place in it is refused."""
    state = dict(state)
    inputs = keras.Input(input_shape)
    x = _conv(state, inputs, "conv1", 64, 3, 2, padding="valid")
    x = keras.layers.MaxPooling2D(3, 2, name="pool1")(x)
    for number, (squeezing, expanding) in enumerate(FIRES, 2):
        name = f"fire{number}"
        x = _conv(state, x, f"{name}/squeeze1x1", squeezing, 1)
        sides = [_conv(state, x, f"{name}/expand{k}x{k}", expanding, k) for k in (1, 3)]
        x = keras.layers.Concatenate(name=f"{name}_concat")(sides)
        if number in POOLED:
            x = keras.layers.MaxPooling2D(3, 2, name=f"pool{number}")(x)
    if include_top:
        x = _conv(state, x, "conv10", 1000, 1)
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = keras.layers.Softmax(name="predictions")(x)
    else:
        del state["conv10"]
    if state:
        raise ValueError(f"tensors without a place in the model: {sorted(state)}")
    return keras.Model(inputs, x, name="squeezenet")


def _conv(state, x, key, filters, kernel, stride=1, padding="same"):
    name = key.replace("/", "_")
    layer = keras.layers.Conv2D(
        filters, kernel, stride, padding, activation="relu", name=name
    )
    return filling.apply(layer, x, state.pop(key))


class _DType:
    def __init__(self, code, *_):
        self.code = code

    def __setstate__(self, state):
        self.code = state[1] + self.code  # the order of its bytes


class _Array:
    def __init__(self, *_):
        self.values = None

    def __setstate__(self, state):
        _, shape, dtype, by_columns, data = state
        values = np.frombuffer(data, dtype.code)
        self.values = values.reshape(shape, order="F" if by_columns else "C")


# Stand-ins for how NumPy pickles an array, so that none of its code takes part.
KNOWN = {
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy.ndarray": "an argument that _Array ignores",
    "numpy.dtype": _DType,
}
