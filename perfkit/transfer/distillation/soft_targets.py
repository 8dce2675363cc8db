"""The teacher's predictions as targets."""

from typing import Any

import keras

from perfkit import _check, _replicas
from perfkit._config import Configured
from perfkit.graph.endings import last_activations, output_shapes
from perfkit.ops import distillation


@keras.saving.register_keras_serializable(package="perfkit")
class SoftTargets(Configured, keras.distillation.DistillationLoss):
    """Have the student predict the softened classes that the teacher predicts.

    `keras.distillation.LogitsDistillation` of the Kullback-Leibler divergence, for
    models that return logits and for those that end in a softmax, whichever of both
    does. With `multi_label=True` for labels that do not exclude each other: the mean
    over the labels of the divergence of yes and no, for logits and for models that end
    in a sigmoid. Of several outputs the sum.

    `Distiller` and `MutualLearning` see by the last layer of a model which of both it
    returns, and refuse one that shows that the other kind is meant. Of a model that
    ends otherwise, numbers that are no probabilities are taken for logits.

    Args:
        temperature: What logits are divided by. Above 0; 1 leaves them as they are,
            larger ones show more of what the teacher takes for less likely.
        multi_label: Whether each label is a prediction of its own, as `classifier` with
            `multi_label=True` makes them, or one of classes that exclude each other.

    Shape:
        Predictions `(batch, ..., classes)` of two classes or more; with `multi_label`
        one will do.

    Raises:
        TypeError: If `multi_label` is neither true nor false.
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

    def __init__(self, temperature=4.0, *, multi_label=False):
        self.multi_label = _check.boolean("SoftTargets", "multi_label", multi_label)
        self.temperature = _check.positive("SoftTargets", "temperature", temperature)
        divergence: Any = keras.losses.KLDivergence()
        self._of_logits = keras.distillation.LogitsDistillation(
            self.temperature, divergence
        )

    def compute_loss(
        self,
        teacher_outputs,
        student_outputs,
        forms=(None, None),
        **kwargs,  # noqa: ARG002  Keras may give more
    ):
        """Return the distance of predictions.

        Args:
            teacher_outputs: A tensor, or several.
            student_outputs: The same.
            forms: Of both, whether they are `"logits"` or `"probabilities"`. None where
                that is to be told by the numbers of the batch.
            **kwargs: Not used.
        """
        pairs = zip(
            keras.tree.flatten(teacher_outputs),
            keras.tree.flatten(student_outputs),
            strict=True,
        )
        return sum(self._of_one(*pair, forms) for pair in pairs)

    def check(self, owner, name, model) -> None:
        """Check that the last layer of a model is not for targets of the other kind.

        Args:
            owner: Name of the caller, for errors.
            name: Name of its argument, for errors.
            model: A `keras.Model`.
        """
        ends = last_activations(model)
        if "sigmoid" in ends and not self.multi_label:
            expected = "a model of classes that exclude each other, or "
            expected += "`SoftTargets(multi_label=True)`, as it ends in a sigmoid"
            _check.fail(owner, name, expected, model)
        if "softmax" in ends and self.multi_label:
            expected = "a model of labels that do not exclude each other, or "
            expected += "`SoftTargets()`, as it ends in a softmax"
            _check.fail(owner, name, expected, model)

    def _of_one(self, teacher, student, forms) -> Any:
        both = teacher, student
        if self.multi_label:
            teacher, student = map(distillation.as_logits_of_labels, both, forms)
            apart = distillation.divergence_of_labels(
                teacher, student, self.temperature
            )
            return apart / _replicas.replicas()  # as Keras's losses
        if teacher.shape[-1] == 1:
            raise ValueError(
                "`SoftTargets` needs predictions of two classes or more, or "
                "`multi_label=True`. Received: predictions "
                f" of shape {tuple(teacher.shape)}"
            )
        teacher, student = map(distillation.as_logits, both, forms)
        return self._of_logits.compute_loss(teacher, student)

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def check_alike(owner, name, model, other) -> None:
    """Check that predictions of two models can be compared, where they say.

    Args:
        owner: Name of the caller, for errors.
        name: Name of the argument of `model`, for errors.
        model: A `keras.Model`.
        other: The same, a student.
    """
    theirs, ours = output_shapes(model), output_shapes(other)
    if not theirs or not ours:
        return
    classes = [[shape[-1:] for shape in shapes] for shapes in (theirs, ours)]
    if classes[0] != classes[1]:
        expected = f"a model that returns what a student does, of shape {ours}"
        _check.fail(owner, name, expected, f"one of {theirs}")
