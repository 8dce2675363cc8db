"""What the builders have in common: their arguments, and which of them makes sense."""

import dataclasses
from typing import Any

from perfkit import _check

TASKS = ("classification", "labelling", "regression")
ACTIVATIONS = ("elu", "gelu", "leaky_relu", "mish", "relu", "silu", "tanh")
# Group normalization counts all steps, and so would those that only pad.
OF_STEPS = ("batch", "layer", "none", "rms")
NORMALIZATIONS = {
    "images": (*OF_STEPS, "group"),
    "features": OF_STEPS,
    "tokens": OF_STEPS,
}
# What one builder alone takes, or two of the three.
OPTIONS = {
    "activation": ("cnn", "transformer"),
    "attention": ("cnn", "rnn"),
    "bidirectional": ("rnn",),
    "cell": ("rnn",),
    "downsampling": ("cnn",),
    "expansion": ("transformer",),
    "feed_forward": ("transformer",),
    "heads": ("transformer",),
    "kernel_size": ("cnn",),
    "patch_size": ("transformer",),
    "position": ("transformer",),
    "stages": ("cnn",),
}
MASKS = ("auto", "input", "none", "zeros")


@dataclasses.dataclass(frozen=True)
class Options:
    """Checked arguments that every builder has."""

    owner: str
    data: str
    input_shape: tuple[int | None, ...]
    outputs: int | None
    task: str
    vocabulary: int | None
    mask: str
    width: int
    depth: int
    dropout: float
    drop_path: float
    layer_scale: float | None
    normalization: str
    pooling: str
    seed: int | None

    def seed_of(self, number: int) -> int | None:
        """Seed of one of the layers that drop, each with a stream of its own."""
        return None if self.seed is None else (self.seed + number) % 2**32

    def path_rate(self, block: int) -> float:
        """Rate of `DropPath` in a block: the deeper, the more."""
        return self.drop_path * (block + 1) / self.depth

    @property
    def is_labelling(self) -> bool:
        """Whether every step or place has an output."""
        return self.task == "labelling"


def checked(
    owner: str,
    others: dict[str, Any],
    *,
    kinds: tuple[str, ...],
    usual: str,
    poolings: tuple[str, ...],
    input_shape,
    outputs,
    task,
    vocabulary,
    mask,
    width,
    depth,
    dropout,
    drop_path,
    layer_scale,
    normalization,
    pooling,
    seed,
) -> Options:
    """Check what every builder takes: see `cnn` for what follows `poolings`.

    `others` are arguments that the builder does not have, `kinds` the data it takes,
    `usual` its normalization where none is named, `poolings` what it can pool by.
    """
    _refuse(owner, others)
    shape, data = _data(owner, input_shape, vocabulary, kinds)
    if vocabulary is not None:
        vocabulary = _check.integer(owner, "vocabulary", vocabulary, 2)
    if outputs is not None:
        outputs = _check.integer(owner, "outputs", outputs)
    task = _check.one_of(owner, "task", task, TASKS)
    if layer_scale is not None:
        layer_scale = _check.positive(owner, "layer_scale", layer_scale, 1.0)
    normalization = usual if normalization is None else normalization
    normalization = _check.one_of(
        owner, "normalization", normalization, NORMALIZATIONS[data]
    )
    if seed is not None:
        seed = _check.integer(owner, "seed", seed, 0, 2**32 - 1)
    return Options(
        owner=owner,
        data=data,
        input_shape=shape,
        outputs=outputs,
        task=task,
        vocabulary=vocabulary,
        mask=_mask(owner, mask, data),
        width=_check.integer(owner, "width", width),
        depth=_check.integer(owner, "depth", depth),
        dropout=_check.below_one(owner, "dropout", dropout),
        drop_path=_check.below_one(owner, "drop_path", drop_path),
        layer_scale=layer_scale,
        normalization=normalization,
        pooling=_pooling(owner, pooling, poolings, task),
        seed=seed,
    )


def activation(owner: str, value: Any, usual: str) -> str:
    """Check the name of an activation; None for the usual one."""
    value = usual if value is None else value
    return _check.one_of(owner, "activation", value, ACTIVATIONS)


def _refuse(owner, others):
    for name, value in others.items():
        if name in OPTIONS:
            of = " and ".join(f"`{builder}`" for builder in OPTIONS[name])
            _check.fail(owner, name, f"left out: it is an option of {of}", value)
        expected = "left out: no builder has an option of this name"
        _check.fail(owner, name, expected, value, TypeError)


def _data(owner, input_shape, vocabulary, kinds):
    shape = tuple(input_shape) if isinstance(input_shape, (list, tuple)) else ()
    named = {1: "tokens", 2: "features", 3: "images"}
    data = named.get(len(shape), "")
    free = {"tokens": 1, "features": 1, "images": 2}.get(data, 0)
    known = data in kinds and all(
        (size is None and place < free)
        or (hasattr(size, "__index__") and not isinstance(size, bool) and size >= 1)
        for place, size in enumerate(shape)
    )
    if not known:
        texts = {
            "tokens": "(steps,)",
            "features": "(steps, features)",
            "images": "(height, width, channels)",
        }
        expected = " or ".join(texts[kind] for kind in kinds)
        expected += ", whole numbers of at least 1; None for any number of steps"
        if "images" in kinds:
            expected += " or places"
        _check.fail(owner, "input_shape", expected, input_shape)
    if data == "tokens" and vocabulary is None:
        expected = "the number of tokens where `input_shape` is (steps,)"
        _check.fail(owner, "vocabulary", expected, vocabulary)
    if data != "tokens" and vocabulary is not None:
        expected = "None unless `input_shape` is (steps,)"
        _check.fail(owner, "vocabulary", expected, vocabulary)
    return tuple(None if size is None else int(size) for size in shape), data


def _mask(owner, mask, data):
    mask = _check.one_of(owner, "mask", mask, MASKS)
    if data == "images" and mask not in ("auto", "none"):
        _check.fail(owner, "mask", "'auto' or 'none' for images", mask)
    if mask == "auto":
        return "zeros" if data == "tokens" else "none"
    return mask


def _pooling(owner, pooling, poolings, task):
    if task == "labelling" and pooling is not None:
        expected = "None where `task` is 'labelling': nothing is pooled"
        _check.fail(owner, "pooling", expected, pooling)
    pooling = "average" if pooling is None else pooling
    return _check.one_of(owner, "pooling", pooling, poolings)
