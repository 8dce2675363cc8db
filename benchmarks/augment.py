"""perfkit's augmentation against Keras's own layers, side by side in one process.

    python benchmarks/augment.py                        # all lines, TensorFlow backend
    KERAS_BACKEND=jax python benchmarks/augment.py --json augment_jax.json
    python benchmarks/augment.py --only rand_augment
    python benchmarks/augment.py --device gpu          # JAX; TensorFlow is not needed

Lines: `chain` flips, rotates, zooms, shifts, changes brightness, contrast, saturation
and hue, and normalizes; `rand_augment` is RandAugment with two operations, of which
each image gets its own here and each batch in Keras; `tf_data` is the chain in a
parallel map over batches; `memory` compiles the geometric part of the chain for
64 x 1024 x 700 x 3 floats under JAX and reads what it needs; `host` compares every
operation on the host with Albumentations' (see `benchmarks/host.py`). Keras runs in
`tf.function`, where its layers do not compile, and in `jax.jit`, where they do. Runs
alternate; figures are medians. Believe the ratios: absolute times depend on the
machine and its load.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import sys
import time

os.environ.setdefault(
    "KERAS_BACKEND", "jax" if {"gpu", "--device=gpu"} & set(sys.argv) else "tensorflow"
)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import accelerator
import host
import keras
import numpy as np
from sides import prepare

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
        images = keras.ops.cast(images, layers[0].compute_dtype)
        for layer in layers:
            images = layer(images, training=True)
        return images

    return call


def pipeline(layers):
    return lambda images: layers[0](images, training=True)


def rand_augment(module):
    return [module.RandAugment(seed=1)]


def layers_of(line, name):
    """The layers of one side of a line."""
    if line == "rand_augment":
        return rand_augment(augment if name == "perfkit" else keras.layers)
    return perfkit_layers() if name == "perfkit" else keras_layers()


def sides_of(line, images):
    """The two sides of a line, each with the seconds of its first call."""
    for name in ("perfkit", "keras"):
        layers = layers_of(line, name)
        join = pipeline if name == "perfkit" else chain
        start = time.perf_counter()
        side = prepare(join(layers), images, layers)
        side.run()
        yield name, side, time.perf_counter() - start


def compare(line, images, repeats):
    sides = {name: (side, first, []) for name, side, first in sides_of(line, images)}
    for _ in range(repeats):
        for side, _, seconds in sides.values():
            start = time.perf_counter()
            side.run()
            seconds.append(time.perf_counter() - start)
    rows = {}
    for name, (side, first, seconds) in sides.items():
        temporary = side.temporary_bytes()
        rows[name] = {
            **speed(len(images), seconds),
            "first_call_s": first,
            "temporary_mib": None if temporary is None else temporary / 2**20,
            "stablehlo_lines": side.stablehlo_lines(),
        }
    return {"line": line, "dtype": str(images.dtype), **ratio_of(rows)}


def speed(images, seconds):
    return {
        "images_per_second": images / statistics.median(seconds),
        "median_ms": 1e3 * statistics.median(seconds),
        "min_ms": 1e3 * min(seconds),
        "max_ms": 1e3 * max(seconds),
    }


def ratio_of(rows):
    ours, theirs = [rows[name]["images_per_second"] for name in ("perfkit", "keras")]
    return {"ratio": ours / theirs, **rows}


def in_tf_data(images, repeats, batches=4):
    """The chain in a parallel map over batches of `tf.data`."""
    import tensorflow as tf

    datasets = {}
    for name in ("perfkit", "keras"):
        layers = perfkit_layers() if name == "perfkit" else keras_layers()
        call = (pipeline if name == "perfkit" else chain)(layers)
        dataset = tf.data.Dataset.from_tensor_slices(images).repeat(batches)
        dataset = dataset.batch(len(images), drop_remainder=True)
        dataset = dataset.map(call, num_parallel_calls=tf.data.AUTOTUNE)
        datasets[name] = (dataset.prefetch(tf.data.AUTOTUNE), [])
    for repeat in range(repeats + 1):
        for dataset, seconds in datasets.values():
            start = time.perf_counter()
            for _ in dataset:
                pass
            if repeat:  # the first one compiles
                seconds.append(time.perf_counter() - start)
    rows = {
        name: speed(len(images) * batches, seconds)
        for name, (_, seconds) in datasets.items()
    }
    return {"line": "tf_data", "dtype": str(images.dtype), **ratio_of(rows)}


def memory():
    """Temporaries of the geometric chain at the size of a photograph, under JAX."""
    import jax

    shape = (64, 1024, 700, 3)
    rows = {}
    for name in ("perfkit", "keras"):
        layers = perfkit_layers()[0].layers if name == "perfkit" else keras_layers()
        layers = layers[:4]
        if name == "perfkit":
            layers = [augment.Pipeline(layers)]
        join = pipeline if name == "perfkit" else chain
        side = prepare(join(layers), jax.ShapeDtypeStruct(shape, "float32"), layers)
        rows[name] = {"temporary_mib": side.temporary_bytes() / 2**20}
    images = 4 * np.prod(shape) / 2**20
    return {"line": "memory", "shape": shape, "images_mib": images, **rows}


def show(result):
    if result["line"] == "host":
        host.show(result)
        return
    print(f"\n{result['line']}, {result.get('dtype', 'float32')} images")
    keys = [key for key in result["perfkit"] if key not in ("min_ms", "max_ms")]
    print(f"{'':9s}" + "".join(f"{key:>19s}" for key in keys))
    for name in ("perfkit", "keras"):
        values = [result[name][key] for key in keys]
        cells = ["not compiled" if v is None else f"{v:.1f}" for v in values]
        print(f"{name:9s}" + "".join(f"{cell:>19s}" for cell in cells))
    if "ratio" in result:
        print(f"perfkit is {result['ratio']:.1f} times as fast")
    else:
        share = result["perfkit"]["temporary_mib"] / result["images_mib"]
        print(f"perfkit's temporaries are {share:.2f} times the bytes of the images")


def on_the_accelerator(args):
    """The lines of an accelerator, and its name."""
    import jax

    device = jax.devices()[0]
    if device.platform == "cpu" and not args.here:
        sys.exit("JAX sees no accelerator. To try the lines on the CPU: --here")
    print(f"keras {keras.__version__}, JAX {jax.__version__}, {device.device_kind}")

    def make(line, name, images, dtype):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(dtype)
        layers = layers_of(line, name)
        keras.config.set_dtype_policy(before)
        join = pipeline if name == "perfkit" else chain
        return prepare(join(layers), images, layers).run

    repeats = max(args.repeats, 7)
    size = args.size or accelerator.SIZE
    results = []
    for result in accelerator.chains(make, args.batch, size, repeats):
        accelerator.show(result)
        results.append(result)
    result = accelerator.training_share(perfkit_layers, args.batch, size, repeats)
    accelerator.show(result)
    return [*results, result], device.device_kind


def lines(args, images):
    repeats = max(args.repeats, 7)
    wanted = set(args.only)
    if "chain" in wanted:
        for dtype in ("uint8", "float32"):
            yield compare("chain", images.astype(dtype), repeats)
    if "rand_augment" in wanted:
        yield compare("rand_augment", images, repeats)
    if "tf_data" in wanted:
        yield in_tf_data(images, repeats)
    if "host" in args.only:
        host.show_head()
        yield from host.compare(args.batch, args.size, repeats)
    if "memory" in wanted and keras.backend.backend() == "jax":
        yield memory()


LINES = ("chain", "rand_augment", "tf_data", "memory", "host")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, help="224; 256 on an accelerator")
    parser.add_argument("--repeats", type=int, default=9, help="at least 7")
    parser.add_argument("--only", action="append", choices=LINES)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--here", action="store_true", help="GPU lines on a CPU")
    parser.add_argument("--json", type=pathlib.Path, help="file to write figures to")
    args = parser.parse_args()
    if args.device == "gpu":
        results, device = on_the_accelerator(args)
        report = {"device": device, "backend": "jax", "keras": keras.__version__}
    else:
        results, report = on_the_cpu(args)
    if args.json:
        text = json.dumps({**report, "results": results}, indent=2)
        args.json.write_text(text + "\n")


def on_the_cpu(args):
    """The lines that were asked for, or all that this installation can run."""
    if not args.only:
        args.only = [x for x in LINES if x != "host" or has_albumentations()]
    shape = (args.batch, args.size or 224, args.size or 224, 3)
    args.size = shape[1]
    images = np.random.default_rng(0).integers(0, 256, shape).astype("uint8")
    backend = keras.backend.backend()
    print(
        f"keras {keras.__version__}, {backend} backend, {shape}, {os.cpu_count()} cores"
    )
    results = []
    for result in lines(args, images):
        results.append(result)
        show(result)
    return results, {"backend": backend, "keras": keras.__version__, "shape": shape}


def has_albumentations():
    if importlib.util.find_spec("albumentations"):
        return True
    print("albumentations is not installed: the line `host` is left out")
    return False


if __name__ == "__main__":
    main()
