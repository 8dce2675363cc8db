"""A student that learns from a teacher and from labels."""

from typing import Any, NamedTuple

import keras

from perfkit import _check, _replicas
from perfkit._backend import ops
from perfkit.graph import features
from perfkit.transfer.distillation import ema_teacher
from perfkit.transfer.distillation._forms import form
from perfkit.transfer.distillation.average_teacher import AverageTeacher
from perfkit.transfer.distillation.ema_teacher import EMATeacher
from perfkit.transfer.distillation.soft_targets import SoftTargets, check_alike


class Passed(NamedTuple):
    """What a pass in training makes, where losses look at layers.

    Attributes:
        predictions: What the model returns.
        features: What its layers make.
    """

    predictions: Any
    features: Any


class Distiller(keras.Model):
    """Train a student on labels and on what its teacher makes of the same inputs.

    The loss is `student_loss_weight` times that of `compile` plus the rest times the
    sum of the distillation losses; penalties of the student's weights are added whole.
    The student passes once a step, the teacher as in inference. Evaluating and
    predicting are the student's own, its loss that of the labels.

    Unlike `keras.distillation.Distiller` it heeds sample weights, in the loss of the
    labels, and penalties, finds layers inside nested models, puts bridges between
    layers of different sizes, and leaves the teacher's `trainable` as it is. Save
    `student`, which stays a plain model; to go on with a run, `save_weights` of this.

    Args:
        teacher: A built `keras.Model`, or an `EMATeacher`. Nothing in it changes,
            except that the latter follows the student.
        student: A built `keras.Model`.
        distillation_losses: A `keras.distillation.DistillationLoss` or a list of them,
            such as `SoftTargets()`. Those of layers need Functional or Sequential
            models.
        distillation_loss_weights: Factor of each, at least 0. None for 1.
        student_loss_weight: Share of the loss of the labels. Within [0, 1]; at 1 the
            student is trained as without a teacher.
        **kwargs: See `keras.Model`.

    Shape:
        Inputs of both models, outputs of the student.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the teacher has weights that the student trains, or a weight is
            out of bounds, or a layer is not found or cannot be compared, or a model is
            not of the kind that `SoftTargets` is for; at the call to `fit`, if
            shapes do not fit.

    Example:
        >>> from perfkit.transfer import SoftTargets
        >>> import numpy as np
        >>> def network(width):
        ...     layers = [keras.layers.Dense(width), keras.layers.Dense(2)]
        ...     return keras.Sequential([keras.Input((3,)), *layers])
        >>> teacher, student = network(8), network(1)
        >>> model = Distiller(teacher, student, SoftTargets(2.0))
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile("adam", loss)
        >>> history = model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
        >>> sorted(history.history)
        ['distillation_loss', 'loss']

    Reference: Hinton et al., Distilling the Knowledge in a Neural Network, 2015, arXiv
        1503.02531. Gradients of the teacher's part are scaled by the square of the
        temperature, as there.
    """

    def __init__(
        self,
        teacher,
        student,
        distillation_losses,
        distillation_loss_weights=None,
        student_loss_weight=0.5,
        **kwargs,
    ):
        owner = "Distiller"
        _check.instance(owner, "teacher", teacher, (keras.Model, EMATeacher))
        _check.instance(owner, "student", student, keras.Model)
        losses = listed(owner, "distillation_losses", distillation_losses)
        weights = distillation_loss_weights
        weights = [1.0] * len(losses) if weights is None else weights
        share = _check.unit(owner, "student_loss_weight", student_loss_weight)
        super().__init__(**kwargs)
        self.student_loss_weight = share
        self.distillation_losses = losses
        self.distillation_loss_weights = _check.odds(
            owner, "distillation_loss_weights", weights, len(losses), "loss"
        )
        self.teacher = teacher
        self.student = student
        network = teacher.model if isinstance(teacher, EMATeacher) else teacher
        self._forms = {"forms": (form(network), form(student))}
        check_apart(owner, network, student)
        _check_targets(network, student, losses)
        self._teacher_pass, self._teacher_names = _watched(
            "teacher", "teacher_layer_name", network, losses
        )
        self._student_pass, self._student_names = _watched(
            "student", "student_layer_name", student, losses
        )
        self._bridges = self._make_bridges()
        self._distillation_tracker = keras.metrics.Mean(name="distillation_loss")
        self.built = True

    def _make_bridges(self):
        bridges = {}
        for number, loss in enumerate(self.distillation_losses):
            teacher, student = self._names(loss)
            if teacher is None or not hasattr(loss, "bridge"):
                continue
            shapes = (
                self._teacher_pass.output[1][self._teacher_names.index(teacher)].shape,
                self._student_pass.output[1][self._student_names.index(student)].shape,
            )
            bridge = loss.bridge(*shapes)
            if bridge is not None:
                bridge.build(shapes[1])
                bridges[str(number)] = bridge
        return bridges

    @staticmethod
    def _names(loss):
        names = ("teacher_layer_name", "student_layer_name")
        return tuple(getattr(loss, name, None) for name in names)

    def _of_teacher(self):
        """Variables that no gradient is for."""
        own = {id(variable) for variable in self.student.variables}
        return {id(variable) for variable in self.teacher.variables} - own

    @property
    def trainable_variables(self):
        taught = self._of_teacher()
        return [v for v in super().trainable_variables if id(v) not in taught]

    @property
    def non_trainable_variables(self):
        trained = {id(variable) for variable in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trained]

    @property
    def trainable_weights(self):
        taught = self._of_teacher()
        return [v for v in super().trainable_weights if id(v) not in taught]

    @property
    def non_trainable_weights(self):
        trained = {id(variable) for variable in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trained]

    @property
    def output_names(self):
        """Names by which losses and metrics of several outputs go."""
        return self.student.output_names

    def call(self, inputs, training=None):
        outputs: Any = self._student_pass(inputs, training=training)
        if not self._student_names:
            return outputs
        return Passed(*outputs) if training else outputs[0]

    def taught(self, x):
        """What the teacher makes of inputs: all that the losses look at."""
        outputs: Any = self._teacher_pass(x, training=False)
        passed = outputs if self._teacher_names else (outputs, [])
        still: Any = keras.tree.map_structure(ops.stop_gradient, passed)
        return Passed(*still)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        return self.taught_loss(
            lambda: self.taught(x), x, y, y_pred, sample_weight, training
        )

    def taught_loss(self, taught, x, y, y_pred, sample_weight, training) -> Any:
        """The loss, from a function of what the teacher makes; see `compute_loss`."""
        passed = y_pred if isinstance(y_pred, Passed) else Passed(y_pred, [])
        of_labels: Any = super().compute_loss(
            x, y, passed.predictions, sample_weight, training
        )
        share = self.student_loss_weight
        if not training or share == 1.0:
            return of_labels
        penalties = sum(self.losses) / _replicas.replicas()  # as in `of_labels`
        apart = self._distances(taught(), passed)
        self._distillation_tracker.update_state(apart * _replicas.replicas())
        return share * of_labels + (1.0 - share) * (apart + penalties)

    def _distances(self, taught, passed):
        total = 0.0
        for number, loss in enumerate(self.distillation_losses):
            teacher, student = self._names(loss)
            theirs, ours = taught.predictions, passed.predictions
            if teacher is not None:
                theirs = taught.features[self._teacher_names.index(teacher)]
            if student is not None:
                ours = passed.features[self._student_names.index(student)]
            if str(number) in self._bridges:
                ours = self._bridges[str(number)](ours)
            loss.validate_outputs(theirs, ours)
            forms = self._forms if isinstance(loss, SoftTargets) else {}
            apart = loss.compute_loss(theirs, ours, **forms)
            total = total + self.distillation_loss_weights[number] * apart
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if isinstance(y_pred, Passed):
            y_pred = y_pred.predictions
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def get_config(self):
        raise NotImplementedError(
            "A `Distiller` is not saved. Save its `student`, a plain model; to go on "
            "with a run, `save_weights`, or `keras.callbacks.BackupAndRestore`."
        )

    def train_step(self, *arguments):
        if isinstance(self.teacher, EMATeacher):
            return ema_teacher.followed(self, super().train_step, *arguments)
        return super().train_step(*arguments)

    def test_step(self, *arguments):
        result: Any = super().test_step(*arguments)
        logs = result[0] if isinstance(result, tuple) else result
        logs.pop(self._distillation_tracker.name, None)  # there is no teacher here
        return result


def listed(owner, name, losses) -> list[Any]:
    """Check distillation losses; one becomes a list."""
    losses = list(losses) if isinstance(losses, (list, tuple)) else [losses]
    kind = keras.distillation.DistillationLoss
    for loss in losses:
        _check.instance(owner, name, loss, kind)
        bare = getattr(loss, "loss", None) is keras.losses.kl_divergence
        if bare and isinstance(loss, keras.distillation.LogitsDistillation):
            expected = "`perfkit.transfer.SoftTargets(temperature)`, or given "
            expected += "`loss=keras.losses.KLDivergence()`: by its name Keras takes "
            expected += "the divergence of logits, which are no distribution"
            _check.fail(owner, name, expected, loss)
    if not losses:
        _check.fail(owner, name, "at least one loss", losses)
    return losses


def check_apart(owner, teacher, student) -> None:
    """Check that to train the student does not change the teacher."""
    learning = {id(variable) for variable in student.trainable_variables}
    shared = [v.path for v in teacher.variables if id(v) in learning]
    if shared:
        expected = "a model of other weights than those `student` trains, such as "
        expected += f"`EMATeacher(student)`; both have {shared[0]}"
        _check.fail(owner, "teacher", expected, teacher)


def _check_targets(teacher, student, losses):
    average = isinstance(teacher, AverageTeacher)
    for loss in losses:
        if isinstance(loss, SoftTargets):
            loss.check("Distiller", "teacher", teacher)
            loss.check("Distiller", "student", student)
            check_alike("Distiller", "teacher", teacher, student)
            if average and loss.multi_label:
                expected = "no `AverageTeacher`, whose classes exclude each other, "
                expected += "with `SoftTargets(multi_label=True)`"
                _check.fail("Distiller", "teacher", expected, teacher)
        if not average:
            continue
        warm = getattr(loss, "temperature", teacher.temperature)
        if warm != teacher.temperature:
            expected = f"of the losses' temperature, {warm}, at which it softens"
            _check.fail("Distiller", "teacher", expected, teacher.temperature)


def _watched(argument, attribute, model, losses):
    """A model that also returns what the losses look at, and the names of that."""
    names = [getattr(loss, attribute, None) for loss in losses]
    names = list(dict.fromkeys(name for name in names if name is not None))
    if not names:
        return model, names
    _check.instance("Distiller", argument, model, keras.Model)
    return features.exposed("Distiller", attribute, model, names), names
