"""Networks of Keras with random weights and statistics, and inputs for them."""

import keras
import numpy as np

NAMES = (
    "MobileNetV2",
    "MobileNetV3Small",
    "ResNet50",
    "DenseNet121",
    "EfficientNetB0",
    "ConvNeXtTiny",
)
OF_BYTES = ("MobileNetV3Small", "EfficientNetB0", "ConvNeXtTiny")  # take 0 to 255


def network(name, size):
    """A network whose batch normalization is no identity."""
    keras.utils.set_random_seed(0)
    make = getattr(keras.applications, name)
    options = {"weights": None, "classes": 10, "classifier_activation": None}
    made = make(input_shape=(size, size, 3), **options)
    rng = np.random.default_rng(0)
    for layer in made.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.moving_mean.shape
            values = {
                "gamma": rng.uniform(0.7, 1.3, count),
                "beta": rng.normal(0.0, 0.2, count),
                "moving_mean": rng.normal(0.0, 0.2, count),
                "moving_variance": rng.uniform(0.3, 1.2, count),
            }
            for weight in layer.weights:
                weight.assign(values[weight.name])
    return made


def images(name, count, size):
    """Smooth noise, as white noise would be an easy input."""
    coarse = np.random.default_rng(1).normal(size=(count, size // 8, size // 8, 3))
    x = keras.ops.image.resize(coarse, (size, size), interpolation="bicubic")
    x = keras.ops.convert_to_numpy(x)
    x = x / np.abs(x).max()
    return (127.5 * (x + 1.0) if name in OF_BYTES else x).astype("float32")
