"""A model that finds objects."""

import itertools
from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.layers.detection import _levels
from perfkit.layers.detection.detection_head import DetectionHead
from perfkit.layers.detection.neck import Neck
from perfkit.ops import boxes as geometry
from perfkit.ops.detection import suppression

_OWNER = "Detector"
_TARGETS = '{"boxes": (batch, m, 4), "labels": (batch, m)}, as augmentation makes'


@keras.saving.register_keras_serializable(package="perfkit")
class Detector(Configured, keras.Model):
    """Train in `fit` on images and boxes, and predict the objects of images.

    `layers.detector` makes one of a backbone. `fit` takes images and `{"boxes": (batch,
    m, 4), "labels": (batch, m)}`, where the label -1 marks padding; an image may be
    without objects. What objects cost belongs to the head, so that `compile` is given
    no loss, and the parts of it are in the logs. `predict` returns `{"boxes": (batch,
    detections, 4), "classes": (batch, detections), "confidence": (batch, detections)}`,
    surest first, with the class -1 for padding; all of it is one compiled program.
    Called, the model returns what the head predicts at each place.

    Args:
        features: Model that makes a list of feature maps of images, finest first, each
            half as large as the one before.
        neck: A `Neck`.
        head: A `DetectionHead`.
        bounding_box_format: Of boxes in `fit` and `predict`; see `perfkit.augment`.
        iou: Intersection over union above which two detections of a class are the same
            object. Within [0, 1].
        score: Detections surer than this count. Within [0, 1].
        detections: How many there are in an image. At least 1.
        candidates: How many of the surest are compared for it. At least 1.
        **kwargs: See `keras.Model`.

    Raises:
        ValueError: If an argument is out of bounds, parts do not fit, or at the first
            step, if targets are missing or of other kinds.

    Example:
        >>> import numpy as np
        >>> from perfkit import layers
        >>> image = keras.Input((16, 16, 1))
        >>> fine = keras.layers.Conv2D(4, 3, 4, padding="same")(image)
        >>> coarse = keras.layers.Conv2D(4, 3, 2, padding="same")(fine)
        >>> features = keras.Model(image, [fine, coarse])
        >>> model = Detector(features, layers.FPN(4), layers.FCOSHead(2, depth=1))
        >>> model.strides
        [4, 8]

    Reference: none (standard).
    """

    def __init__(
        self,
        features,
        neck,
        head,
        *,
        bounding_box_format="xyxy",
        iou=0.5,
        score=0.05,
        detections=100,
        candidates=400,
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check.instance(_OWNER, "features", features, keras.Model)
        self.features = _check.built(_OWNER, "features", features)
        self.neck = _check.instance(_OWNER, "neck", neck, Neck)
        self.head = _check.instance(_OWNER, "head", head, DetectionHead)
        if neck.data_format != head.data_format:
            expected = f"of the head's data_format, {head.data_format!r}"
            _check.fail(_OWNER, "neck", expected, neck.data_format)
        self.bounding_box_format = _check.one_of(
            _OWNER, "bounding_box_format", bounding_box_format, geometry.FORMATS
        )
        self.iou = _check.unit(_OWNER, "iou", iou)
        self.score = _check.unit(_OWNER, "score", score)
        self.detections = _check.integer(_OWNER, "detections", detections)
        self.candidates = _check.integer(_OWNER, "candidates", candidates)
        self.strides = self._strides()
        self._parts = [keras.metrics.Mean(name=name) for name in head.cost_names]
        head(neck(features.outputs))
        self.built = True

    def _strides(self) -> Any:
        """Pixels from one place of each map of the neck to the next."""
        first = self.head.data_format
        image = tuple(self.features.inputs[0].shape)
        sized = _levels.known_size(image, first)
        shapes = [tensor.shape for tensor in self.features.outputs]
        if sized != image:
            shapes = self.features.compute_output_shape(sized)
        strides: Any = _levels.strides_of(
            sized, self.neck.compute_output_shape(list(shapes)), first
        )
        given = strides[: len(shapes)]
        double = None not in given and all(
            fine * 2 == coarse for fine, coarse in itertools.pairwise(given)
        )
        if not double or None in strides:
            expected = (
                "a model whose maps are each half as large as the one before, rounded "
                "up, for which sizes of images that are multiples of the strides are "
                "best"
            )
            _check.fail(_OWNER, "features", expected, [tuple(s) for s in shapes])
        return strides

    def compile(self, optimizer="rmsprop", **kwargs):  # pyright: ignore
        """See `keras.Model`. Losses and metrics of Keras are refused."""
        for name, instead in (
            ("loss", "the head knows what objects cost"),
            ("loss_weights", "heads have a `box_weight`"),
            ("metrics", "measure with `perfkit.callbacks.HostMetrics`"),
            ("weighted_metrics", "measure with `perfkit.callbacks.HostMetrics`"),
        ):
            if kwargs.get(name) is not None:
                _check.fail(f"{_OWNER}.compile", name, f"None: {instead}", kwargs[name])
        super().compile(optimizer, **kwargs)

    def compile_from_config(self, config):
        # That of Keras wants a `compile` with all of its arguments in its own order.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def call(self, inputs, training=None):
        maps = self.features(inputs, training=training)
        return self.head(self.neck(maps, training=training), training=training)

    def compute_loss(
        self,
        x=None,
        y=None,
        y_pred=None,
        sample_weight=None,
        training=True,  # noqa: ARG002  Keras fixes them
    ) -> Any:
        """What predictions cost, with what layers add; see `keras.Model`."""
        if sample_weight is not None:
            _check.fail(_OWNER, "sample_weight", "None", sample_weight)
        size = self._image_size(x)
        boxes, labels = self._targets(y, size)
        costs = self.head.costs(y_pred, boxes, labels, size, self.strides)
        for name, metric in zip(self.head.cost_names, self._parts, strict=True):
            metric.update_state(costs[name])
        total = sum(costs.values())
        for more in self.losses:
            total = total + ops.sum(ops.cast(more, "float32"))
        return total

    def predict_step(self, *arguments):
        result = super().predict_step(*arguments)
        data = arguments[-1]  # JAX has the weights before it
        images = keras.utils.unpack_x_y_sample_weight(data)[0]
        size = self._image_size(images)
        if isinstance(result, tuple):  # and after it
            return (self.decode(result[0], size), *result[1:])
        return self.decode(result, size)

    def decode(self, predictions, image_size) -> dict[str, Any]:
        """Objects of what the model returns when it is called, as `predict` has them.

        Args:
            predictions: What the model returns for images.
            image_size: Height and width of the images, in pixels.

        Returns:
            As `predict`, tensors.
        """
        boxes, scores = self.head.candidates(predictions, image_size, self.strides)
        height, width = image_size
        found: dict[str, Any] = suppression.suppressed(
            geometry.clip(boxes, 0.0, 0.0, float(width), float(height)),
            scores,
            self.iou,
            self.score,
            self.detections,
            self.candidates,
        )
        found["boxes"] = geometry.from_xyxy(
            found["boxes"], self.bounding_box_format, height, width
        )
        return found

    def _image_size(self, images) -> Any:
        """Height and width, which a program has to know."""
        first = self.head.data_format == "channels_first"
        axes = (2, 3) if first else (1, 2)
        inputs = self.features.inputs[0].shape
        size = tuple(images.shape[axis] or inputs[axis] for axis in axes)
        if None in size:
            expected = "of one size that is known: resize them, or set their shape"
            _check.fail(_OWNER, "images", expected, images)
        return size

    def _targets(self, targets, image_size):
        """Boxes in pixels and labels, at least one of them, which may be padding."""
        if not isinstance(targets, dict) or not {"boxes", "labels"} <= set(targets):
            got = sorted(targets) if isinstance(targets, dict) else targets
            _check.fail(_OWNER, "y", _TARGETS, got)
        boxes = ops.cast(targets["boxes"], "float32")
        labels = ops.cast(targets["labels"], "int32")
        if len(boxes.shape) != 3 or boxes.shape[-1] != 4 or len(labels.shape) != 2:
            got = {name: tuple(x.shape) for name, x in targets.items()}
            _check.fail(_OWNER, "y", _TARGETS, got)
        boxes = geometry.to_xyxy(boxes, self.bounding_box_format, *image_size)
        boxes = ops.pad(boxes, [(0, 0), (0, 1), (0, 0)])
        labels = ops.pad(labels, [(0, 0), (0, 1)], constant_values=-1)
        return boxes, labels

    @classmethod
    def from_config(cls, config, custom_objects=None):
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("features", "neck", "head")
        }
        return cls(**{**config, **parts})
