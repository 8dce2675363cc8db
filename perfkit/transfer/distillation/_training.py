"""Training with and without a teacher, the same but for that."""

import dataclasses
from typing import Any

import keras

from perfkit import _check
from perfkit._train_step import attach, chain
from perfkit.transfer._shuffled import ShuffledBatches, samples
from perfkit.transfer.distillation._forms import conversion
from perfkit.transfer.distillation.distiller import Distiller, Passed
from perfkit.transfer.distillation.mutual_learning import MutualLearning

QUIET: Any = {"verbose": 0}


class Alone(keras.Model):
    """A network that is trained or judged without being compiled itself."""

    def __init__(self, student):
        super().__init__()
        self.student = student
        self.built = student.built

    @property
    def output_names(self):
        """Names by which losses and metrics of several outputs go."""
        return self.student.output_names

    def call(self, inputs, training=None):
        return self.student(inputs, training=training)


class Judged(Alone):
    """A teacher whose predictions are brought to the form of its student's."""

    def __init__(self, teacher, convert):
        super().__init__(teacher)
        self._convert = convert

    def call(self, inputs, training=None):  # noqa: ARG002  it never learns
        return self._convert(self.student(inputs, training=False))


class Remembering(Distiller):
    """A distiller whose labels in training come with what the teacher predicted."""

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        y, taught = _parted(y)
        if taught is not None:  # where lists came as tuples
            taught = keras.tree.pack_sequence_as(y_pred, keras.tree.flatten(taught))
        return self.taught_loss(
            lambda: Passed(taught, []), x, y, y_pred, sample_weight, training
        )

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, _parted(y)[0], y_pred, sample_weight)


def _parted(y):
    known = isinstance(y, dict) and set(y) == {"labels", "taught"}
    return (y["labels"], y["taught"]) if known else (y, None)


@dataclasses.dataclass(frozen=True)
class Training:
    """What all runs have in common.

    Attributes:
        compiling: Arguments of `compile`.
        data: As `distill` takes them.
        validation_data: The same.
        epochs: Epochs of a run.
        batch_size: Samples in a batch of arrays.
        callbacks: For each `fit`.
    """

    compiling: dict[str, Any]
    data: Any
    validation_data: Any
    epochs: int
    batch_size: int
    callbacks: list[Any]

    def fit(self, model, seed, taught=None) -> dict[str, list[float]]:
        """Train a model; return what `fit` noted.

        Args:
            model: `Alone` or a `Distiller`; a `Remembering` if there is `taught`.
            seed: Of the order of arrays.
            taught: What the teacher predicts of each sample, or None.
        """
        data = made(self.data)
        if of_arrays(data):
            x, y, *weights = data
            y = y if taught is None else {"labels": y, "taught": taught}
            plain: Any = keras.tree.lists_to_tuples([x, y, *weights])
            x, y, *weights = plain
            data = ShuffledBatches((x, y, *weights), self.batch_size, True, seed)
        self._compile(model)
        history = model.fit(
            data,
            epochs=self.epochs,
            shuffle=False,
            callbacks=self.callbacks,
            verbose=0,
            **self._validation(),
        )
        return history.history

    def scores(self, judged) -> dict[str, float]:
        """What `evaluate` says of a model, which is compiled for it; or nothing."""
        validation = self._validation()
        if not validation:
            return {}
        self._compile(judged)
        data = validation["validation_data"]
        if not of_arrays(data):
            return judged.evaluate(data, return_dict=True, **QUIET)
        return judged.evaluate(
            *data[:2],
            sample_weight=data[2] if len(data) > 2 else None,
            batch_size=self.batch_size,
            return_dict=True,
            **QUIET,
        )

    def _validation(self):
        data = made(self.validation_data)
        if data is None:
            return {}
        if of_arrays(data):
            return {"validation_data": data, "validation_batch_size": self.batch_size}
        return {"validation_data": data}

    def _compile(self, model):
        model.compile(**{name: fresh(value) for name, value in self.compiling.items()})
        if any(hasattr(one, "around") for one in chain(model.optimizer)):
            attach(model)


@dataclasses.dataclass(frozen=True)
class Teaching:
    """How students are taught.

    Attributes:
        training: What it has in common with the control.
        losses: See `Distiller`.
        loss_weights: See `Distiller`.
        student_loss_weight: See `Distiller`.
        cache: Whether to ask a teacher once for each sample, where that is the same.
    """

    training: Training
    losses: Any
    loss_weights: Any
    student_loss_weight: float
    cache: bool
    _known: dict[tuple[str, int], Any] = dataclasses.field(default_factory=dict)

    def distiller(self, teacher, student) -> Any:
        """Put a student and its teacher together, which may be done already."""
        if isinstance(teacher, MutualLearning):
            if teacher.student is not student:
                expected = "a `MutualLearning` whose first student is the one it got"
                _check.fail("distill", "teacher", expected, teacher)
            if self.training.validation_data is None:
                expected = "given, as a `MutualLearning` notes means over its students"
                _check.fail("distill", "validation_data", expected, None)
            return teacher
        remembers = (
            self.cache
            and self.student_loss_weight < 1.0
            and of_arrays(self.training.data)
            and isinstance(teacher, keras.Model)
            and not any(
                getattr(loss, "teacher_layer_name", None)
                for loss in keras.tree.flatten(self.losses)
            )
        )
        kind = Remembering if remembers else Distiller
        return kind(
            teacher, student, self.losses, self.loss_weights, self.student_loss_weight
        )

    def fit(self, distiller, seed) -> dict[str, list[float]]:
        """Train a student; return what `fit` noted."""
        taught = None
        if isinstance(distiller, Remembering):
            taught = self._once("taught", distiller.teacher, self._predicted)
        history = self.training.fit(distiller, seed, taught)
        if isinstance(distiller, MutualLearning):  # of which metrics are means over all
            own = self.training.scores(Alone(distiller.student))
            history |= {f"val_{name}": [value] for name, value in own.items()}
        return history

    def scores(self, teacher, student) -> dict[str, float]:
        """What `evaluate` says of a teacher; of several students, of the second.

        Nothing if what it predicts is nothing that its student could.
        """
        if isinstance(teacher, MutualLearning):
            return self.training.scores(Alone(teacher.students[1]))
        if not isinstance(teacher, keras.Model):
            return self.training.scores(Alone(teacher.model))
        convert = conversion(teacher, student)
        if convert is None:
            return {}

        def judged(teacher):
            return self.training.scores(Judged(teacher, convert))

        return self._once("scores", teacher, judged)

    def _predicted(self, teacher):
        size = self.training.batch_size
        return Alone(teacher).predict(self.training.data[0], size, **QUIET)

    def _once(self, what, teacher, find):
        key = what, id(teacher)
        if key not in self._known:
            self._known[key] = find(teacher), teacher  # its number stays taken
        return self._known[key][0]


def compiling(owner, student, **given) -> dict[str, Any]:
    """Arguments of `compile`: those given, else what the student is compiled with."""
    given = {name: value for name, value in given.items() if value is not None}
    config = (student.get_compile_config() if student.compiled else None) or {}
    left = {name: value for name, value in config.items() if name not in given}
    try:
        own = keras.saving.deserialize_keras_object(left)
    except (TypeError, ValueError) as error:
        expected = "compiled with what Keras can make again, or what it cannot "
        expected += f"({error}) given here, `loss=` or `metrics=`"
        _check.fail(owner, "student", expected, student.name)
    arguments = {**own, **given}
    for name in ("optimizer", "loss"):
        if arguments.get(name) is None:
            _check.fail(owner, name, "given, or `student` compiled with one", None)
    return arguments


def fresh(value) -> Any:
    """Optimizers and metrics anew, as they hold what a run makes of them."""
    if isinstance(value, (keras.optimizers.Optimizer, keras.Metric)):
        return type(value).from_config(value.get_config())
    if isinstance(value, (list, tuple)):
        return [fresh(item) for item in value]
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    return value


def made(data) -> Any:
    """Data, of a function that makes them too."""
    return data() if callable(data) else data


def of_arrays(data) -> bool:
    """Whether data are arrays, not a data set."""
    return isinstance(data, (list, tuple))


def check(owner, name, data) -> None:
    """Check data that are arrays."""
    if not of_arrays(data):
        return
    if len(data) not in (2, 3):
        expected = "(inputs, labels) or (inputs, labels, sample_weights)"
        _check.fail(owner, name, expected, f"{len(data)} entries")
    lengths = {samples(part) for part in data if part is not None}
    if len(lengths) > 1:
        _check.fail(owner, name, "arrays of as many samples", sorted(lengths))
