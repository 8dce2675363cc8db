"""The family of layers that predict objects at every place of feature maps."""

import math
from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.layers.attention._parts import part
from perfkit.layers.detection._convolution import NORMALIZATIONS, Convolution
from perfkit.layers.detection._tower import Tower
from perfkit.ops.detection import focal, overlaps

_DEVIATION = 0.01  # of what the last convolutions begin with, as in the papers
_OVERLAPS = {"giou": overlaps.generalized, "ciou": overlaps.complete}


class DetectionHead(Configured, keras.layers.Layer):
    """Predict classes and boxes at every place of a pyramid of feature maps.

    Two towers of convolutions, for classes and for boxes, go over all maps with the
    same kernels. Predictions and costs are float32, whatever the layer computes in.

    Args:
        classes: How many classes there are, background not among them. At least 1.
        filters: Channels of the towers; `None` for those of the maps. At least 1.
        depth: Convolutions in each tower. At least 0.
        normalization: What follows them: `"group"`, `"batch"`, for each map by itself,
            or `None`.
        alpha: See `perfkit.losses.FocalCrossentropy`.
        gamma: See `perfkit.losses.FocalCrossentropy`.
        box_loss: How boxes are compared; each head says by what.
        box_weight: Weight of that cost beside the others. Above 0.
        prior: How probable each class is at first, so that the mass of background
            costs little. Between 0 and 1.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's own.
        **kwargs: See `keras.layers.Layer`.
    """

    box_losses: tuple[str, ...] = ("ciou", "giou")
    # Names of the costs, which are in the logs of `fit`.
    cost_names: tuple[str, ...] = ("class_loss", "box_loss")

    def __init__(
        self,
        classes,
        *,
        filters=None,
        depth=4,
        normalization="group",
        alpha=0.25,
        gamma=2.0,
        box_loss="giou",
        box_weight=1.0,
        prior=0.01,
        data_format=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.classes = _check.integer(owner, "classes", classes)
        if filters is not None:
            _check.integer(owner, "filters", filters)
        self.filters = filters
        self.depth = _check.integer(owner, "depth", depth, 0)
        if normalization is not None:
            _check.one_of(owner, "normalization", normalization, NORMALIZATIONS)
        self.normalization = normalization
        self.alpha = None if alpha is None else _check.unit(owner, "alpha", alpha)
        self.gamma = _check.number(owner, "gamma", gamma, 0.0)
        self.box_loss = _check.one_of(owner, "box_loss", box_loss, self.box_losses)
        self.box_weight = _check.positive(owner, "box_weight", box_weight)
        self.prior = _check.inside_unit(owner, "prior", prior)
        self.data_format = _check.data_format(owner, data_format)

    def prepare(self, filters, maps) -> None:
        """Operation: make the weights of the last convolutions.

        Args:
            filters: Channels of the towers.
            maps: How many maps there are.
        """
        raise NotImplementedError

    def entries(self) -> dict[str, tuple[int, int]]:
        """Operation: of each prediction, how many there are at a place, and its size.

        Those of `predict`.
        """
        raise NotImplementedError

    def predict(self, seen, number) -> dict[str, Any]:
        """Operation: predictions at the places of one map.

        Args:
            seen: `{"classes": ..., "boxes": ...}` of what the towers make of the map,
                `(batch, height, width, filters)`.
            number: That of the map.

        Returns:
            `(batch, height, width, many * size)` of each, see `entries`.
        """
        raise NotImplementedError

    def costs(self, predictions, boxes, labels, image_size, strides) -> dict[str, Any]:
        """Operation: what predictions cost.

        Args:
            predictions: What the layer makes.
            boxes: `(batch, m, 4)`, `xyxy` in pixels, m at least 1.
            labels: Int32 `(batch, m)`, -1 for padding.
            image_size: Height and width of the images, in pixels.
            strides: Pixels from one place of each map to the next.

        Returns:
            A scalar for each of `cost_names`.
        """
        raise NotImplementedError

    def candidates(self, predictions, image_size, strides) -> Any:
        """Operation: all boxes that are predicted, and how sure each class of them is.

        Args:
            predictions: What the layer makes.
            image_size: Height and width of the images, in pixels.
            strides: Pixels from one place of each map to the next.

        Returns:
            Boxes `(batch, n, 4)`, `xyxy` in pixels, and scores `(batch, n, classes)`.
        """
        raise NotImplementedError

    def last(self, filters, outputs, name, bias=0.0) -> Any:
        """Make and build a last convolution."""
        return part(
            self,
            Convolution,
            (None, None, filters),
            filters=outputs,
            bias=bias,
            deviation=_DEVIATION,
            name=name,
        )

    def rare(self) -> float:
        """Return the bias with which a class is as probable as `prior`."""
        return math.log(self.prior / (1.0 - self.prior))

    def class_cost(self, labels, logits) -> Any:
        """Focal costs `(batch, n)` of logits; the label -1 is none."""
        held = ops.one_hot(ops.maximum(labels, 0), self.classes, dtype="float32")
        held = ops.where((labels >= 0)[..., None], held, 0.0)
        return ops.sum(focal.focal(held, logits, self.alpha, self.gamma), axis=-1)

    def overlap(self, boxes, predicted) -> Any:
        """What boxes have in common with those at the same place, by `box_loss`."""
        return _OVERLAPS[self.box_loss](boxes, predicted)

    def build(self, input_shape):
        axis = 1 if self.data_format == "channels_first" else -1
        channels = {shape[axis] for shape in input_shape}
        if len(channels) > 1:
            expected = "of one number of channels, such as a `Neck` makes"
            _check.fail(type(self).__name__, "inputs", expected, input_shape)
        (channels,) = channels
        filters = self.filters or channels
        self.towers = [
            part(
                self,
                Tower,
                (None, None, channels),
                filters=filters,
                depth=self.depth,
                normalization=self.normalization,
                maps=len(input_shape),
                name=name,
            )
            for name in ("class_tower", "box_tower")
        ]
        self.prepare(filters if self.depth else channels, len(input_shape))

    def call(self, inputs, training=None):
        parts = {name: [] for name in self.entries()}
        for number, x in enumerate(inputs):
            x = ops.moveaxis(x, 1, -1) if self.data_format == "channels_first" else x
            of_class, of_box = (
                tower(x, number=number, training=training) for tower in self.towers
            )
            made = self.predict({"classes": of_class, "boxes": of_box}, number)
            for name, (many, size) in self.entries().items():
                parts[name].append(_in_a_row(made[name], many, size))
        return {
            name: ops.concatenate(several, axis=1) for name, several in parts.items()
        }

    def compute_output_spec(self, inputs, training=None):  # noqa: ARG002
        first = self.data_format == "channels_first"
        places = [x.shape[2:] if first else x.shape[1:-1] for x in inputs]
        known = all(None not in sizes for sizes in places)
        total = sum(math.prod(sizes) for sizes in places) if known else None
        batch = inputs[0].shape[0]
        return {
            name: keras.KerasTensor(
                (batch, None if total is None else total * many, size), "float32"
            )
            for name, (many, size) in self.entries().items()
        }


def _in_a_row(x, many, size):
    """One prediction after the other, place by place, in float32."""
    places = x.shape[1:3]
    count = -1 if None in places else math.prod(places) * many
    batch = ops.shape(x)[0] if count == -1 else -1
    return ops.cast(ops.reshape(x, (batch, count, size)), "float32")
