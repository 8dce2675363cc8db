"""What each layer costs in a training step, in time and memory.

    python -m benchmarks.layers                     # TensorFlow backend
    KERAS_BACKEND=jax python -m benchmarks.layers --json layers_jax.json
    python -m benchmarks.layers --write             # docs/layer_costs.json and .md
    python -m benchmarks.layers --only BlurPool CBAM

A layer and what it is measured beside take turns in one process, each forwards and
backwards in one program, and figures are medians of the ratios of neighbours. Believe
these alone: times depend on the machine and its load.
"""

import argparse
import importlib
import json
import pathlib
import time

import keras
import numpy as np

from benchmarks import layer_table, sides

ROUNDS = 9


class Step:
    """Layers in a row, forwards and backwards, as one compiled program."""

    def __init__(self, row, shape):
        rng = np.random.default_rng(0)
        shapes = shape if isinstance(shape, list) else [shape]
        maps = [rng.normal(size=one).astype("float32") for one in shapes]
        inputs = [keras.Input(batch_shape=one) for one in shapes]
        x, inputs = (maps, inputs) if isinstance(shape, list) else (maps[0], inputs[0])
        outputs = inputs
        for layer in row:
            outputs = layer(outputs)
        model = keras.Model(inputs, outputs)
        self.weights = model.count_params() - sum(
            int(np.prod(v.shape)) for v in model.non_trainable_weights
        )
        self._bytes = sum(one.nbytes for one in maps)
        jax = keras.backend.backend() == "jax"
        self._side = _Jax(model, x) if jax else _TensorFlow(model, x)

    def seconds(self):
        began = time.perf_counter()
        self._side.run()
        return time.perf_counter() - began

    def memory(self):
        """Temporaries, in sizes of the inputs."""
        return self._side.temporary_bytes() / self._bytes


def _squares(outputs):
    return sum(keras.ops.sum(keras.ops.square(y)) for y in keras.tree.flatten(outputs))


class _TensorFlow(sides.TensorFlow):
    def __init__(self, model, x):
        import tensorflow as tf

        def step(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = _squares(model(x, training=True))
            return loss, tape.gradient(loss, [x, model.trainable_variables])

        self._images = keras.tree.map_structure(tf.constant, x)
        self._jitted = tf.function(step, autograph=False, jit_compile=True)

    def run(self):
        loss, gradients = self._jitted(self._images)
        return float(loss), float(keras.ops.sum(keras.tree.flatten(gradients)[0][:1]))


class _Jax:
    def __init__(self, model, x):
        import jax

        def loss(weights, x, others):
            y, others = model.stateless_call(weights, others, x, training=True)
            return _squares(y), others

        step = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))
        weights = [v.value for v in model.trainable_variables]
        others = [v.value for v in model.non_trainable_variables]
        self._arguments = (
            weights,
            keras.tree.map_structure(jax.numpy.asarray, x),
            others,
        )
        self._compiled = step.lower(*self._arguments).compile()
        self._jax = jax

    def run(self):
        self._jax.block_until_ready(self._compiled(*self._arguments))

    def temporary_bytes(self):
        return self._compiled.memory_analysis().temp_size_in_bytes


def compared(kind, layer, rounds):
    """Figures of one row."""
    shape = layer_table.SHAPES[kind]
    ours = Step([layer_table.made(kind, layer)], shape)
    other = Step(layer_table.beside(kind), shape)
    for side in (ours, other):
        side.seconds()
    ratios = []
    for _ in range(rounds):
        before = other.seconds()
        middle = ours.seconds()
        ratios.append(middle / (0.5 * (before + other.seconds())))
    return {
        "time": round(float(np.median(ratios)), 3),
        "memory": round(ours.memory(), 2),
        "weights": ours.weights,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", type=pathlib.Path, help="file for the figures")
    parser.add_argument("--write", action="store_true", help="renew the page in docs/")
    parser.add_argument("--only", nargs="+", metavar="LAYER", help="names of layers")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    rows = {}
    for kind, row in layer_table.ROWS.items():
        for layer in row:
            name = layer.__name__
            if arguments.only and name not in arguments.only:
                continue
            rows[name] = compared(kind, layer, arguments.rounds)
            one = rows[name]
            print(
                f"{name:28} {one['time']:6.2f} of the time beside it, temporaries of "
                f"{one['memory']:5.1f} inputs, {one['weights']:,} weights",
                flush=True,
            )
    backend = keras.backend.backend()
    library = importlib.import_module(backend)
    result = {
        "library": f"{backend} {library.__version__}",
        "keras": keras.__version__,
        "rows": rows,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps({backend: result}, indent=1) + "\n")
    if arguments.write:
        figures = layer_table.load()
        if arguments.only:  # the other rows stay
            kept = figures.get(backend, {}).get("rows", {})
            result["rows"] = {**kept, **rows}
        layer_table.store({**figures, backend: result})


if __name__ == "__main__":
    main()
