"""The family of losses of what layers make."""

from typing import Any

import keras

from perfkit import _check, _replicas
from perfkit._config import Configured


class LayerDistillation(Configured, keras.distillation.DistillationLoss):
    """Compare what a layer of the student makes with what one of the teacher makes.

    A loss of one's own has a method `distance`.

    Args:
        teacher_layer_name: Name of a layer of the teacher, or, in
            `perfkit.transfer.Distiller`, its path from the model on, such as
            `"backbone/conv"`. None for what the model returns.
        student_layer_name: The same of the student. None if and only if the other is.
    """

    def __init__(self, teacher_layer_name=None, student_layer_name=None):
        owner = type(self).__name__
        names = {
            "teacher_layer_name": teacher_layer_name,
            "student_layer_name": student_layer_name,
        }
        for name, value in names.items():
            if value is not None:
                _check.instance(owner, name, value, str)
        if (teacher_layer_name is None) != (student_layer_name is None):
            missing = min(names, key=lambda name: names[name] is not None)
            _check.fail(owner, missing, "given where that of the other is", None)
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name

    def bridge(self, teacher_shape, student_shape) -> Any:  # noqa: ARG002
        """Make a layer to put behind the student's, or None if none is needed.

        `Distiller` trains it with the student. No part of the student, it is gone
        afterwards.

        Args:
            teacher_shape: Shape of what the teacher's layer makes, with `None`s.
            student_shape: The same of the student.
        """
        return None

    def distance(self, teacher_outputs, student_outputs) -> Any:
        """Distance of what both layers make, a mean over the batch.

        Args:
            teacher_outputs: What the teacher's layer makes.
            student_outputs: The same of the student, behind the bridge.
        """
        raise NotImplementedError

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):  # noqa: ARG002
        """Take `distance`, as a share of the batch of all replicas, as Keras does."""
        return self.distance(teacher_outputs, student_outputs) / _replicas.replicas()

    @classmethod
    def from_config(cls, config):
        return cls(**config)
