"""The family of losses of boxes."""

from typing import Any

from perfkit.losses._places import PlaceLoss


class BoxOverlap(PlaceLoss):
    """Compare boxes with boxes by what they have in common, whatever their size.

    A box costs 1 less `overlap`, in float32. Boxes that do not count get the sample
    weight 0; with the reduction `"mean_with_sample_weight"` they do not count in the
    average either. A mask of the predictions leaves places out of it in any case.

    Args:
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the predictions come in.

    Shape:
        Boxes `xyxy` and predicted ones `(batch, ..., 4)`, in pixels or in anything
        that is alike across and down; weights `(batch, ...)`.
    """

    def overlap(self, boxes_1, boxes_2) -> Any:
        """What boxes `(..., 4)` have in common with those at the same place."""
        raise NotImplementedError

    def call(self, y_true, y_pred):
        if y_true.shape[-1] != 4 or y_pred.shape[-1] != 4:
            raise ValueError(
                f"{self.name}: boxes must have 4 edges along the last axis. Received: "
                f"boxes of shape {tuple(y_true.shape)}, predictions of "
                f"{tuple(y_pred.shape)}"
            )
        return 1.0 - self.overlap(y_true, y_pred)
