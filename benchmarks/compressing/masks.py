"""How much sooner masks are made anew than by tensorflow-model-optimization.

    python -m benchmarks.compressing.masks                    # MobileNetV2, ResNet50
    python -m benchmarks.compressing.masks --json masks.json

All kernels of a network get new masks and are masked, by ours as the `Pruning` callback
does it between two steps, and by tfmot as its own callback does it, from a compiled
function on variables of its own. Weights are random, with or without the zeros that an
update before left in them, and are put back before each round. Sides alternate; figures
are medians of ratios of neighbours. Believe the ratios, also of processor time, which
others on the machine disturb less: absolute times depend on the machine and its load.
It is said in how many weights the masks differ: tfmot counts in float32, and so a
weight more or less of a large kernel.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import pathlib
import time

import keras
import numpy as np

from perfkit import compress
from perfkit.compress import _tfmot
from perfkit.compress.sparsity._choosing import chosen
from perfkit.compress.sparsity._masking import Masking

NETWORKS = {
    "MobileNetV2": lambda: keras.applications.MobileNetV2(weights=None),
    "ResNet50": lambda: keras.applications.ResNet50(weights=None),
}
SPARSITY = 0.8
BEFORE = 0.75  # the share of zeros that an update before left


class Ours:
    """The masks of a model, as its optimizer keeps them during `fit`."""

    def __init__(self, model, pattern, zeros):
        self._masking = Masking(
            "masks",
            model,
            chosen("masks", model, None, strict=False, obstacle=pattern.obstacle)[0],
            pattern,
            "local",
            "magnitude",
        )
        self._sparsity = min(SPARSITY, pattern.limit)
        self.kernels = [kernel.variable for kernel in self._masking.kernels]
        self._masking.update(zeros)
        self.values = [np.array(kernel.numpy()) for kernel in self.kernels]

    def reset(self):
        for kernel, value in zip(self.kernels, self.values, strict=True):
            kernel.assign(value)

    def run(self):
        self._masking.update(self._sparsity)

    def masks(self):
        return self._masking.masks()


class Tfmot:
    """The same kernels, masked by tfmot."""

    def __init__(self, values, rows):
        import tensorflow as tf

        tfmot = _tfmot.tfmot()
        from tensorflow_model_optimization.python.core.sparsity.keras import (
            pruning_impl,
        )

        self._values = values
        self._variables = [
            (tf.Variable(v), tf.Variable(np.ones_like(v)), tf.Variable(0.0))
            for v in values
        ]
        schedule = tfmot.sparsity.keras.ConstantSparsity(SPARSITY, 0, -1, 1)
        step = tf.Variable(1)  # the only one at which it makes masks of rows
        pruning = pruning_impl.Pruning(
            lambda: step, self._variables, schedule, (1, 1), "AVG", rows
        )

        def run():
            pruning.conditional_mask_update()
            pruning.weight_mask_op()

        self._run = tf.function(run)

    def reset(self):
        for (kernel, _, _), value in zip(self._variables, self._values, strict=True):
            kernel.assign(value)

    def run(self):
        self._run()

    def masks(self):
        return [mask.numpy() != 0 for _, mask, _ in self._variables]


def seconds(side):
    side.reset()
    began = clocks()
    side.run()
    return clocks() - began


def clocks():
    """Seconds of the wall clock, and of the processor for this process."""
    return np.array([time.perf_counter(), time.process_time()])


def compare(network, pattern, zeros, rows, repeats):
    """Median ratio of both sides, and how many weights their masks differ in."""
    model = NETWORKS[network]()
    model.compile("sgd", "mse")
    ours = Ours(model, pattern, zeros)
    theirs = Tfmot(ours.values, rows)
    seconds(ours), seconds(theirs)  # traces
    pairs = [(seconds(theirs), seconds(ours)) for _ in range(repeats)]
    ratios = [slow / fast for slow, fast in pairs]
    masks = zip(ours.masks(), theirs.masks(), strict=True)
    return {
        "weights": sum(kernel.numpy().size for kernel in ours.kernels),
        "kernels": len(ours.kernels),
        "tfmot_s": float(np.median([slow[0] for slow, _ in pairs])),
        "ours_s": float(np.median([fast[0] for _, fast in pairs])),
        "times_faster": float(np.median(ratios, axis=0)[0]),
        "spread": [float(f(ratios, axis=0)[0]) for f in (np.min, np.max)],
        "times_less_processor": float(np.median(ratios, axis=0)[1]),
        "weights_apart": int(sum((one != other).sum() for one, other in masks)),
    }


def run(repeats=5):
    """Print and return figures by network and pattern."""
    print(f"Keras {keras.__version__}, NumPy {np.__version__}, sparsity {SPARSITY}")
    found = {}
    patterns = {
        "unstructured": (compress.Unstructured(), 0.0, None),
        "unstructured, again": (compress.Unstructured(), BEFORE, None),
        "2:4": (compress.NofM(2, 4), 0.0, (2, 4)),
    }
    for network in NETWORKS:
        for name, (pattern, zeros, rows) in patterns.items():
            line = compare(network, pattern, zeros, rows, repeats)
            found[f"{network}, {name}"] = line
            low, high = line["spread"]
            print(
                f"  {network + ', ' + name:33} {line['weights'] / 1e6:5.1f} M weights, "
                f"tfmot {line['tfmot_s']:.3f} s, ours {line['ours_s']:.3f} s: "
                f"{line['times_faster']:.1f} times faster ({low:.1f} to {high:.1f}), "
                f"{line['times_less_processor']:.1f} times less processor time, "
                f"masks differ in {line['weights_apart']} weights"
            )
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="rounds of each side")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there")
    options = parser.parse_args()
    found = run(options.repeats)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
