"""Programs that are compiled."""

import keras
import numpy as np

from tests.layer_conformance.common import (
    assert_close,
    build,
    flat,
    for_each_shape,
    inputs_of,
    numpy,
    placeholders,
)


def compiled(layer, x, known=True, **mode):
    """Outputs of a program, on TensorFlow for any batch, and for places of any size."""
    if keras.backend.backend() == "jax":
        import jax

        def call(trainable, others, inputs):
            return layer.stateless_call(trainable, others, inputs, **mode)[0]

        variables = (layer.trainable_variables, layer.non_trainable_variables)
        values = [[v.value for v in some] for some in variables]
        return jax.jit(call)(*values, x)
    import tensorflow as tf

    def spec(array):
        middle = [size if known else None for size in array.shape[1:-1]]
        return tf.TensorSpec((None, *middle, array.shape[-1]), array.dtype)

    specs = keras.tree.map_structure(spec, x)
    program = tf.function(
        lambda inputs: layer(inputs, **mode), input_signature=[specs], jit_compile=True
    )
    return program(keras.tree.map_structure(tf.constant, x))


def check_a_program_is_the_same(kind, case):
    layer, x = build(kind, case), inputs_of(case)
    assert_close(compiled(layer, x), layer(x))
    if case.random:
        drawn = flat(compiled(layer, x, training=True))
        for one, other in zip(drawn, flat(layer(x)), strict=True):
            assert one.shape == other.shape
            assert np.isfinite(one).all()


def check_a_program_takes_unknown_sizes(kind, case):
    layer, x = build(kind, case), inputs_of(case)
    inputs = placeholders(case, known=False)
    unbuilt = kind(**case.made())
    model = keras.Model(inputs, unbuilt(inputs))
    unbuilt.set_weights([numpy(weight) for weight in layer.weights])
    assert_close(compiled(model, x, known=False), layer(x))


def _has_places(kind, case):
    ranks = keras.tree.flatten(for_each_shape(len, case.shape))
    return not case.fixed and max(ranks) > 1


check_a_program_takes_unknown_sizes.applies = _has_places
