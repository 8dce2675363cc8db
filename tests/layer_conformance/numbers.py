"""Outputs and gradients."""

import keras
import numpy as np

from tests.layer_conformance.common import (
    assert_close,
    build,
    flat,
    inputs_of,
    numpy,
)


def check_a_sample_does_not_depend_on_others(kind, case):
    layer, x = build(kind, case), inputs_of(case)
    one = keras.tree.map_structure(lambda array: array[1:2], x)
    assert_close(layer(one), [y[1:2] for y in flat(layer(x))])


check_a_sample_does_not_depend_on_others.applies = lambda kind, case: not case.coupled


def check_inputs_stay(kind, case):
    layer, x = build(kind, case), inputs_of(case)
    for training in (False, True):
        tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, x)
        layer(tensors, **_mode(layer, training))
        assert_close(tensors, inputs_of(case), 0.0)
        layer(x, **_mode(layer, training))
        assert_close(x, inputs_of(case), 0.0)


def _mode(layer, training):
    return {"training": training} if layer._call_has_training_arg else {}


def check_gradients_reach_every_weight(kind, case):
    layer, x = build(kind, case), inputs_of(case)
    gradients = _gradients(layer, x)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    without = [
        weight.path
        for weight, gradient in zip(layer.trainable_weights, gradients, strict=True)
        if not np.abs(gradient).max() > 0.0
    ]
    assert not without


def _loss(outputs):
    """A sum in which each output counts otherwise."""
    rng = np.random.default_rng(2)
    return sum(
        keras.ops.sum(y * rng.normal(size=y.shape).astype("float32"))
        for y in keras.tree.flatten(outputs)
    )


def _gradients(layer, x):
    if keras.backend.backend() == "jax":
        import jax

        others = [v.value for v in layer.non_trainable_variables]

        def loss(weights):
            return _loss(layer.stateless_call(weights, others, x)[0])

        weights = [v.value for v in layer.trainable_variables]
        return [numpy(g) for g in jax.jit(jax.grad(loss))(weights)]
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = _loss(layer(x))
    found = tape.gradient(loss, layer.trainable_weights)
    return [np.zeros(1) if g is None else numpy(tf.convert_to_tensor(g)) for g in found]
