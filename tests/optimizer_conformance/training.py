"""Training in `fit`."""

import keras
import numpy as np

from tests.optimizer_conformance.common import (
    CHEAP,
    EAGER,
    close,
    compiled,
    fresh_variables,
    model_with,
    numpy,
    train,
)


def check_goes_downhill(case):
    """In a bowl around 0, where the gradient is the weights."""
    optimizer = case.make(case.rate)
    variables = fresh_variables()
    before = numpy(variables)
    for _ in range(20):
        gradients = [keras.ops.convert_to_tensor(v) for v in numpy(variables)]
        optimizer.apply(gradients, variables)
    for new, old in zip(numpy(variables), before, strict=True):
        assert np.isfinite(new).all()
        assert (new != old).all()
        assert np.linalg.norm(new) < np.linalg.norm(old)


check_goes_downhill.applies = lambda case: case.alone


@compiled()
def check_compiled_and_uncompiled_agree(case):
    """Also that an optimizer is built by `fit` itself, in a graph on TensorFlow."""
    ours = train(model_with(case.make(case.rate), jit_compile=True), 6)
    theirs = train(model_with(case.make(case.rate), **EAGER), 6)
    assert close(numpy(ours.weights), numpy(theirs.weights))


@compiled()
def check_graph_and_compiled_agree(case):
    ours = train(model_with(case.make(case.rate), jit_compile=True), 6)
    theirs = train(model_with(case.make(case.rate), jit_compile=False), 6)
    assert close(numpy(ours.weights), numpy(theirs.weights))


@compiled()
def check_first_step_is_small(case):
    """Weights that were there before training count, in `fit` as it builds."""
    model = model_with(case.make(case.rate * 0.1), jit_compile=True)
    before = [np.ones_like(weights) for weights in model.get_weights()]
    model.set_weights(before)
    after = numpy(train(model, 1).weights)
    moves = [np.abs(new - old).max() for new, old in zip(after, before, strict=True)]
    assert max(moves) < 0.2


def _rates(model, rates, **options):
    class Setting(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = rates[batch]

    return numpy(train(model, len(rates), callbacks=[Setting()], **options).weights)


@compiled()
def check_callbacks_may_set_the_learning_rate(case):
    slow = 0.1 * case.rate
    rates = [case.rate] * (case.silent + 2) + [slow, slow]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [case.silent + 1], [case.rate, slow]
    )
    scheduled = train(model_with(case.make(schedule), **CHEAP), len(rates))
    ours = _rates(model_with(case.make(case.rate), **CHEAP), rates)
    assert close(ours, numpy(scheduled.weights))
    plain = train(model_with(case.make(case.rate), **CHEAP), len(rates))
    assert not close(ours, numpy(plain.weights))


check_callbacks_may_set_the_learning_rate.applies = lambda case: case.steady


@compiled()
def check_trains_in_half_precision(case):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        scaling = keras.optimizers.LossScaleOptimizer(
            case.make(case.rate),
            initial_scale=32.0,  # small, so that no step overflows and is left out
        )
        ours = numpy(train(model_with(scaling, jit_compile=True), 4).weights)
    finally:
        keras.config.set_dtype_policy(policy)
    theirs = numpy(train(model_with(case.make(case.rate), **CHEAP), 4).weights)
    assert close(ours, theirs, atol=0.02)


check_trains_in_half_precision.applies = lambda case: case.half
