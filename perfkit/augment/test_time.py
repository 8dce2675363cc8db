"""Test-time augmentation."""

from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit._random import Sampler
from perfkit.augment._images import Images
from perfkit.augment.base import Augment

_MOVED = ("boxes", "labels")


@keras.saving.register_keras_serializable(package="perfkit")
class TestTimeAugmentation(Configured, keras.layers.Layer):
    """Predict for images and several augmented copies of them, and average.

    Predictions are averaged; those of rank 4 are maps of the size of the model's
    images, such as masks, which are moved back first and averaged where they were
    seen. A dict of predictions is averaged entry by entry; `"bounding_boxes"` in it,
    or a dict with `"boxes"`, are moved back and put side by side: choose among them as
    among any others, by non-maximum suppression. The draws are the same at every call.

    Args:
        model: Keras model of images.
        pipeline: Augmentation layer of perfkit that keeps samples apart.
        samples: Number of augmented copies. At least 1.
        original: Whether the images themselves are among what is averaged.
        seed: Whole number. At least 0.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        Images `(batch, height, width, channels)`; what the model returns out, boxes
        as many times as there are copies.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> from perfkit import augment
        >>> model = keras.Sequential([keras.layers.GlobalAveragePooling2D()])
        >>> both = TestTimeAugmentation(model, augment.RandomFlip(), samples=4)
        >>> np.round(both(np.ones((2, 4, 4, 1))), 4).tolist()
        [[1.0], [1.0]]

    Reference: Krizhevsky et al., ImageNet Classification with Deep Convolutional
        Neural Networks, 2012, average predictions of crops and flips.
    """

    __test__ = False  # not a test, whatever its name begins with

    def __init__(self, model, pipeline, samples=8, *, original=True, seed=0, **kwargs):
        super().__init__(**kwargs)
        owner = "TestTimeAugmentation"
        self.model = _check.instance(owner, "model", model, keras.layers.Layer)
        self.pipeline = _check.instance(owner, "pipeline", pipeline, Augment)
        if pipeline.mixes or not isinstance(pipeline.modality, Images):
            expected = "a layer for images that does not mix samples"
            _check.fail(owner, "pipeline", expected, pipeline)
        self.samples = _check.integer(owner, "samples", samples)
        self.original = _check.boolean(owner, "original", original)
        self.seed = _check.integer(owner, "seed", seed, 0, 2**31 - 1)

    def get_config(self):
        config, parts = super().get_config(), {}
        for name in ("model", "pipeline"):
            parts[name] = keras.saving.serialize_keras_object(config[name])
        return {**config, **parts}

    @classmethod
    def from_config(cls, config):
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("model", "pipeline")
        }
        return cls(**{**config, **parts})

    def call(self, images):
        height_axis = 1 if self._channels_last else 2
        size = tuple(ops.shape(images))[height_axis : height_axis + 2]
        copies = [self._copy(images, copy) for copy in range(self.samples)]
        if self.original:
            batch = ops.shape(images)[0]
            key = ops.zeros((2,), "int32")
            params = self.pipeline.draw(Sampler(batch, key), False)
            copies.append((self.pipeline(images, training=False), params))
        predicted = [
            (self.model(augmented, training=False), augmented, params)
            for augmented, params in copies
        ]
        first = predicted[0][0]
        if not isinstance(first, dict):
            return self._mean(predicted, size)
        if "boxes" in first:
            return self._side_by_side(predicted, size)
        merged = {}
        for name in first:
            own = [(output[name], *rest) for output, *rest in predicted]
            boxes = name == "bounding_boxes"
            join = self._side_by_side if boxes else self._mean
            merged[name] = join(own, size)
        return merged

    @property
    def _channels_last(self):
        return self.pipeline.modality.data_format == "channels_last"

    def _copy(self, images, copy):
        key = ops.convert_to_tensor(np.array([self.seed, copy], "int32"), "int32")
        params = self.pipeline.draw(Sampler(ops.shape(images)[0], key), True)
        return self.pipeline.with_key(images, key), params

    def _back(self, outputs, params, size) -> tuple[Any, Any]:
        """Predictions in the places of the images, and where they were seen."""
        if params is None:
            return outputs, 1.0
        undo = self.pipeline.modality.undo
        return undo(self.pipeline, outputs, params, size, (0.0, 0.0))

    def _mean(self, predicted, size) -> Any:
        total = weight = 0.0
        for output, _, params in predicted:
            output, seen = ops.cast(output, "float32"), 1.0
            if tuple(output.shape)[1:] == tuple(size):  # masks without channels
                axes = (..., 0) if self._channels_last else (slice(None), 0)
                axis = (..., None) if self._channels_last else (slice(None), None)
                moved, seen = self._back({"images": output[axis]}, params, size)
                output = moved["images"][axes]
                if not isinstance(seen, float):
                    seen = seen[axes]
                    output = output * seen
            elif len(output.shape) == 4:
                moved, seen = self._back({"images": output}, params, size)
                output = moved["images"] * seen
            total, weight = total + output, weight + seen
        if isinstance(weight, float):
            return total / weight
        return total / ops.maximum(weight, 1e-6)

    def _side_by_side(self, predicted, size) -> Any:
        parts = []
        for boxes, images, params in predicted:
            inputs = {name: boxes[name] for name in _MOVED if name in boxes}
            inputs = {"images": images, "bounding_boxes": inputs}
            moved, _ = self._back(inputs, params, size)
            parts.append({**boxes, **moved["bounding_boxes"]})
        return {
            name: ops.concatenate([part[name] for part in parts], axis=1)
            for name in parts[0]
        }
