"""Joining of feature maps in both formats, and of levels of any size."""

import cv2
import keras
import numpy as np
import pytest

from perfkit import fusion
from tests import fusion_cases as cases

MAPS = [(4, 4, 5), (6, 3), (2, 3, 4, 7)]
LEVELS = [(8, 6, 3), (4, 3, 3), (3, 5, 3)]
BOTH = {
    "film": (fusion.FiLM, [(4, 4, 5), (7,)]),
    "mmtm": (fusion.MMTM, MAPS),
    "hypercolumn": (fusion.Hypercolumn, LEVELS),
    "pyramid": (fusion.WeightedPyramid, LEVELS),
}


def turned(x):
    return np.moveaxis(x, -1, 1)


@pytest.mark.parametrize("name", BOTH)
def test_channels_may_come_first(name):
    make, shapes = BOTH[name]
    last, first = make(data_format="channels_last"), make(data_format="channels_first")
    parts = cases.inputs(shapes, batch=2)
    rng = np.random.default_rng(0)
    last(parts)
    last.set_weights([rng.uniform(-1, 1, w.shape) for w in last.get_weights()])
    across = [turned(x) for x in parts]
    told = first.compute_output_shape([x.shape for x in across])
    first.build([x.shape for x in across])
    first.set_weights(last.get_weights())
    found, wanted = cases.arrays(first(across)), cases.arrays(last(parts))
    told = told if isinstance(told, list) else [told]
    assert [tuple(s) for s in told] == [x.shape for x in found]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, turned(other), rtol=1e-5, atol=1e-6)


def test_levels_are_resized_by_lines_between_pixels():
    parts = cases.inputs(LEVELS, batch=2)
    layer = fusion.Hypercolumn((9, 12), data_format="channels_last")
    found = cases.arrays(layer(parts))[0]
    for row in range(2):
        wanted = [
            cv2.resize(x[row], (12, 9), interpolation=cv2.INTER_LINEAR) for x in parts
        ]
        np.testing.assert_allclose(
            found[row], np.concatenate(wanted, axis=-1), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("make", [fusion.Hypercolumn, fusion.WeightedPyramid])
def test_sizes_of_levels_may_be_unknown(make):
    levels = [keras.Input((None, None, 3)) for _ in LEVELS]
    layer = make(data_format="channels_last")
    model = keras.Model(levels, layer(levels))
    assert model.output_shape[1:3] == (None, None)
    parts = cases.inputs(LEVELS, batch=2)
    found = model.predict(parts, verbose=0)
    np.testing.assert_allclose(found, cases.arrays(layer(parts))[0], rtol=1e-5)


def test_weights_of_levels_are_not_negative():
    layer = fusion.WeightedPyramid()
    parts = cases.inputs(cases.ALIKE)
    layer(parts)
    layer.set_weights([np.array([2.0, -5.0])])
    found = cases.arrays(layer(parts))[0]
    np.testing.assert_allclose(found, parts[0] * 2.0 / (2.0 + 1e-4), rtol=1e-5)


def test_squeezing_is_in_float32():
    maps = [np.full((1, 100, 100, 4), 200.0), np.full((1, 3, 2), 2.0)]
    layer = fusion.MMTM(dtype="mixed_float16", data_format="channels_last")
    assert all(np.isfinite(x).all() for x in cases.arrays(layer(maps)))
