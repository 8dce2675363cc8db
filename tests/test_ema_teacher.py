"""A teacher that follows its student, and students that teach each other."""

import keras
import numpy as np
import pytest

from perfkit import transfer
from tests.teaching import LOSS, STEPS, X, Y, divergence, fit, network, same, values


class Snapshots(keras.callbacks.Callback):
    """All weights of the student after each step."""

    def __init__(self):
        super().__init__()
        self.taken = []

    def on_train_batch_end(self, batch, logs=None):
        self.model.get_weights()  # on JAX it has the values fetched
        self.taken.append([np.array(w) for w in self.model.student.get_weights()])


def trained(decay, optimizer=None, **options):
    student, snapshots = network(4, 2, dropout=0.5), Snapshots()
    teacher = transfer.EMATeacher(student, decay)
    model = transfer.Distiller(teacher, student, transfer.SoftTargets(1.0))
    optimizer = optimizer or keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, LOSS, **STEPS)
    model.fit(X, Y, 5, 2, 0, [snapshots], shuffle=False, **options)
    return teacher, snapshots.taken


def average(taken, decay):
    mean = taken[0]
    for count, weights in enumerate(taken[1:], 1):
        stays = min(decay, count / (count + 1))
        pairs = zip(mean, weights, strict=True)
        mean = [stays * m + (1 - stays) * w for m, w in pairs]
    return mean


@pytest.mark.parametrize("decay", [0.999, 0.6])
def test_ema_teacher_is_the_closed_form_after_each_step(decay):
    teacher, taken = trained(decay)
    assert len(taken) == 8
    if decay > 0.9:  # a plain mean until then
        expected = [np.mean(weights, axis=0) for weights in zip(*taken, strict=True)]
    else:
        expected = average(taken, decay)
    for ours, theirs in zip(teacher.model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_steps_that_accumulate_do_not_move_the_teacher():
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=4)
    teacher, taken = trained(0.6, optimizer)
    expected = average([taken[3], taken[7]], 0.6)
    assert int(teacher.steps.numpy()) == 2
    for ours, theirs in zip(teacher.model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_ema_teacher_teaches_what_it_is_before_the_step():
    student = network(4, 2)
    teacher = transfer.EMATeacher(student)
    teacher.model.set_weights(network(4, 3).get_weights())
    theirs = keras.ops.convert_to_numpy(teacher(X))
    ours = keras.ops.convert_to_numpy(student(X, training=True))
    model = transfer.Distiller(teacher, student, transfer.SoftTargets(2.0))
    model.compile("sgd", LOSS, **STEPS)
    found = model.fit(X, Y, batch_size=len(X), verbose=0).history["distillation_loss"]
    assert found[0] == pytest.approx(divergence(theirs, ours, 2.0), rel=1e-4)


@pytest.mark.parametrize("decay", [1.0, -0.1, "0.9"])
def test_ema_decay_is_checked(decay):
    with pytest.raises(ValueError, match="decay"):
        transfer.EMATeacher(network(), decay)


def test_mutual_learning_without_weight_is_separate_training():
    together = [network(4, seed, dropout=0.5) for seed in (1, 2)]
    alone = [network(4, seed, dropout=0.5) for seed in (1, 2)]
    fit(transfer.MutualLearning(together, weight=0.0), keras.optimizers.Adam(0.1))
    for student, other in zip(together, alone, strict=True):
        fit(other, keras.optimizers.Adam(0.1))
        for x, y in zip(values(student), values(other), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


def test_mutual_learning_is_labels_and_the_divergence_from_each_other():
    students = [network(4, 1), network(5, 2), network(6, 3)]
    for student in students:
        student.trainable = False  # so that batch normalization is as in inference
    students[0].layers[-1].trainable = True
    logits = [keras.ops.convert_to_numpy(student(X)) for student in students]
    apart = sum(divergence(p, q) for p in logits for q in logits if p is not q)
    labels = sum(float(LOSS(Y, each)) for each in logits)
    model = transfer.MutualLearning(students, weight=0.5)
    model.compile("sgd", LOSS, metrics=["accuracy"], **STEPS)
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    found = {name: float(value) for name, value in found.items()}
    right = np.mean([each.argmax(axis=-1) == Y for each in logits])
    assert found["accuracy"] == pytest.approx(right)
    assert found["loss"] == pytest.approx(labels, rel=1e-5)
    history = model.fit(X, Y, batch_size=len(X), verbose=0).history
    assert history["loss"][0] == pytest.approx(labels + 0.25 * apart, rel=1e-4)


@pytest.mark.slow
def test_mutual_students_both_move_and_teach_without_learning_from_it():
    students = [network(4, 1), network(4, 2)]
    students[1].trainable = False
    before = [values(student) for student in students]
    fit(transfer.MutualLearning(students))
    assert not same(values(students[0]), before[0])
    assert same(values(students[1])[:2], before[1][:2])
    students[1].trainable = True
    fit(transfer.MutualLearning(students))
    assert not same(values(students[1]), before[1])

    # With the other as a teacher that stays, its gradient is the same.
    pair = [network(4, 1), network(4, 2)]
    model = transfer.MutualLearning(pair, weight=1.0)
    model.compile(keras.optimizers.SGD(0.1), LOSS, **STEPS)
    other, fixed = network(4, 1), network(4, 2)
    theirs = keras.ops.convert_to_numpy(fixed(X, training=True))

    class Constant(keras.distillation.DistillationLoss):
        def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
            return transfer.SoftTargets(1.0).compute_loss(theirs, student_outputs)

    single = transfer.Distiller(fixed, other, Constant(), [1.0], 0.5)
    single.compile(keras.optimizers.SGD(0.2), LOSS, **STEPS)
    for each in (model, single):
        each.fit(X, Y, batch_size=len(X), shuffle=False, verbose=0)
    for x, y in zip(pair[0].get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"students": [network()]}, "students"),
        ({"weight": -1.0}, "weight"),
        (
            {"distillation_loss": transfer.RelationalDistillation("a", "b")},
            "distillation_loss",
        ),
    ],
)
def test_wrong_arguments_of_mutual_learning_are_named(arguments, message):
    given = {"students": [network(), network()], **arguments}
    with pytest.raises(ValueError, match=message):
        transfer.MutualLearning(**given)


def test_mutual_learning_refuses_one_student_twice():
    with pytest.raises(ValueError, match="different models"):
        transfer.MutualLearning([network()] * 2)
