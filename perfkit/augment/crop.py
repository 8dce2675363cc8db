"""Random crop."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.geometric import GeometricAugment
from perfkit.ops import windows


@keras.saving.register_keras_serializable(package="perfkit")
class RandomCrop(GeometricAugment):
    """Cut a window of a given size out of each image, at a random place.

    The place is drawn per sample; Keras takes one for the whole batch. At
    inference it is the centre. An image smaller than the window is first
    enlarged until the window fits.

    Args:
        height: Height of the window, in pixels. At least 1.
        width: Width of the window, in pixels. At least 1.
        name: Name of the layer.
        seed, data_format: See `Augment`.
        **kwargs: See `GeometricAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, image height, image width, channels)` or one image; `(batch,
        height, width, channels)` out.

    Raises:
        ValueError: If a size is not a whole number of at least 1.

    Example:
        >>> import numpy as np
        >>> image = np.arange(5.0).reshape(1, 5, 1)
        >>> crop = RandomCrop(1, 3)(image, training=False)
        >>> keras.ops.convert_to_numpy(crop)[0, :, 0].tolist()
        [1.0, 2.0, 3.0]

    Reference: none (standard).
    """

    def __init__(self, height, width, seed=None, data_format=None, name=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, name=name, **kwargs)
        self.height = _check.integer("RandomCrop", "height", height)
        self.width = _check.integer("RandomCrop", "width", width)

    def parameters(self, rng):
        return {"x": 1.0 - rng.uniform(), "y": 1.0 - rng.uniform()}

    def at_inference(self, batch):
        half = ops.zeros((batch,), "float32") + 0.5
        return {"x": half, "y": half}

    def matrix(self, params, height, width):
        return windows.crop(
            params["x"], params["y"], height, width, self.height, self.width
        )

    def output_size(self, height, width):
        return self.height, self.width

    def interpolation_for(self, height, width):
        return windows.crop_interpolation(height, width, self.height, self.width)
