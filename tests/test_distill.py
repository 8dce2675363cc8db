"""A student with a teacher and its control, by one function."""

import functools

import keras
import numpy as np
import pytest

from perfkit import transfer
from tests import teaching
from tests.teaching import LOSS, STEPS, X, Y, network, same, values

SHARED = network()


def ready(*arguments, **options):
    """A network that is compiled so that steps are cheap."""
    model = network(*arguments, **options)
    model.compile("sgd", LOSS, **STEPS)
    return model


def distill(student=None, teacher=None, data=(X, Y), **arguments):
    student = ready(4, 2, dropout=0.5) if student is None else student
    given = {
        "optimizer": keras.optimizers.SGD(0.1, momentum=0.9),
        "loss": LOSS,
        "metrics": ["accuracy"],
        "epochs": 2,
        "batch_size": 5,
        "verbose": False,
    }
    return transfer.distill(student, teacher, data, **{**given, **arguments})


def test_without_weight_of_the_teacher_the_student_is_the_control_bit_for_bit():
    start = ready(4, 2, dropout=0.5)
    teaching.fit(start)  # so that no initializer gives what it holds
    before = values(start)
    found = distill(start, network(6), student_loss_weight=1.0)
    assert found.student is start
    assert same(values(found.student), values(found.control))
    assert not same(values(found.student), before)
    assert found.history["loss"] == found.control_history["loss"]


class Seen(keras.callbacks.Callback):
    """Weights at the start of each run, and the loss after each batch."""

    def __init__(self):
        super().__init__()
        self.starts, self.steps = [], []

    def on_train_begin(self, logs=None):
        self.starts.append(values(self.model.student))
        self.steps.append(0)

    def on_train_batch_end(self, batch, logs=None):
        self.steps[-1] += 1


def test_control_starts_alike_and_takes_as_many_steps():
    seen, start = Seen(), ready(4, 2, dropout=0.5)
    teaching.fit(start)
    found = distill(start, network(6), callbacks=[seen])
    assert same(*seen.starts)
    assert seen.steps == [8, 8]
    assert not same(values(found.student), values(found.control))


class Batches(keras.utils.PyDataset):
    """Batches in an order that goes on with each epoch."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(3)

    def __len__(self):
        return 4

    def __getitem__(self, number):
        rows = self.rng.permutation(20)[:5]
        return X[rows], Y[rows]


def test_a_function_of_data_gives_each_run_the_same_batches():
    found = distill(teacher=network(6), data=Batches, student_loss_weight=1.0)
    assert same(values(found.student), values(found.control))


@pytest.mark.slow
def test_remembered_predictions_are_those_of_asking_each_time():
    teacher = network(6, dropout=0.5)
    before = values(teacher)
    found = [
        distill(teacher=teacher, cache=cache, student_loss_weight=0.1)
        for cache in (True, False)
    ]
    assert same(values(teacher), before)
    assert not teacher.compiled
    for x, y in zip(*(values(each.student) for each in found), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)
    assert not same(values(found[0].student), values(found[0].control))


@pytest.mark.slow
def test_table_always_shows_both_and_what_the_teacher_is_worth():
    teacher = network(6)
    found = distill(
        lambda seed: ready(4, seed + 2),
        teacher,
        validation_data=(X, Y),
        seeds=(3, 5, 8),
    )
    scores = found.scores()["val_accuracy"]
    right = keras.ops.convert_to_numpy(teacher(X)).argmax(axis=-1) == Y
    assert scores["teacher"] == pytest.approx([np.mean(right)] * 3)
    for run, with_teacher, alone in zip(
        found.runs, scores["with teacher"], scores["no teacher"], strict=True
    ):
        for model, score in ((run.students[-1], with_teacher), (run.control, alone)):
            predicted = model.predict(X, verbose=0).argmax(axis=-1)
            assert score == pytest.approx(np.mean(predicted == Y))
    differences = np.subtract(scores["with teacher"], scores["no teacher"])
    lines = str(found).splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["seed", "3"],
        ["seed", "5"],
        ["seed", "8"],
    ]
    last = f"{differences.mean():.4f} ± {differences.std(ddof=1):.4f}"
    assert lines[-1].endswith(last)
    for name in ("val_accuracy", "teacher", "no teacher", "with teacher", "difference"):
        assert name in lines[0]


def test_without_control_the_table_says_so():
    found = distill(teacher=network(6), control=False, epochs=1)
    assert found.control is None
    assert "No control was run" in str(found)
    assert "no teacher" not in found.scores()["accuracy"]


@pytest.mark.slow
def test_generations_learn_from_the_one_before_the_first_from_the_control():
    start = ready(4, 2)
    copies = [ready(4, 2) for _ in range(2)]
    found = distill(start, None, generations=2, cache=False)
    teacher = found.control
    for ours, student in zip(found.runs[0].students, copies, strict=True):
        distill(student, teacher, cache=False, control=False)
        assert same(values(ours), values(student))
        teacher = ours
    assert found.student is start
    assert "generation 2" in str(found)


@pytest.mark.slow
def test_several_teachers_are_their_average():
    teachers = [network(4, 5), network(5, 6)]
    students = [ready(4, 2), ready(4, 2)]
    average = transfer.AverageTeacher(teachers, temperature=2.0)
    loss = transfer.SoftTargets(2.0)
    for student, teacher in zip(students, (teachers, average), strict=True):
        distill(student, teacher, losses=loss, control=False)
    assert same(*map(values, students))


def test_a_teacher_may_be_made_of_the_student():
    make = functools.partial(transfer.EMATeacher, decay=0.5)
    found = distill(teacher=make, validation_data=(X, Y))
    assert "teacher" in found.scores()["val_accuracy"]
    assert not same(values(found.student), values(found.control))


def mutual(student, weight=1.0):
    return transfer.MutualLearning([student, network(5, 7)], weight=weight)


@pytest.mark.slow
def test_online_with_no_weight_of_the_other_the_student_is_the_control():
    make = functools.partial(mutual, weight=0.0)
    found = distill(teacher=make, validation_data=(X, Y))
    for x, y in zip(values(found.student), values(found.control), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_online_each_student_is_judged_by_itself():
    made = []

    def make(student):
        made.append(mutual(student))
        return made[-1]

    found = distill(teacher=make, validation_data=(X, Y), metrics=None)
    scores = found.scores()["val_loss"]
    own, other = (
        float(LOSS(Y, student.predict(X, verbose=0))) for student in made[0].students
    )
    assert own != pytest.approx(other)
    assert scores["with teacher"] == [pytest.approx(own)]
    assert scores["teacher"] == [pytest.approx(other)]
    assert not same(values(found.student), values(found.control))


@pytest.mark.slow
def test_online_the_other_students_are_new_for_each_seed():
    other = network(5, 7)
    with pytest.raises(ValueError, match=r"teacher=...\).*anew for each seed"):
        distill(
            lambda seed: ready(4, seed),
            lambda student: transfer.MutualLearning([student, other]),
            validation_data=(X, Y),
            epochs=1,
            seeds=(0, 1),
        )


PROBABLE = keras.losses.SparseCategoricalCrossentropy()


@pytest.mark.parametrize("ends", [(None, "softmax"), ("softmax", None)])
@pytest.mark.parametrize("several", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_teacher_is_judged_in_the_form_of_its_student(ends, several):
    teachers = [network(6, k, end=ends[0]) for k in range(1 + several)]
    student = network(4, 2, end=ends[1])
    loss = LOSS if ends[1] is None else PROBABLE
    student.compile("sgd", loss, **STEPS)
    found = distill(
        student,
        teachers if several else teachers[0],
        losses=transfer.SoftTargets(1.0),
        loss=loss,
        validation_data=(X, Y),
        metrics=None,
        epochs=1,
    )
    shown = [np.array(each(X), "float64") for each in teachers]
    shares = [teaching.softmax(x) if ends[0] is None else x for x in shown]
    right = np.mean(shares, axis=0)[np.arange(len(Y)), Y]
    scores = found.scores()["val_loss"]
    assert scores["teacher"] == [pytest.approx(-np.log(right).mean(), rel=1e-4)]


def test_a_teacher_of_something_else_is_not_judged():
    inner = network(6)
    teacher = keras.Model(inner.inputs, inner.get_layer("first").output)
    loss = transfer.FeatureDistillation("first", "first")
    found = distill(teacher=teacher, losses=[loss], validation_data=(X, Y), epochs=1)
    assert "teacher" not in found.scores()["val_accuracy"]
    assert "no teacher" in found.scores()["val_accuracy"]


def of_ones_own(y_true, y_pred):
    return LOSS(y_true, y_pred)


def test_a_loss_that_keras_cannot_make_again_can_be_given():
    student = network(4, 2)
    student.compile("sgd", of_ones_own, **STEPS)
    distill(student, network(6), epochs=1)
    with pytest.raises(ValueError, match=r"distill\(student=...\).*`loss=`"):
        distill(student, network(6), loss=None)


def test_online_needs_the_student_and_validation_data():
    with pytest.raises(ValueError, match="whose first student"):
        distill(teacher=lambda _: mutual(network()), validation_data=(X, Y))
    with pytest.raises(ValueError, match="validation_data"):
        distill(teacher=mutual)


@pytest.mark.slow
def test_what_the_student_is_compiled_with_is_taken():
    student = network(4, 2)
    student.compile(keras.optimizers.SGD(0.05), LOSS, metrics=["accuracy"], **STEPS)
    optimizer = student.optimizer
    given = {"optimizer": None, "loss": None, "metrics": None}
    found = distill(student, network(6), **given)
    other = ready(4, 2)
    distill(other, network(6), optimizer=keras.optimizers.SGD(0.05))
    assert same(values(student), values(other))
    assert student.optimizer is optimizer
    assert int(optimizer.iterations.numpy()) == 0
    assert "accuracy" in found.scores()


def test_sample_weights_count_in_the_loss_of_the_labels():
    weights = np.zeros(20, "float32")
    found = distill(ready(4, 2), network(6), data=(X, Y, weights))
    np.testing.assert_allclose(found.control_history["loss"], 0.0)


def test_a_student_without_metrics_is_judged_by_its_loss():
    found = distill(teacher=network(6), metrics=None, epochs=1)
    assert list(found.scores()) == ["loss"]


def test_a_teacher_of_layers_is_asked_each_time():
    loss = transfer.FeatureDistillation("first", "first")
    found = distill(ready(4, 2), network(6), losses=[loss], control=False)
    assert found.history["distillation_loss"][-1] > 0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"student": 3}, TypeError, "student"),
        ({"teacher": 3}, TypeError, "teacher"),
        ({"teacher": None, "control": False}, ValueError, "first teacher"),
        ({"loss": None}, ValueError, r"distill\(loss="),
        ({"optimizer": None}, ValueError, r"distill\(optimizer="),
        ({"epochs": 0}, ValueError, "epochs"),
        ({"seeds": ()}, ValueError, "seeds"),
        ({"generations": 0}, ValueError, "generations"),
        ({"data": (X,)}, ValueError, "inputs, labels"),
        ({"data": (X, Y[:3])}, ValueError, "as many samples"),
        ({"validation_data": (X, Y[:3])}, ValueError, "validation_data"),
        ({"teacher": SHARED, "student": SHARED}, ValueError, "first/kernel"),
        (
            {"teacher": SHARED, "student": SHARED, "generations": 2},
            ValueError,
            "first/kernel",
        ),
        ({"losses": "mse"}, TypeError, r"distill\(losses="),
        ({"loss_weights": [1, 2]}, ValueError, r"distill\(loss_weights="),
        ({"student_loss_weight": 3}, ValueError, r"distill\(student_loss_weight="),
        ({"seeds": 3}, ValueError, r"distill\(seeds="),
    ],
)
def test_wrong_arguments_are_named_before_any_training(change, error, message):
    student = change.get("student", network())
    student = student if isinstance(student, keras.Model) else network()
    before = values(student)
    with pytest.raises(error, match=message):
        distill(**{"student": student, "teacher": network(), **change})
    assert same(values(student), before)


def two_outputs(seed):
    start = keras.initializers.GlorotUniform(seed)
    inputs = keras.Input((4,))
    ends = [
        keras.layers.Dense(units, kernel_initializer=start, name=name)(inputs)
        for units, name in ((3, "kind"), (2, "side"))
    ]
    return keras.Model(inputs, ends)


@pytest.mark.slow
@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_several_outputs_go_by_their_names_or_their_order(cache, named):
    student = two_outputs(1)
    student.compile("sgd", [LOSS, LOSS], **STEPS)
    loss, labels = [LOSS, LOSS], [Y, Y % 2]
    if named:
        loss = {"kind": LOSS, "side": LOSS}
        labels = dict(zip(loss, labels, strict=True))
    alone = two_outputs(1)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    alone.compile(optimizer, loss, **STEPS)
    start = alone.evaluate(X, labels, verbose=0, return_dict=True)["loss"]
    given = {"loss": loss, "metrics": None, "epochs": 1, "batch_size": len(X)}
    found = distill(
        student,
        two_outputs(2),
        (X, labels),
        cache=cache,
        validation_data=(X, labels),
        **given,
    )
    assert found.control_history["loss"][0] == pytest.approx(start, rel=1e-5)
    assert found.history["distillation_loss"][0] > 0
    assert not same(values(found.student), values(found.control))
