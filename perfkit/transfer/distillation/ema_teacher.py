"""A teacher that is the moving average of its student."""

from typing import Any

import keras

from perfkit import _check, _train_step
from perfkit._backend import ops
from perfkit.graph.copying import copied


class EMATeacher(keras.Layer):
    """Hold a copy of a student whose weights are the moving average of the student's.

    The teacher of `Distiller`, which moves the average once a step of its optimizer:
    after k steps it is the mean of the student's weights after each of them, until the
    share of what stays reaches `decay`. Moving statistics are averaged too. Steps that
    change no weight, as where gradients are accumulated, do not count.

    Args:
        student: A built `keras.Model` that can be cloned.
        decay: Share of the average that stays at each step, in the end. Within [0, 1).

    Shape:
        Inputs and outputs of the student.

    Raises:
        TypeError: If `student` is no model.
        ValueError: If it is not built, or `decay` is out of bounds.

    Example:
        >>> from perfkit.transfer import Distiller, SoftTargets
        >>> import numpy as np
        >>> student = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> teacher = EMATeacher(student, decay=0.99)
        >>> model = Distiller(teacher, student, SoftTargets(1.0))
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile("sgd", loss)
        >>> history = model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
        >>> bool(np.allclose(*[w.get_weights()[1] for w in (teacher.model, student)]))
        True

    Reference: Tarvainen and Valpola, Mean Teachers are Better Role Models, 2017, arXiv
        1703.01780. They teach in training mode, with noise of its own for the teacher;
        here it predicts as in inference.
    """

    def __init__(self, student, decay=0.999):
        owner = "EMATeacher"
        _check.instance(owner, "student", student, keras.Model)
        decay = _check.below_one(owner, "decay", decay)
        super().__init__(name="ema_teacher")
        self.decay = decay
        self.model = copied("EMATeacher", "student", student)
        self.steps: Any = self.add_weight(
            (), "zeros", "int32", trainable=False, name="steps"
        )
        self.built = True

    def call(self, inputs):
        return self.model(inputs, training=False)

    def moved(self, averages, values, steps, counts) -> list[Any]:
        """Averages after a step, and the number of steps.

        Args:
            averages: Of the variables of the student.
            values: The student's values now.
            steps: Number of steps before.
            counts: Whether this one counts.
        """
        before = ops.cast(steps, "float32")
        stays = ops.minimum(before / (before + 1.0), self.decay)
        moves = ops.where(counts, 1.0 - stays, 0.0)
        further = [
            average + ops.cast(moves, average.dtype) * (value - average)
            for average, value in zip(averages, values, strict=True)
        ]
        return [*further, steps + ops.cast(counts, steps.dtype)]


def followed(model, plain, *arguments) -> Any:
    """Run the plain train step of a distiller, then have its teacher follow."""
    teacher, student = model.teacher, model.student
    pairs = [
        pair
        for pair in zip(teacher.model.variables, student.variables, strict=True)
        if "float" in pair[0].dtype
    ]
    averages, followed = map(list, zip(*pairs, strict=True))
    step = _train_step.plain_step(model, plain, *arguments)
    trained = student.trainable_variables
    before = step.read(trained)
    logs = step.run()
    after = step.read(trained)
    changed = [ops.any(x != y) for x, y in zip(before, after, strict=True)]
    targets = [*averages, teacher.steps]
    *held, steps = step.read(targets)
    counts = ops.any(ops.stack(changed))
    values = teacher.moved(held, step.read(followed), steps, counts)
    step.write(targets, values)
    return step.result(logs)
