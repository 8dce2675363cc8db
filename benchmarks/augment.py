"""perfkit's Pipeline against Keras's own layers, side by side in one process.

    python benchmarks/augment.py                        # TensorFlow backend
    KERAS_BACKEND=jax python benchmarks/augment.py --json augment_jax.json

Both flip, rotate, zoom, shift, change brightness, contrast, saturation and hue, and
normalize the same batch. Keras runs in `tf.function`, where its layers do not compile,
and in `jax.jit`, where they do. Runs alternate; figures are medians. Believe the
ratios: absolute times depend on the machine and its load.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from perfkit import augment

MEAN, VARIANCE = [123.7, 116.3, 103.5], [3409.0, 3262.0, 3291.0]


def perfkit_layers():
    return [
        augment.Pipeline(
            [
                augment.RandomFlip("horizontal"),
                augment.RandomRotation(0.1),
                augment.RandomZoom(0.2),
                augment.RandomTranslation(0.1, 0.1),
                augment.RandomBrightness(0.2),
                augment.RandomContrast(0.2),
                augment.RandomSaturation((0.4, 0.6)),
                augment.RandomHue(0.1),
                augment.Normalization(mean=MEAN, variance=VARIANCE),
            ]
        )
    ]


def keras_layers():
    layers = keras.layers
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.2),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomBrightness(0.2),
        layers.RandomContrast(0.2),
        layers.RandomSaturation((0.4, 0.6), value_range=(0, 1)),  # that of HSV
        layers.RandomHue(0.1),
        layers.Normalization(mean=MEAN, variance=VARIANCE),
    ]


def chain(layers):
    # Keras's RandomContrast fails on uint8, so its chain starts from floats.
    def call(images):
        for layer in layers:
            images = layer(keras.ops.cast(images, "float32"), training=True)
        return images

    return call


def pipeline(layers):
    return lambda images: layers[0](images, training=True)


class TensorFlow:
    """One side of the comparison under TensorFlow."""

    def __init__(self, call, images):
        import tensorflow as tf

        self._function = tf.function(call, autograph=False)
        self._images = tf.constant(images)
        self._jitted = tf.function(call, autograph=False, jit_compile=True)

    def run(self):
        # Reading one value waits for all.
        return float(self._function(self._images)[0, 0, 0, 0])

    def temporary_bytes(self):
        """Temporaries of the program compiled by XLA, or `None` where there is none."""
        import tensorflow as tf
        from tensorflow.compiler.xla.service import hlo_pb2

        try:
            ir = self._jitted.experimental_get_compiler_ir(self._images)
            serialized = ir(stage="optimized_hlo_proto_serialized")
        except (tf.errors.InvalidArgumentError, ValueError, TypeError):
            return None
        proto = hlo_pb2.HloProto.FromString(serialized)
        return sum(
            allocation.size
            for allocation in proto.buffer_assignment.buffer_allocations
            if not allocation.is_entry_computation_parameter
            and not allocation.maybe_live_out
            and not allocation.is_constant
            and not allocation.is_thread_local
        )


class Jax:
    """One side of the comparison under JAX."""

    def __init__(self, call, images, layers):
        import jax

        variables = [v for layer in layers for v in layer.variables]

        def function(values, images):
            mapping = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping) as scope:
                outputs = call(images)
            return [scope.get_current_value(v) for v in variables], outputs

        self._function = jax.jit(function)
        self._values = [v.value for v in variables]
        self._images = jax.numpy.asarray(images)

    def run(self):
        self._values, outputs = self._function(self._values, self._images)
        return float(outputs[0, 0, 0, 0])

    def temporary_bytes(self):
        compiled = self._function.lower(self._values, self._images).compile()
        return compiled.memory_analysis().temp_size_in_bytes


def prepare(call, images, layers):
    if keras.backend.backend() == "jax":
        return Jax(call, images, layers)
    return TensorFlow(call, images)


def compare(images, repeats):
    sides = {}
    for name, layers, join in (
        ("perfkit", perfkit_layers(), pipeline),
        ("keras", keras_layers(), chain),
    ):
        start = time.perf_counter()
        side = prepare(join(layers), images, layers)
        side.run()
        sides[name] = (side, time.perf_counter() - start, [])
    for _ in range(repeats):
        for side, _, seconds in sides.values():
            start = time.perf_counter()
            side.run()
            seconds.append(time.perf_counter() - start)
    rows = {}
    for name, (side, first, seconds) in sides.items():
        temporary = side.temporary_bytes()
        rows[name] = {
            "images_per_second": len(images) / statistics.median(seconds),
            "median_ms": 1e3 * statistics.median(seconds),
            "min_ms": 1e3 * min(seconds),
            "max_ms": 1e3 * max(seconds),
            "first_call_s": first,
            "temporary_mib": None if temporary is None else temporary / 2**20,
        }
    ratio = rows["perfkit"]["images_per_second"] / rows["keras"]["images_per_second"]
    return {"dtype": str(images.dtype), "ratio": ratio, **rows}


def show(result):
    print(f"\n{result['dtype']} images")
    print(
        f"{'':9s}{'images/s':>10s}{'median ms':>11s}{'first call s':>14s}"
        f"{'temporaries MiB':>17s}"
    )
    for name in ("perfkit", "keras"):
        row = result[name]
        temporary = row["temporary_mib"]
        shown = "not compiled" if temporary is None else f"{temporary:.1f}"
        print(
            f"{name:9s}{row['images_per_second']:10.0f}{row['median_ms']:11.1f}"
            f"{row['first_call_s']:14.1f}{shown:>17s}"
        )
    print(f"perfkit is {result['ratio']:.1f} times as fast")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=9, help="at least 7")
    parser.add_argument("--json", type=pathlib.Path, help="file to write figures to")
    args = parser.parse_args()
    shape = (args.batch, args.size, args.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape).astype("uint8")
    backend = keras.backend.backend()
    print(
        f"keras {keras.__version__}, {backend} backend, {shape}, {os.cpu_count()} cores"
    )
    results = []
    for dtype in ("uint8", "float32"):
        results.append(compare(images.astype(dtype), max(args.repeats, 7)))
        show(results[-1])
    if args.json:
        report = {"backend": backend, "keras": keras.__version__, "shape": shape}
        args.json.write_text(
            json.dumps({**report, "results": results}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
