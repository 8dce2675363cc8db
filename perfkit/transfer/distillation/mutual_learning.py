"""Students that teach each other."""

import itertools

import keras

from perfkit import _check, _replicas
from perfkit._backend import ops
from perfkit.transfer.distillation._forms import form
from perfkit.transfer.distillation.soft_targets import SoftTargets, check_alike


class MutualLearning(keras.Model):
    """Train several students at once, each on labels and on what the others predict.

    The loss is the sum over the students of that of `compile`, and `weight` times the
    mean of the distillation loss to each of the others, which teach without learning
    from it. Metrics are means over the students, of whom each predicts alone. Calling
    the model or predicting returns a list. Save the students, which stay plain models.

    Args:
        students: Two or more built `keras.Model` of the same inputs and outputs. The
            same architecture will do, from other start weights.
        distillation_loss: A `keras.distillation.DistillationLoss` of predictions. None
            for `SoftTargets(1.0)`.
        weight: Factor of what the others teach. At least 0; at 0 the students are
            trained each for itself.
        **kwargs: See `keras.Model`.

    Shape:
        Inputs of the students; a list of their outputs.

    Raises:
        TypeError: If a student is no model, or the loss is no distillation loss.
        ValueError: If there are too few or one comes twice, or `weight` is out of
            bounds, or the loss is one of layers or does not fit what a student ends in.

    Example:
        >>> import numpy as np
        >>> def network(width):
        ...     layers = [keras.layers.Dense(width), keras.layers.Dense(2)]
        ...     return keras.Sequential([keras.Input((3,)), *layers])
        >>> model = MutualLearning([network(4), network(8)])
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile("adam", loss)
        >>> history = model.fit(np.ones((4, 3)), np.ones(4), verbose=0)

    Reference: Zhang et al., Deep Mutual Learning, 2017, arXiv 1706.00384. They update
        one student after the other; here all learn from the same predictions.
    """

    def __init__(self, students, distillation_loss=None, weight=1.0, **kwargs):
        owner = "MutualLearning"
        if not isinstance(students, (list, tuple)) or len(students) < 2:
            _check.fail(owner, "students", "a list of two models or more", students)
        for student in students:
            _check.instance(owner, "students", student, keras.Model)
        if len(set(map(id, students))) < len(students):
            _check.fail(owner, "students", "different models", students)
        loss = SoftTargets(1.0) if distillation_loss is None else distillation_loss
        kind = keras.distillation.DistillationLoss
        _check.instance(owner, "distillation_loss", loss, kind)
        if getattr(loss, "student_layer_name", None) is not None:
            _check.fail(owner, "distillation_loss", "a loss of predictions", loss)
        for student in students if isinstance(loss, SoftTargets) else ():
            loss.check(owner, "students", student)
            check_alike(owner, "students", student, students[0])
        weight = _check.number(owner, "weight", weight, 0.0)
        super().__init__(**kwargs)
        self.students = list(students)
        self._forms = [form(student) for student in students]
        self.distillation_loss = loss
        self.weight = weight
        self.built = all(student.built for student in students)

    @property
    def student(self) -> keras.Model:
        """The first of the students."""
        return self.students[0]

    @property
    def output_names(self):
        """Names by which losses and metrics of several outputs go."""
        return self.students[0].output_names

    def call(self, inputs, training=None):
        return [student(inputs, training=training) for student in self.students]

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        predictions = list(y_pred or [])
        penalties = sum(self.losses) / _replicas.replicas()  # as Keras adds them
        total = penalties
        for student in predictions:
            of_labels = super().compute_loss(x, y, student, sample_weight, training)
            total = total + (of_labels - penalties)
        if not training or not self.weight:
            return total
        share = self.weight / (len(predictions) - 1)
        soft = isinstance(self.distillation_loss, SoftTargets)
        pairs = list(zip(self._forms, predictions, strict=True))
        for (theirs, teacher), (ours, student) in itertools.permutations(pairs, 2):
            apart = self.distillation_loss.compute_loss(
                keras.tree.map_structure(ops.stop_gradient, teacher),
                student,
                **({"forms": (theirs, ours)} if soft else {}),
            )
            total = total + share * apart
        return total

    def get_config(self):
        raise NotImplementedError(
            "A `MutualLearning` is not saved. Save its `students`, plain models; to go "
            "on with a run, `save_weights`, or `keras.callbacks.BackupAndRestore`."
        )

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        logs = {}
        for student in y_pred:
            logs = super().compute_metrics(x, y, student, sample_weight)
        return logs
