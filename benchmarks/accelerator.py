"""The chain and RandAugment on an accelerator, under JAX, without TensorFlow.

Keras's own layers stand beside them, and Kornia under `torch.compile` where torch,
kornia and a GPU that torch sees are there.
"""

import importlib.util
import statistics
import time

import keras
import numpy as np

BATCH, SIZE = 64, 256
DTYPES = ("float32", "bfloat16")
STEPS = 20  # of training, for one figure


def timed(sides, images, repeats):
    """Images a second of each side, which take turns, and seconds of first calls."""
    rows = {}
    for name, run in sides.items():
        start = time.perf_counter()
        run()
        rows[name] = {"first_call_s": time.perf_counter() - start}
    seconds = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    for name, values in seconds.items():
        rows[name]["images_per_second"] = images / statistics.median(values)
        rows[name]["median_ms"] = 1e3 * statistics.median(values)
    return rows


def kornia_side(line, batch, size, dtype):
    """A function that augments a batch by Kornia, or `None` where it cannot run."""
    if not all(importlib.util.find_spec(name) for name in ("torch", "kornia")):
        return None
    import kornia.augmentation as K
    import torch

    if not torch.cuda.is_available():
        return None
    if line == "rand_augment":
        policy = K.auto.RandAugment(n=2, m=15)
        layers = K.AugmentationSequential(policy)
    else:
        layers = K.AugmentationSequential(
            K.RandomHorizontalFlip(),
            K.RandomAffine(36.0, translate=(0.1, 0.1), scale=(0.8, 1.2), p=1.0),
            K.ColorJiggle(0.2, 0.2, 0.2, 0.1, p=1.0),
            K.Normalize(torch.tensor([0.485, 0.456, 0.406]), torch.full((3,), 0.229)),
        )
    images = torch.rand(
        batch, 3, size, size, device="cuda", dtype=getattr(torch, dtype)
    )
    call = torch.compile(layers.cuda())

    def run():
        call(images)
        torch.cuda.synchronize()

    return run


def chains(make, batch, size, repeats):
    """The lines in both dtypes.

    `make(line, name, images, dtype)` makes the side of perfkit or of Keras.
    """
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, size, size, 3)).astype("uint8")
    for line in ("chain", "rand_augment"):
        for dtype in DTYPES:
            sides = {
                name: make(line, name, images, dtype) for name in ("perfkit", "keras")
            }
            kornia = kornia_side(line, batch, size, dtype)
            if kornia is not None:
                sides["kornia"] = kornia
            rows = timed(sides, batch, repeats)
            speed = {name: row["images_per_second"] for name, row in rows.items()}
            ratios = {
                f"ratio_{name}": speed["perfkit"] / speed[name]
                for name in speed
                if name != "perfkit"
            }
            yield {"line": line, "dtype": dtype, **ratios, **rows}


def training_share(make_layers, batch, size, repeats):
    """How much of a training step of ResNet-50 in bfloat16 is augmentation."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, size, size, 3)).astype("uint8")
    labels = rng.integers(0, 1000, batch).astype("int32")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    plain = [keras.layers.Rescaling(1 / 60, -2.0)]
    sides = {
        name: train_step(layers, images, labels)
        for name, layers in (("without", plain), ("with", make_layers()))
    }
    rows = timed(sides, batch * STEPS, repeats)
    keras.config.set_dtype_policy(before)
    share = 1.0 - rows["without"]["median_ms"] / rows["with"]["median_ms"]
    return {"line": "resnet50", "dtype": "mixed_bfloat16", "share": share, **rows}


def train_step(layers, images, labels):
    """A function that trains for some compiled steps on data that lie on the device."""
    import jax

    shape = images.shape[1:]
    network = keras.applications.ResNet50(weights=None, input_shape=shape)
    model = keras.Sequential([keras.Input(shape, dtype="uint8"), *layers, network])
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy()
    images, labels = jax.device_put(images), jax.device_put(labels)

    def objective(trainable, others):
        predicted, others = model.stateless_call(
            trainable, others, images, training=True
        )
        return loss(labels, predicted), others

    @jax.jit
    def step(trainable, others, slots):
        gradient = jax.value_and_grad(objective, has_aux=True)
        (value, others), slopes = gradient(trainable, others)
        trainable, slots = optimizer.stateless_apply(slots, slopes, trainable)
        return trainable, others, slots, value

    groups = model.trainable_variables, model.non_trainable_variables
    state = [[v.value for v in group] for group in (*groups, optimizer.variables)]

    def run():
        nonlocal state
        for _ in range(STEPS):
            *state, value = step(*state)
        return float(value)  # waits for all

    return run


def show(result):
    head = {k: v for k, v in result.items() if not isinstance(v, dict)}
    cells = [f"{k} {v:.3f}" if isinstance(v, float) else v for k, v in head.items()]
    print("\n" + ", ".join(cells))
    for name, row in result.items():
        if isinstance(row, dict):
            cells = ", ".join(f"{k} {v:.2f}" for k, v in row.items())
            print(f"{name:9s} {cells}")
