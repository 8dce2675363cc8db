"""Padding within sequences, which masks hide."""

import keras
import numpy as np
import pytest

from perfkit import fusion
from tests import fusion_cases as cases

LENGTHS = [3, 4]  # of 5 and 6 steps
SHAPES = [(5, 8), (6, 8)]
MAKE = {
    "concat": lambda: fusion.Concat(axis=1),
    "cross": lambda: fusion.CrossAttention(2),
    "bottleneck": lambda: fusion.AttentionBottleneck(heads=2, tokens=2),
    "sequences": lambda: fusion.AttentionBottleneck(
        heads=2, tokens=2, return_sequences=True
    ),
}


def masks_of(batch):
    return [
        np.broadcast_to(np.arange(shape[0]) < length, (batch, shape[0]))
        for shape, length in zip(SHAPES, LENGTHS, strict=True)
    ]


def seen_steps(outputs, name):
    """Steps of the outputs that no mask hides, side by side."""
    found = cases.arrays(outputs)
    if name == "concat":
        keep = [*range(3), *range(5, 9)] if found[0].shape[1] == 11 else range(7)
        return found[0][:, list(keep)]
    if name == "bottleneck":
        return found[0]
    return np.concatenate([x[:, :n] for x, n in zip(found, [3, 4, 2], strict=False)], 1)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("asked", ["explicit", "masking", "with_present"])
def test_padding_does_not_count_whatever_it_holds(name, asked):
    layer, parts = MAKE[name](), cases.inputs(SHAPES, batch=2)
    short = [x[:, :n] for x, n in zip(parts, LENGTHS, strict=True)]
    wanted = seen_steps(layer(short), name)
    masks = masks_of(2)
    for x, mask in zip(parts, masks, strict=True):
        x[~mask] = np.nan if asked == "explicit" else 0.0
    if asked == "explicit":
        outputs = layer(parts, mask=masks)
    else:
        masked = [keras.layers.Masking()(x) for x in parts]
        more = {"present": np.ones((2, 2), bool)} if asked == "with_present" else {}
        outputs = layer(masked, **more)
    np.testing.assert_allclose(seen_steps(outputs, name), wanted, rtol=1e-4, atol=1e-5)


class Noted(keras.layers.Layer):
    """Returns the mask that comes to it."""

    supports_masking = True

    def call(self, inputs, mask=None):
        shape = keras.ops.shape(inputs)[:2]
        return keras.ops.ones(shape, "bool") if mask is None else mask

    def compute_output_spec(self, inputs, mask=None):
        return keras.KerasTensor(inputs.shape[:2], "bool")


@pytest.mark.parametrize("name", ["concat", "cross", "sequences"])
def test_masks_are_handed_on(name):
    inputs = [keras.Input(shape) for shape in SHAPES]
    outputs = MAKE[name]()([keras.layers.Masking()(x) for x in inputs])
    outputs = keras.tree.flatten(outputs)
    model = keras.Model(inputs, [Noted()(x) for x in outputs])
    parts, masks = cases.inputs(SHAPES, batch=2), masks_of(2)
    for x, mask in zip(parts, masks, strict=True):
        x[~mask] = 0.0
    found = keras.tree.flatten(model.predict(parts, verbose=0))
    wanted = {
        "concat": [np.concatenate(masks, axis=1)],
        "cross": masks[:1],
        "sequences": [*masks, np.ones((2, 2), bool)],
    }[name]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_heads_divide_the_channels():
    with pytest.raises(ValueError, match=r"heads=...\)` must be a divisor of the 8"):
        fusion.AttentionBottleneck(heads=3)(cases.inputs(SHAPES))
