"""The teacher's predictions as targets."""

from typing import Any

import keras

from perfkit import _check
from perfkit._config import Configured
from perfkit.ops import distillation


@keras.saving.register_keras_serializable(package="perfkit")
class SoftTargets(Configured, keras.distillation.DistillationLoss):
    """Have the student predict the softened classes that the teacher predicts.

    `keras.distillation.LogitsDistillation` of the Kullback-Leibler divergence, for
    models that return logits and for those that end in a softmax, whichever of both
    does. Of several outputs the sum.

    Args:
        temperature: What logits are divided by. Above 0; 1 leaves them as they are,
            larger ones show more of what the teacher takes for less likely.

    Shape:
        Predictions `(batch, ..., classes)` of two classes or more.

    Raises:
        ValueError: If `temperature` is out of bounds; at the call, if there is one
            class alone.

    Example:
        >>> import numpy as np
        >>> teacher = np.array([[0.5, 0.5]])
        >>> loss = SoftTargets(temperature=1.0)
        >>> round(float(loss.compute_loss(teacher, np.array([[0.8, 0.2]]))), 4)
        0.2231
        >>> round(float(loss.compute_loss(teacher, np.log([[4.0, 1.0]]))), 4)
        0.2231

    Reference: Hinton et al., Distilling the Knowledge in a Neural Network, 2015, arXiv
        1503.02531. None of theirs is changed. `LogitsDistillation` is given the
        divergence as an object; as a name, which is Keras's default, it is taken of the
        logits themselves.
    """

    def __init__(self, temperature=4.0):
        self.temperature = _check.positive("SoftTargets", "temperature", temperature)
        divergence: Any = keras.losses.KLDivergence()
        self._of_logits = keras.distillation.LogitsDistillation(
            self.temperature, divergence
        )

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):  # noqa: ARG002
        pairs = zip(
            keras.tree.flatten(teacher_outputs),
            keras.tree.flatten(student_outputs),
            strict=True,
        )
        return sum(self._of_one(*pair) for pair in pairs)

    def _of_one(self, teacher, student) -> Any:
        if teacher.shape[-1] == 1:
            raise ValueError(
                "`SoftTargets` needs predictions of two classes or more. Received: "
                f"predictions of shape {tuple(teacher.shape)}"
            )
        teacher, student = map(distillation.as_logits, (teacher, student))
        return self._of_logits.compute_loss(teacher, student)

    @classmethod
    def from_config(cls, config):
        return cls(**config)
