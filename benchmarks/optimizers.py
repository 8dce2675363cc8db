"""What a step costs with each optimizer of perfkit, side by side in one process.

    python -m benchmarks.optimizers                       # TensorFlow backend
    KERAS_BACKEND=jax python -m benchmarks.optimizers --json optimizers_jax.json
    python -m benchmarks.optimizers --only "SharpnessAware*"

Wrappers go around Adam and are compared with it, optimizers of their own with Keras's
AdamW. The network is that of the quickstart, on batches of 64 images, compiled by XLA;
the wrapped ones are attached, the base is not. Sides alternate, and figures are medians
of ratios of neighbouring runs. Believe the ratios: absolute times depend on the machine
and its load.
"""

import argparse
import fnmatch
import json
import pathlib
import statistics
import time

from benchmarks.tricks.setting import BATCH, network  # isort: skip  sets the backend

import keras
import numpy as np

from perfkit import optimizers


def adam():
    return keras.optimizers.Adam(1e-3)


def adamw():
    return keras.optimizers.AdamW(1e-3)


WRAPPERS = {
    "SharpnessAware": lambda: optimizers.SharpnessAware(adam()),
    "SharpnessAware, adaptive": lambda: optimizers.SharpnessAware(
        adam(), 0.5, adaptive=True
    ),
    "SharpnessAware, every 5": lambda: optimizers.SharpnessAware(adam(), every=5),
    "Lookahead": lambda: optimizers.Lookahead(adam()),
    "AdaptiveGradientClipping": lambda: optimizers.AdaptiveGradientClipping(adam()),
    "GradientCentralization": lambda: optimizers.GradientCentralization(adam()),
    "GradientNoise": lambda: optimizers.GradientNoise(adam()),
    "WeightAverage": lambda: optimizers.WeightAverage(adam()),
    "Accumulate, 4": lambda: optimizers.Accumulate(adam(), 4),
    "LayerwiseRates": lambda: optimizers.LayerwiseRates(adam(), by_depth=0.8),
    "NoDecay": lambda: optimizers.NoDecay(adamw()),
}

OPTIMIZERS = {
    "AdaBelief": lambda: optimizers.AdaBelief(1e-3),
    "Adan": lambda: optimizers.Adan(1e-3),
    "LAMB": lambda: optimizers.LAMB(1e-3),
    "LARS": lambda: optimizers.LARS(1.0),
    "Prodigy": lambda: optimizers.Prodigy(1.0),
    "RAdam": lambda: optimizers.RAdam(1e-3),
    "SOAP": lambda: optimizers.SOAP(1e-3),
    "ScheduleFreeAdamW": lambda: optimizers.ScheduleFreeAdamW(1e-3),
    "ScheduleFreeRAdam": lambda: optimizers.ScheduleFreeRAdam(1e-3),
    "ScheduleFreeSGD": lambda: optimizers.ScheduleFreeSGD(1.0),
}


class Side:
    """A network that trains with one optimizer."""

    def __init__(self, optimizer, steps, *, attached=True):
        self._model = network(0)
        self._model.compile(
            optimizer,
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
        )
        if attached:
            optimizers.attach(self._model)
        rng = np.random.default_rng(0)
        self._images = rng.integers(0, 256, (BATCH * steps, 28, 28, 1)).astype("uint8")
        self._labels = rng.integers(0, 10, BATCH * steps)
        self.step_ms()

    def step_ms(self):
        """Milliseconds of a step, the mean of an epoch."""
        began = time.perf_counter()
        self._model.fit(
            self._images, self._labels, batch_size=BATCH, verbose=0, shuffle=False
        )
        return 1000 * (time.perf_counter() - began) / (len(self._images) // BATCH)


def compare(base, others, steps, repeats):
    """Ratios of each side to the base, which runs before and after it."""
    base = Side(base(), steps, attached=False)
    sides = {name: Side(make(), steps) for name, make in others.items()}
    ratios = {name: [] for name in sides}
    base_ms = []
    for _ in range(repeats):
        for name, side in sides.items():
            before, middle, after = base.step_ms(), side.step_ms(), base.step_ms()
            ratios[name].append(2 * middle / (before + after))
            base_ms += [before, after]
    lines = {
        name: {"ratio": statistics.median(x), "spread": [min(x), max(x)]}
        for name, x in ratios.items()
    }
    return {"base_ms": statistics.median(base_ms), "lines": lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="*", help="shell-style pattern of a name")
    parser.add_argument("--steps", type=int, default=50, help="steps of a run")
    parser.add_argument("--repeats", type=int, default=9, help="runs of each side")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there")
    options = parser.parse_args()
    print(f"{keras.backend.backend()} backend, Keras {keras.__version__}")
    results = {}
    for kind, base, others in (
        ("wrappers around Adam", adam, WRAPPERS),
        ("optimizers beside AdamW", adamw, OPTIMIZERS),
    ):
        chosen = {
            name: make
            for name, make in others.items()
            if fnmatch.fnmatchcase(name, options.only)
        }
        if not chosen:
            continue
        found = compare(base, chosen, options.steps, options.repeats)
        results[kind] = found
        print(f"\n{kind}, which takes {found['base_ms']:.1f} ms a step")
        for name, line in found["lines"].items():
            low, high = line["spread"]
            print(f"  {name:32} {line['ratio']:5.2f}  ({low:.2f} to {high:.2f})")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
