"""Mosaic."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment import _labels
from perfkit.augment.mix import MixAugment
from perfkit.ops import boxes, mosaic


@keras.saving.register_keras_serializable(package="perfkit")
class Mosaic(MixAugment):
    """Put each image together with three others of the batch, and mix their labels.

    The four meet at a random point, at which each has one corner: the upper left
    one shows its lower right part. Nothing is scaled. Labels are mixed by the area
    of the tiles. The boxes of all four are kept as far as they can be seen, four
    times as many, those of the image itself first; its part lies at the lower right,
    and keypoints are its alone.

    Args:
        offset: `(low, high)` of the point where they meet, uniform, drawn per sample
            for height and width. Fraction of either. Within [0, 1].
        classes: Number of classes. Needed for integer labels, which come out
            one-hot.
        seed, data_format: See `Augment`.
        **kwargs: See `MixAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        Images `(batch, height, width, channels)`; same shape out. Labels
        `(batch,)`, `(batch, 1)` or `(batch, classes)`. Boxes `(batch, n, 4)`;
        `(batch, 4 n, 4)` out.

    Raises:
        ValueError: If `offset` is not an ordered pair within bounds; at the call, if
            labels are missing, if they are integers and `classes` is not given, or
            if the images are not a batch.

    Example:
        >>> import numpy as np
        >>> data = {"images": np.zeros((4, 8, 8, 1)), "labels": np.arange(4)}
        >>> mixed = Mosaic((0.5, 0.5), classes=4)(data)
        >>> bool(np.isin(np.array(mixed["labels"]), [0, 0.25, 0.5, 0.75, 1]).all())
        True

    Reference: Bochkovskiy et al., YOLOv4: Optimal Speed and Accuracy of Object
        Detection, 2020, 2004.10934. The output has the size of one image, as in
        KerasCV; others make it twice as large and shrink it later, as does
        `RandomZoomOut` before it.
    """

    cuts = True

    def __init__(
        self,
        offset=(0.25, 0.75),
        seed=None,
        data_format=None,
        *,
        classes=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, seed=seed, classes=classes, **kwargs)
        self.offset = _check.pair("Mosaic", "offset", offset, 0.0, 1.0)

    def parameters(self, rng):
        names = ("upper_left", "upper_right", "lower_left")
        partners = {name: rng.permutation() for name in names}
        place = {axis: rng.uniform(*self.offset) for axis in "xy"}
        return {**partners, **place}

    def mix(self, canvas, params, chosen):
        height, width = canvas.extent
        x, y = ops.round(params["x"] * width), ops.round(params["y"] * height)
        own = ops.arange(canvas.samples, dtype="int32")
        partners = [own, params["upper_left"]]
        partners += [params["upper_right"], params["lower_left"]]
        if chosen is not None:  # what meets at the corner shows one image alone
            x, y = ops.where(chosen.mask, x, 0.0), ops.where(chosen.mask, y, 0.0)
        shares = mosaic.areas(x, y, height, width)
        _labels.add_up(canvas, zip(partners, shares, strict=True))
        x, y = canvas.per_image(x), canvas.per_image(y)
        partners = [canvas.images_of(partner) for partner in partners]
        canvas.images = mosaic.assemble(canvas.images, partners, x, y)
        if canvas.masks is not None:
            canvas.masks = mosaic.assemble(canvas.masks, partners, x, y)
        if canvas.keypoints is not None:
            shift = ops.stack([x, y], axis=-1)[:, None, :]
            moved = canvas.keypoints[..., :2] + shift
            rest = canvas.keypoints[..., 2:]
            canvas.keypoints = ops.concatenate([moved, rest], axis=-1)
        if canvas.boxes is not None:
            self._put_boxes(canvas, partners, x, y)

    def _put_boxes(self, canvas, partners, x, y):
        every = [ops.take(canvas.boxes, partner, axis=0) for partner in partners]
        seen = [
            mosaic.move(corners, tile, x, y, *canvas.extent)
            for corners, tile in zip(every, mosaic.TILES, strict=True)
        ]
        if canvas.box_labels is not None:
            labels = [ops.take(canvas.box_labels, k, axis=0) for k in partners]
            canvas.box_labels = ops.concatenate(labels, axis=1)
        whole = boxes.area(ops.concatenate(every, axis=1))
        canvas.put_boxes(ops.concatenate(seen, axis=1), whole)
