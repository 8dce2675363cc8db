"""Train on two logical devices and on one; say how far apart the weights are.

A program of its own, as devices are split before TensorFlow starts. `normalized/NAME`
is that optimizer on a model with synchronized batch normalization, `teaching/NAME` a
model of students:

    python -m tests.mirrored_replicas LAMB normalized/SharpnessAware
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from perfkit import optimizers, transfer
from tests.optimizer_cases import CASES
from tests.optimizer_conformance.common import (
    INPUTS,
    TARGETS,
    attached,
    model_with,
    numpy,
)
from tests.optimizer_problem import distance


def _sgd():
    return keras.optimizers.SGD(0.05, momentum=0.9)


NORMALIZED = {
    "SharpnessAware": lambda: optimizers.SharpnessAware(_sgd(), 0.1),
    "SharpnessAware-every": lambda: optimizers.SharpnessAware(_sgd(), 0.1, every=3),
    "WeightAverage": lambda: optimizers.WeightAverage(_sgd(), 0.9),
    "L2SP": lambda: transfer.L2SP(_sgd(), 0.5, new=()),
    "Accumulate": lambda: optimizers.Accumulate(
        optimizers.WeightAverage(_sgd(), 0.9), micro_steps=2
    ),
}


def normalized_model_with(optimizer):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, use_bias=False),
            layers.BatchNormalization(momentum=0.7, synchronized=True),
            layers.Dense(1),
        ]
    )
    rng = np.random.default_rng(7)
    kernels = [
        rng.normal(size=w.shape) if w.name == "kernel" else np.array(w.value)
        for w in model.weights
    ]
    model.set_weights(kernels)
    model.compile(optimizer, "mse")
    return attached(model)


def student(width):
    layers = [
        keras.layers.Dense(
            units,
            kernel_initializer=keras.initializers.GlorotUniform(width),
            kernel_regularizer=keras.regularizers.L2(0.1),
            name=name,
        )
        for units, name in ((width, "first"), (2, "last"))
    ]
    return keras.Sequential([keras.Input((3,)), *layers])


class Apart(keras.distillation.DistillationLoss):
    """Squared difference by an object of Keras, which heeds replicas itself."""

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        return keras.losses.MeanSquaredError()(teacher_outputs, student_outputs)


TEACHING = {
    "Distiller": lambda: transfer.Distiller(
        student(6),
        student(4),
        [
            transfer.FeatureDistillation("first", "first"),
            transfer.SoftTargets(2.0),
            transfer.SoftTargets(2.0, multi_label=True),
        ],
    ),
    "MutualLearning": lambda: transfer.MutualLearning(
        [student(6), student(4)], Apart()
    ),
}


def teaching_model(kind):
    model = TEACHING[kind]()
    model.compile(_sgd(), "mse")
    return model


def build(name):
    kind, _, normalized = name.rpartition("/")
    if kind == "teaching":
        return teaching_model(normalized)
    if kind:
        return normalized_model_with(NORMALIZED[normalized]())
    cases = {kind.__name__: case for kind, case in CASES.items()}
    return model_with(cases[name].make(cases[name].rate))


def trained(name, strategy, steps=6):
    with strategy.scope():
        model = build(name)
    data = tf.data.Dataset.from_tensor_slices((INPUTS, TARGETS)).batch(8).take(steps)
    before = numpy(model.weights)
    model.fit(data, shuffle=False, verbose=0)
    if hasattr(model.optimizer, "swap"):
        model.optimizer.swap()
        model.optimizer.swap()
    after = numpy(model.weights)
    assert distance(before, after) > 1e-4
    return after


def main(names):
    (device,) = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(device, halves)
    one = tf.distribute.OneDeviceStrategy("/cpu:0")
    # Each strategy counts its collectives from the start, and in one process those of a
    # second one are taken for the first one's.
    two = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    apart = {name: distance(trained(name, one), trained(name, two)) for name in names}
    print(json.dumps(apart))


if __name__ == "__main__":
    main(sys.argv[1:])
