"""Formats, shapes and dtypes."""

import keras
import numpy as np

from tests.layer_conformance.common import (
    assert_close,
    build,
    flat,
    for_each_shape,
    inputs_of,
    is_shape,
    numpy,
    placeholders,
    policy,
    transposed,
)


def check_channels_first_is_channels_last_transposed(kind, case):
    layer, x = build(kind, case, data_format="channels_last"), inputs_of(case)
    other = build(kind, case, data_format="channels_first")
    other.set_weights([numpy(weight) for weight in layer.weights])
    wanted = keras.tree.map_structure(numpy, layer(x))
    assert_close(other(transposed(x)), transposed(wanted))


check_channels_first_is_channels_last_transposed.applies = lambda kind, case: (
    case.formats and "data_format" in kind(**case.made()).get_config()
)


def check_bfloat16_is_near(kind, case):
    layer, x = build(kind, case), inputs_of(case)
    if callable(case.arguments):  # the layers among them have a policy of their own
        with policy("mixed_bfloat16"):
            half = build(kind, case)
    else:
        half = build(kind, case, dtype="mixed_bfloat16")
    half.set_weights([numpy(weight) for weight in layer.weights])
    outputs = half(x)
    dtypes = {
        keras.backend.standardize_dtype(y.dtype) for y in keras.tree.flatten(outputs)
    }
    assert dtypes == {"bfloat16"}
    floats = [w.dtype for w in half.weights if keras.backend.is_float_dtype(w.dtype)]
    assert set(floats) <= {"float32"}
    for one, other in zip(flat(outputs), flat(layer(x)), strict=True):
        assert np.abs(one - other).max() <= case.half * np.abs(other).max()


def check_symbolic_shapes_are_the_real_ones(kind, case):
    layer = build(kind, case)
    outputs = keras.tree.flatten(layer(placeholders(case)))
    real = [np.shape(y) for y in flat(layer(inputs_of(case)))]
    assert [tuple(y.shape) for y in outputs] == [(None, *s[1:]) for s in real]
    of_batch = for_each_shape(lambda shape: (None, *shape), case.shape)
    said = layer.compute_output_shape(of_batch)
    said = [said] if is_shape(tuple(said)) else list(said)
    assert [tuple(shape) for shape in said] == [(None, *s[1:]) for s in real]
