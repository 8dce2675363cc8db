"""Train on two logical devices and on one; say how far apart the weights are.

A program of its own, as devices are split before TensorFlow starts:

    python -m tests.mirrored_replicas LAMB Prodigy
"""

import json
import sys

import keras
import tensorflow as tf

from tests.optimizer_cases import CASES
from tests.optimizer_conformance.common import (
    INPUTS,
    TARGETS,
    model_with,
    numpy,
)
from tests.optimizer_problem import distance


def trained(case, strategy, steps=6):
    with strategy.scope():
        model = model_with(case.make(case.rate))
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
    cases = {kind.__name__: case for kind, case in CASES.items()}
    apart = {}
    for name in names:
        one = trained(cases[name], tf.distribute.OneDeviceStrategy("/cpu:0"))
        keras.backend.clear_session()
        two = trained(cases[name], tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]))
        apart[name] = distance(one, two)
    print(json.dumps(apart))


if __name__ == "__main__":
    main(sys.argv[1:])
