"""Copy and paste."""

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import dtype_of, ops
from perfkit.augment import _labels
from perfkit.augment.mix import MixAugment
from perfkit.ops import boxes, noise, objects


@keras.saving.register_keras_serializable(package="perfkit")
class CopyPaste(MixAugment):
    """Paste random objects of another image of the batch, whole and in their place.

    `segmentation_masks` say of each pixel to which object it belongs: integers, one
    channel, 0 for none and `k` for the object of box number `k`, counted from 1. So
    they do afterwards: the boxes of both images are kept, twice as many, and objects
    pasted are numbered on. A box is cut to what is left to see of its object, and
    gets the label -1 if that is nothing, or less than `min_visible` of its pixels.
    Labels of images are mixed by the area that is pasted. Other keypoints are not
    pasted.

    Args:
        object_rate: Probability that an object is pasted, drawn per object. Within
            [0, 1].
        classes: Number of classes. Needed for integer labels, which come out
            one-hot.
        seed, data_format: See `Augment`.
        **kwargs: See `MixAugment` (`rate`, `min_visible`, ...).

    Shape:
        Images `(batch, height, width, channels)`; same shape out. Masks `(batch,
        height, width)` or `(batch, height, width, 1)`. Boxes `(batch, n, 4)`;
        `(batch, 2 n, 4)` out.

    Raises:
        ValueError: If `object_rate` is out of bounds; at the call, if masks or boxes
            are missing, if masks are not integers of one channel, or cannot hold
            the number `2 n`.

    Example:
        >>> import numpy as np
        >>> masks = np.array([[[0, 1]], [[1, 0]]])
        >>> boxes = np.array([[[1.0, 0, 2, 1]], [[0.0, 0, 1, 1]]])
        >>> data = {"images": np.ones((2, 1, 2, 1)), "segmentation_masks": masks}
        >>> data["bounding_boxes"] = {"boxes": boxes}
        >>> layer = CopyPaste(1.0, bounding_box_format="xyxy", seed=2)
        >>> np.array(layer(data)["segmentation_masks"])[:, 0].tolist()
        [[2, 1], [1, 2]]

    Reference: Ghiasi et al., Simple Copy-Paste is a Strong Data Augmentation
        Method for Instance Segmentation, 2020, 2012.07177. Put a random zoom and a
        flip before it, as the paper does.
    """

    cuts = True

    def __init__(
        self,
        object_rate=0.5,
        seed=None,
        data_format=None,
        *,
        classes=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, seed=seed, classes=classes, **kwargs)
        self.object_rate = _check.unit("CopyPaste", "object_rate", object_rate)

    def check_inputs(self, inputs):
        super().check_inputs(inputs)
        if not {"segmentation_masks", "bounding_boxes"} <= set(inputs):
            raise ValueError(
                f"{self.name}: pasting objects needs 'segmentation_masks', with the "
                "number of each pixel's box, and 'bounding_boxes'. Received the keys: "
                f"{sorted(inputs)}"
            )
        if not self._given_as_classes(inputs, "segmentation_masks"):
            masks = inputs["segmentation_masks"]
            raise ValueError(
                f"{self.name}: masks must be integers of one channel, the number of "
                f"each pixel's box. Received: shape={tuple(masks.shape)}, "
                f"dtype={dtype_of(masks)}"
            )
        dtype = dtype_of(inputs["segmentation_masks"])
        count = inputs["bounding_boxes"]["boxes"].shape[-2]
        if count is not None and 2 * count > np.iinfo(dtype).max:
            raise ValueError(
                f"{self.name}: masks of dtype {dtype} cannot number the objects of "
                f"two images with {count} boxes each. Pass masks of int32."
            )

    def parameters(self, rng):
        return {"partner": rng.permutation(), "bits": rng.bits()}

    def mix(self, canvas, params, chosen):
        partner = canvas.images_of(params["partner"])
        own, numbers = canvas.boxes, canvas.masks
        n = ops.shape(own)[1]
        other, theirs = [ops.take(x, partner, axis=0) for x in (own, numbers)]
        picked = noise.uniform(params["bits"], n) < self.object_rate
        themselves = ops.arange(canvas.samples, dtype="int32")
        mixed = params["partner"] != themselves
        mixed = mixed if chosen is None else mixed & chosen.mask
        picked = canvas.per_image(picked & mixed[:, None])
        there = (objects.sizes(numbers, n) > 0.0) & (boxes.area(own) > 0.0)
        picked = picked & ops.take(there, partner, axis=0)
        labels = canvas.box_labels
        if labels is not None:
            others = ops.take(labels, partner, axis=0)
            picked = picked & (others != -1)
            canvas.box_labels = ops.concatenate([labels, others], axis=1)
        pasted = objects.pick(theirs, picked)
        images = ops.take(canvas.images, partner, axis=0)
        canvas.images = ops.where(pasted, images, canvas.images)
        left = ops.where(pasted, ops.zeros_like(numbers), numbers)
        canvas.masks = ops.where(pasted, objects.renumber(theirs, n), numbers)
        seen = objects.uncover(own, numbers, left, canvas.min_visible)
        new = ops.where(picked[..., None], other, ops.zeros_like(other))
        canvas.put_boxes(ops.concatenate([seen, new], axis=1))
        area = ops.mean(ops.cast(canvas.by_sample(pasted), "float32"), axis=(1, 2, 3))
        _labels.add_up(canvas, [(themselves, 1.0 - area), (params["partner"], area)])
