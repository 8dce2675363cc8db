"""Train on two logical devices and on one; say how far apart the weights are.

A program of its own, as devices are split before TensorFlow starts. `normalized/NAME`
is that optimizer on a model with synchronized batch normalization, `teaching/NAME` a
model of students, `balancing/NAME` one of several tasks or modalities. Of
`compressing/NAME` it is masks and ranges that are compared, on both devices:

    python -m tests.mirrored_replicas LAMB normalized/SharpnessAware
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from perfkit import compress, fusion, optimizers, transfer
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


def two_tasks():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, "tanh", kernel_regularizer="l2")(inputs)
    ends = [keras.layers.Dense(1, name=name)(hidden) for name in ("first", "second")]
    return with_known_kernels(keras.Model(inputs, ends))


def two_modalities():
    inputs = {name: keras.Input((3,), name=name) for name in ("first", "second")}
    parts = [
        keras.layers.Dense(2, name=f"{name}_logits")(
            keras.layers.Dense(4, "tanh", name=f"{name}_encoder")(x)
        )
        for name, x in inputs.items()
    ]
    return with_known_kernels(keras.Model(inputs, keras.layers.Add()(parts)))


LABELS = (TARGETS[:, 0] > 0.0).astype("int32")


def with_known_kernels(model):
    rng = np.random.default_rng(7)
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    return model


def weighted():
    model = fusion.UncertaintyWeighting(two_tasks())
    model.compile(_sgd(), {"first": "mse", "second": "mae"})
    return model


def projected():
    model = two_tasks()
    model.compile(fusion.PCGrad(_sgd()), {"first": "mse", "second": "mse"})
    return attached(model)


def modulated():
    model = two_modalities()
    names = {name: f"{name}_encoder" for name in ("first", "second")}
    logits = {name: f"{name}_logits" for name in names}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(fusion.OGMGE(_sgd(), names, logits), loss)
    return attached(model)


BALANCING = {
    "UncertaintyWeighting": weighted,
    "PCGrad": projected,
    "OGMGE": modulated,
}


def plain_model():
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((3,)), dense(8, "tanh"), dense(1)])
    rng = np.random.default_rng(7)
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    return model


class Masks(keras.callbacks.Callback):
    """What each replica has of masks, kernels and their memory, after each step."""

    def __init__(self, strategy):
        super().__init__()
        self.strategy, self.seen = strategy, []

    def on_train_batch_end(self, batch, logs=None):
        kernels = [layer.kernel for layer in self.model.layers]
        held = [kernel.constraint for kernel in kernels]
        masks = [one.mask for one in held]
        slots = [slot for one in held for slot in one.memory.slots]
        variables = (*masks, *kernels, *slots)
        self.seen.append([on_each(self.strategy, x) for x in variables])


def pruned(criterion, strategy):
    with strategy.scope():
        model = plain_model()
        model.compile(_sgd(), "mse")
    schedule = compress.CubicSparsity(0.5, steps=3)
    pruning = compress.Pruning(schedule, criterion=criterion, every=1)
    masks = Masks(strategy)
    model.fit(batches(6), shuffle=False, verbose=0, callbacks=[pruning, masks])
    shares = [mask[0].mean() for mask in masks.seen[-1][:2]]
    assert shares == [0.5, 0.5]
    return [x for step in masks.seen for x in step]


def ranged(_, strategy):
    with strategy.scope():
        aware = compress.quantize_aware(plain_model(), momentum=0.0)
        aware.compile(_sgd(), "mse")
    # The second half of the batch, which the other replica gets, is of wider values.
    inputs = INPUTS[:8] * np.repeat([[1.0], [3.0]], 4, axis=0)
    data = tf.data.Dataset.from_tensors((inputs, TARGETS[:8]))
    aware.fit(data, shuffle=False, verbose=0)
    kind = compress.FakeQuantization
    found = [layer for layer in aware.layers if isinstance(layer, kind)]
    found = [layer for layer in found if layer.fixed is None]
    assert len(found) >= 2
    return [on_each(strategy, x) for layer in found for x in (layer.low, layer.high)]


COMPRESSING = {"movement": pruned, "straight_through": pruned, "ranges": ranged}


def on_each(strategy, variable):
    """The values of a variable on each device."""
    found = strategy.experimental_local_results(variable.value)
    return [keras.ops.convert_to_numpy(x).astype("float32") for x in found]


def compressed_apart(name, one, two):
    """The largest difference of any replica to what one device has."""
    alone, both = (COMPRESSING[name](name, strategy) for strategy in (one, two))
    assert all(len(values) == 2 for values in both)
    gaps = [
        np.abs(value - expected).max()
        for (expected,), values in zip(alone, both, strict=True)
        for value in values
    ]
    return float(max(gaps))


def build(name):
    kind, _, normalized = name.rpartition("/")
    if kind == "teaching":
        return teaching_model(normalized)
    if kind == "balancing":
        return BALANCING[normalized]()
    if kind:
        return normalized_model_with(NORMALIZED[normalized]())
    cases = {kind.__name__: case for kind, case in CASES.items()}
    return model_with(cases[name].make(cases[name].rate))


def batches(steps, name=""):
    data = INPUTS, TARGETS
    if name == "balancing/OGMGE":
        data = {"first": INPUTS, "second": np.cos(9 * INPUTS)}, LABELS
    elif name.startswith("balancing/"):
        data = INPUTS, {"first": TARGETS, "second": -3.0 * TARGETS}
    return tf.data.Dataset.from_tensor_slices(data).batch(8).take(steps)


def trained(name, strategy, steps=6):
    with strategy.scope():
        model = build(name)
    before = numpy(model.weights)
    model.fit(batches(steps, name), shuffle=False, verbose=0)
    if hasattr(model.optimizer, "swap"):
        model.optimizer.swap()
        model.optimizer.swap()
    after = numpy(model.weights)
    assert distance(before, after) > 1e-4
    return after


def gap(name, one, two):
    kind, _, rest = name.rpartition("/")
    if kind == "compressing":
        return compressed_apart(rest, one, two)
    return distance(trained(name, one), trained(name, two))


def main(names):
    (device,) = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(device, halves)
    one = tf.distribute.OneDeviceStrategy("/cpu:0")
    # Each strategy counts its collectives from the start, and in one process those of a
    # second one are taken for the first one's.
    two = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    print(json.dumps({name: gap(name, one, two) for name in names}))


if __name__ == "__main__":
    main(sys.argv[1:])
