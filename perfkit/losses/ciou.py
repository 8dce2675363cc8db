"""Complete intersection over union as a loss."""

import keras

from perfkit.losses.box_overlap import BoxOverlap
from perfkit.ops.detection import overlaps


@keras.saving.register_keras_serializable(package="perfkit")
class CIoU(BoxOverlap):
    """Compare boxes by overlap, distance of their centres and ratio of their sides.

    It pulls the centres together, where `GIoU` first makes a box larger until they
    meet, and takes fewer steps for it.

    Args:
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the predictions come in.

    Shape:
        See `BoxOverlap`.

    Raises:
        ValueError: At the call, if boxes do not have 4 edges.

    Example:
        >>> loss = CIoU()
        >>> beside = float(loss([[0.0, 0.0, 2.0, 2.0]], [[4.0, 0.0, 6.0, 2.0]]))
        >>> round(beside, 4)
        1.4

    Reference: Zheng et al., Distance-IoU Loss, 2019, arXiv 1911.08287. The weight of
        the ratios is held fixed, as there; Keras's `compute_ciou` has a slope through
        it.
    """

    def __init__(
        self, *, reduction="sum_over_batch_size", name="ciou", dtype="float32"
    ):
        super().__init__(reduction=reduction, name=name, dtype=dtype)

    def overlap(self, boxes_1, boxes_2):
        return overlaps.complete(boxes_1, boxes_2)
