"""The family of operations that mix samples of any kind but images."""

from typing import Any

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment import _labels
from perfkit.augment.operation import Operation
from perfkit.ops import clip


class BlendAugment(Operation):
    """Mix each sample with another of the batch, its labels in proportion.

    Labels that are classes, of shape `(batch,)` or `(batch, 1)` and integer, become
    one-hot of `classes`; one-hot labels and other numbers are mixed as they are, in
    float32 at least. Of `"lengths"` the longer counts. At inference nothing is mixed,
    but classes become one-hot all the same.

    Args:
        classes: Number of classes. Needed for integer labels.
        **kwargs: See `Operation` (`rate`, `seed`, ...).
    """

    mixes = True

    def __init__(self, *, classes=None, **kwargs):
        super().__init__(**kwargs)
        if classes is not None:
            classes = _check.integer(type(self).__name__, "classes", classes, 2)
        self.classes = classes

    def share(self, params, size) -> Any:
        """Operation: how much values keep, for samples of `size`: `(batch, 1, ...)`.

        0 to 1, in axes that are those of a sample or of length 1.
        """
        raise NotImplementedError

    def check_inputs(self, inputs):
        main = self.modality.main
        if "labels" not in inputs:
            raise ValueError(
                f"{self.name}: mixing {main} needs their 'labels' beside the '{main}' "
                f"in a dict. Received the keys: {sorted(inputs)}"
            )
        if self.classes is None and _labels.are_classes(inputs["labels"]):
            _labels.refuse_classes(self, "labels", inputs["labels"])
        if self.classes is not None:
            _labels.check_classes(self, "labels", inputs["labels"])

    def at_inference(self, batch):
        return None if self.classes is None else {}  # only to encode classes

    def transform(self, canvas, params, chosen):
        _labels.encode(canvas, self.classes)
        if not params:
            return
        partner, share = params["partner"], self.share(params, canvas.size)
        axes = tuple(range(1, len(share.shape)))
        if chosen is not None:
            mask = ops.reshape(chosen.mask, (-1,) + (1,) * len(axes))
            share = ops.where(mask, share, 1.0)
        kept = ops.mean(share, axis=axes)
        values = own = canvas.parts[canvas.main]
        other = ops.take(values, partner, axis=0)
        changed = share < 1.0
        parts = dict(canvas.parts)
        if "lengths" in parts:
            lengths = parts["lengths"]
            theirs = ops.take(lengths, partner, axis=0)
            longer = ops.maximum(lengths, theirs)
            parts["lengths"] = ops.where(kept < 1.0, longer, lengths)

            def inside(length):
                length = ops.reshape(length, (-1,) + (1,) * len(axes))
                return clip.inside(length, canvas.size[0])

            own = ops.where(inside(lengths), own, 0.0)
            other = ops.where(inside(theirs), other, 0.0)
            changed = changed & inside(longer)
        # Not by a product with 0, which leaves NaN.
        mixed = ops.where(share > 0.0, own * share + other * (1.0 - share), other)
        parts[canvas.main] = ops.where(changed, mixed, values)
        canvas.parts = parts
        _labels.blend(canvas, partner, kept)
