"""The family of operations that mix samples of a batch with each other."""

from perfkit import _check
from perfkit._backend import dtype_of, ops
from perfkit.augment import _labels
from perfkit.augment.image import ImageAugment
from perfkit.ops import boxes


class MixAugment(ImageAugment):
    """Mix each sample with another of the batch, its labels in proportion.

    Labels that are classes, of shape `(batch,)` or `(batch, 1)` and integer,
    become one-hot of `classes`; one-hot labels and other numbers are mixed as
    they are, in float32 at least. Masks go the same way where pixels are blended,
    and keep their dtype where pixels are cut out. The boxes of both samples are
    kept as far as they can be seen: there are twice as many, and the label -1
    marks those that cannot. At inference nothing is mixed and boxes are as they
    came, but classes become one-hot all the same.

    Args:
        classes: Number of classes. Needed for integer labels or masks.
        **kwargs: See `ImageAugment` (`rate`, `seed`, ...).
    """

    mixes = True
    cuts = False  # whether each pixel comes from one sample alone

    def __init__(self, *, classes=None, **kwargs):
        super().__init__(**kwargs)
        if classes is not None:
            classes = _check.integer(type(self).__name__, "classes", classes, 2)
        self.classes = classes

    def share(self, params, height, width):
        """Operation: how much each pixel keeps, broadcast to NHWC `(batch, ...)`."""
        raise NotImplementedError

    def window(self, params, height, width):
        """Operation: left, top, right, bottom of what is replaced, or `None`."""
        raise NotImplementedError

    def check_inputs(self, inputs):
        targets = {"labels", "bounding_boxes", "segmentation_masks"} & set(inputs)
        if not targets:
            raise ValueError(
                f"{self.name}: mixing images needs their 'labels' (or "
                "'bounding_boxes' or 'segmentation_masks') beside the 'images' in a "
                f"dict. Received the keys: {sorted(inputs)}"
            )
        for key in ("labels",) if self.cuts else ("labels", "segmentation_masks"):
            if self.classes is None and self._given_as_classes(inputs, key):
                _labels.refuse_classes(self, key, inputs[key])
        known = self.classes is not None and "segmentation_masks" not in inputs
        if known and "labels" in inputs:  # else the classes are those of the masks
            _labels.check_classes(self, "labels", inputs["labels"])

    def _given_as_classes(self, inputs, key):
        if key not in inputs:
            return False
        values = inputs[key]
        if key == "labels":
            return _labels.are_classes(values)
        flat = len(values.shape) < len(inputs["images"].shape)
        axis = -1 if self.data_format == "channels_last" else -3
        one_channel = flat or values.shape[axis] == 1
        return one_channel and dtype_of(values).startswith(("int", "uint"))

    def at_inference(self, batch):
        return None if self.classes is None else {}  # only to encode classes

    def transform(self, canvas, params, chosen):
        self._encode(canvas)
        if not params:
            return
        canvas.settle()
        self.mix(canvas, params, chosen)

    def mix(self, canvas, params, chosen):
        """Operation: mix the samples of a settled canvas; as a rule by `share`.

        `chosen` says which samples; `None` stands for all.
        """
        height, width = canvas.size
        share = self.share(params, height, width)
        if chosen is not None:
            share = ops.where(chosen.mask[:, None, None, None], share, 1.0)
        partner = canvas.images_of(params["partner"])
        per_image = canvas.per_image(share)

        def blend(x):
            other = ops.take(x, partner, axis=0)
            own = ops.cast(per_image, dtype_of(x))
            return x * own + other * (1.0 - own)

        canvas.images = blend(ops.cast(canvas.images, "float32"))
        if canvas.masks is not None and self.cuts:
            other = ops.take(canvas.masks, partner, axis=0)
            canvas.masks = ops.where(per_image > 0.5, canvas.masks, other)
        elif canvas.masks is not None:
            canvas.masks = blend(canvas.masks)
        _labels.blend(canvas, params["partner"], ops.mean(share, axis=(1, 2, 3)))
        if canvas.boxes is not None:
            window = self.window(params, *canvas.extent)
            _mix_boxes(canvas, partner, window, chosen)

    def _encode(self, canvas):
        """Make numbers that can be mixed of labels, and of masks that are blended."""
        _labels.encode(canvas, self.classes)
        if canvas.masks is not None and not self.cuts:
            canvas.settle()  # moved as they came, not one by one of the classes
            canvas.masks = _labels.as_numbers(canvas.masks, self.classes)


def _mix_boxes(canvas, partner, window, chosen):
    own, labels = canvas.boxes, canvas.box_labels
    other = ops.take(own, partner, axis=0)
    if labels is not None:
        labels = ops.concatenate([labels, ops.take(labels, partner, axis=0)], axis=1)
    own_area, area = boxes.area(own), boxes.area(other)
    if window is not None:
        edges = [canvas.per_image(edge)[:, None] for edge in window]
        seen = boxes.clip(other, *edges)
        left = own_area - boxes.area(boxes.clip(own, *edges))
        # A difference of areas that are the same may be a rounding error.
        kept = (left > 1e-6 * own_area) & (left >= canvas.min_visible * own_area)
        own_kept = ops.where(kept[..., None], own, ops.zeros_like(own))
    else:
        seen, own_kept = other, own
    # A sample that was dealt itself has each object once.
    mixed = partner != ops.arange(ops.shape(own)[0], dtype="int32")
    if chosen is not None:
        mixed = mixed & canvas.per_image(chosen.mask)
    mixed = mixed[:, None, None]
    own_kept = ops.where(mixed, own_kept, own)
    seen = ops.where(mixed, seen, ops.zeros_like(seen))
    canvas.box_labels = labels
    whole = ops.concatenate([own_area, area], axis=1)
    canvas.put_boxes(ops.concatenate([own_kept, seen], axis=1), whole)
