"""How samples lie in relation to each other as a target."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import distillation
from perfkit.transfer.distillation.layer_distillation import LayerDistillation


@keras.saving.register_keras_serializable(package="perfkit")
class RelationalDistillation(LayerDistillation):
    """Have samples lie to each other as they do for the teacher.

    Compares the distances of each pair of samples in a batch, as shares of the mean
    distance, and the cosines of the angles in each triple. Widths may differ. Angles
    take memory of `batch ** 3` numbers.

    Args:
        teacher_layer_name: See `LayerDistillation`.
        student_layer_name: See `LayerDistillation`.
        distance_weight: Factor of the mean Huber loss of distances. At least 0.
        angle_weight: Factor of the mean Huber loss of cosines. At least 0.

    Shape:
        Features `(batch, ...)`, taken for rows of numbers. Three samples or more, or
        there are no angles.

    Raises:
        TypeError: If a layer's name is no text.
        ValueError: If only one is given, or a weight is out of bounds or both are 0.

    Example:
        >>> import numpy as np
        >>> loss = RelationalDistillation("embedding", "embedding")
        >>> teacher = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> float(loss.compute_loss(teacher, 10 * teacher)) < 1e-6
        True

    Reference: Park et al., Relational Knowledge Distillation, 2019, arXiv 1904.05068.
        They sum over pairs and triples; here it is the mean over those of different
        samples.
    """

    def __init__(
        self,
        teacher_layer_name=None,
        student_layer_name=None,
        *,
        distance_weight=1.0,
        angle_weight=2.0,
    ):
        super().__init__(teacher_layer_name, student_layer_name)
        owner = "RelationalDistillation"
        self.distance_weight = _check.number(
            owner, "distance_weight", distance_weight, 0.0
        )
        self.angle_weight = _check.number(owner, "angle_weight", angle_weight, 0.0)
        if not self.distance_weight + self.angle_weight:
            _check.fail(owner, "angle_weight", "above 0 if the other is 0", 0.0)

    def distance(self, teacher_outputs, student_outputs):
        teacher, student = map(_rows, (teacher_outputs, student_outputs))
        loss = ops.zeros(())
        if self.distance_weight:
            apart = distillation.relations(
                teacher, student, distillation.distances, order=2
            )
            loss = loss + self.distance_weight * apart
        if self.angle_weight:
            apart = distillation.relations(
                teacher, student, distillation.angles, order=3
            )
            loss = loss + self.angle_weight * apart
        return loss


def _rows(features):
    features = ops.cast(features, "float32")
    return ops.reshape(features, (ops.shape(features)[0], -1))
