"""A student with and without a teacher."""

import itertools
from collections.abc import Iterable

import keras

from perfkit import _check
from perfkit.graph.copying import copied
from perfkit.transfer.distillation import _training
from perfkit.transfer.distillation._training import Alone, Teaching, Training
from perfkit.transfer.distillation.average_teacher import AverageTeacher
from perfkit.transfer.distillation.distilled import Distilled, DistilledRun
from perfkit.transfer.distillation.distiller import check_apart, listed
from perfkit.transfer.distillation.mutual_learning import MutualLearning
from perfkit.transfer.distillation.soft_targets import SoftTargets


def distill(
    student,
    teacher,
    data,
    *,
    losses=None,
    loss_weights=None,
    student_loss_weight=0.5,
    validation_data=None,
    optimizer=None,
    loss=None,
    metrics=None,
    jit_compile=None,
    epochs=10,
    batch_size=32,
    seeds=(0,),
    generations=1,
    control=True,
    cache=True,
    callbacks=None,
    verbose=True,
) -> Distilled:
    """Train a student with a teacher, and the same student without one beside it.

    The control begins with the same weights and random states, sees the same batches in
    the same order, if `data` give them alike, and takes as many steps of the same
    optimizer. Without it nobody knows whether the teacher helped, which it need not.

    Args:
        student: A built model, which is trained in place, or a function of a seed that
            makes one. Of a model each further seed is another order of the batches
            alone.
        teacher: A trained model, which stays as it is; a list of them, for
            `AverageTeacher`; or a function of the student that returns its teacher,
            such as `EMATeacher`, or a `MutualLearning` whose first student it is, for
            online distillation with what that says of losses. None for
            self-distillation: the student of each generation learns from the one
            before, the first from the control.
        data: `(inputs, labels)` or `(inputs, labels, sample_weights)`, arrays, which
            are shuffled in each epoch, alike in all runs of a seed. Or a function
            without arguments that makes a `tf.data.Dataset` or `PyDataset` of batches,
            which each run calls, so that draws are the same in all. Or one of these
            itself, whose order is its own: shuffled, it is another one in each run.
        losses: See `Distiller`. None for `SoftTargets()`.
        loss_weights: Factor of each; see `Distiller`.
        student_loss_weight: Share of the loss of the labels. Within [0, 1].
        validation_data: As `data`, in the order given.
        optimizer: A Keras optimizer or its name. Each run has a new one of its config.
            None for that which `student` is compiled with.
        loss: Of the labels. None for what `student` is compiled with.
        metrics: List as for `compile`. None for what `student` is compiled with.
        jit_compile: See `keras.Model.compile`. None for what `student` is compiled
            with, else for `"auto"`.
        epochs: Epochs of each run, at least 1.
        batch_size: Samples in a batch of arrays. At least 1.
        seeds: Whole numbers of at least 0. Each is one student and one control.
        generations: Students in a row, each with the one before as its teacher, from
            the same start weights. At least 1. The last one counts.
        control: Whether to train the control.
        cache: Whether to ask the teacher once for each sample rather than once an
            epoch, where that makes no difference: where data are arrays, the teacher
            stays as it is and losses are of predictions.
        callbacks: List of callbacks for each `fit`, also that of the control.
            `self.model.student` is the network there.
        verbose: Whether to show a progress bar.

    Returns:
        A `Distilled`: print it for a table of both.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If one is out of bounds, or there is no loss or optimizer, or
            self-distillation without a control; see `Distiller`.

    Example:
        >>> import numpy as np
        >>> def network(width):
        ...     layers = [keras.layers.Dense(width), keras.layers.Dense(2)]
        ...     return keras.Sequential([keras.Input((3,)), *layers])
        >>> data = np.eye(3), np.array([0, 1, 1])
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> found = distill(network(2), network(8), data, optimizer="adam", loss=loss,
        ...     metrics=["accuracy"], epochs=2, verbose=False)
        >>> sorted(found.scores()["accuracy"])
        ['difference', 'no teacher', 'with teacher']

    Reference: Hinton et al., Distilling the Knowledge in a Neural Network, 2015, arXiv
        1503.02531. Generations: Furlanello et al., Born-Again Neural Networks, 2018,
        arXiv 1805.04770, who start each from other weights.
    """
    owner = "distill"
    if not isinstance(student, keras.Model) and not callable(student):
        expected = "a model or a function of a seed that makes one"
        _check.fail(owner, "student", expected, student, TypeError)
    _check.integer(owner, "epochs", epochs)
    _check.integer(owner, "batch_size", batch_size)
    _check.integer(owner, "generations", generations)
    _check.boolean(owner, "control", control)
    _check.boolean(owner, "cache", cache)
    if not isinstance(seeds, Iterable) or not (seeds := list(seeds)):
        _check.fail(owner, "seeds", "a list of at least one whole number", seeds)
    seeds = [_check.integer(owner, "seeds", seed, 0) for seed in seeds]
    if teacher is None and not control:
        _check.fail(owner, "control", "True where it is the first teacher", control)
    losses = listed(owner, "losses", SoftTargets() if losses is None else losses)
    if loss_weights is not None:
        _check.odds(owner, "loss_weights", loss_weights, len(losses), "loss")
    _check.unit(owner, "student_loss_weight", student_loss_weight)
    teacher = _of_several(teacher, losses)

    _training.check(owner, "data", data)
    _training.check(owner, "validation_data", validation_data)

    starts = _starts(student, seeds)
    bar = keras.utils.Progbar(
        len(seeds) * (generations + control) * epochs,
        verbose=int(verbose),
        unit_name="epoch",
    )
    tick = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: bar.add(1))
    training = Training(
        _training.compiling(
            owner,
            starts[0],
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            jit_compile=jit_compile,
        ),
        data,
        validation_data,
        epochs,
        batch_size,
        [*(callbacks or []), tick],
    )
    teaching = Teaching(training, losses, loss_weights, student_loss_weight, cache)
    runs: list[DistilledRun] = []
    peers: list[keras.Model] = []
    for seed, start in zip(seeds, starts, strict=True):
        students = [
            *(copied(owner, "student", start) for _ in range(generations - 1)),
            start,
        ]
        alone = copied(owner, "student", start) if control else None
        first = alone if teacher is None else teacher
        if first is not None and not isinstance(first, keras.Model):
            first = first(students[0])
        stays = isinstance(first, keras.Model) and not isinstance(first, MutualLearning)
        if stays:
            check_apart(owner, first, start)
        elif isinstance(first, MutualLearning):
            _check_new(first, peers)
        model = teaching.distiller(first, students[0])  # finds what is wrong early
        scores = teaching.scores(first, start) if stays and teacher is not None else {}
        control_history = training.fit(Alone(alone), seed) if control else None
        histories = [teaching.fit(model, seed)]
        for before, network in itertools.pairwise(students):
            histories.append(teaching.fit(teaching.distiller(before, network), seed))
        if not stays:
            scores = teaching.scores(first, start)
        runs.append(
            DistilledRun(seed, students, alone, histories, control_history, scores)
        )
    return Distilled(runs)


def _of_several(teacher, losses):
    """Check the teacher; several become one."""
    if not isinstance(teacher, (list, tuple)):
        if teacher is not None and not callable(teacher):  # models are, too
            expected = "a model, a list of models, a function of the student or None"
            _check.fail("distill", "teacher", expected, teacher, TypeError)
        return teacher
    warm = [x.temperature for x in losses if hasattr(x, "temperature")]
    return AverageTeacher(teacher, temperature=warm[0] if warm else 1.0)


def _check_new(together, peers):
    """Check that no student taught one of an earlier seed, and note those of this."""
    if any(one is peer for one in together.students for peer in peers):
        expected = "a function that makes the other students anew for each seed"
        _check.fail("distill", "teacher", expected, together)
    peers += together.students[1:]


def _starts(student, seeds):
    if isinstance(student, keras.Model):
        return [student, *(copied("distill", "student", student) for _ in seeds[1:])]
    return [student(seed) for seed in seeds]
