"""Generalized intersection over union as a loss."""

import keras

from perfkit.losses.box_overlap import BoxOverlap
from perfkit.ops.detection import overlaps


@keras.saving.register_keras_serializable(package="perfkit")
class GIoU(BoxOverlap):
    """Compare boxes by their overlap, and by what both leave of the box around them.

    Boxes that do not meet have a slope, too: 1 is for no overlap and no gap, 2 for far
    apart.

    Args:
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the predictions come in.

    Shape:
        See `BoxOverlap`.

    Raises:
        ValueError: At the call, if boxes do not have 4 edges.

    Example:
        >>> loss = GIoU()
        >>> beside = float(loss([[0.0, 0.0, 2.0, 2.0]], [[4.0, 0.0, 6.0, 2.0]]))
        >>> round(beside, 4)
        1.3333

    Reference: Rezatofighi et al., Generalized Intersection over Union, 2019, arXiv
        1902.09630.
    """

    def __init__(
        self, *, reduction="sum_over_batch_size", name="giou", dtype="float32"
    ):
        super().__init__(reduction=reduction, name=name, dtype=dtype)

    def overlap(self, boxes_1, boxes_2):
        return overlaps.generalized(boxes_1, boxes_2)
