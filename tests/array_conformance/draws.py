"""What is drawn, and when."""

import json

import keras
import numpy as np

from tests.array_conformance.kinds import (
    borrows,
    full_inputs,
    has_rate,
    is_alike,
    is_typical,
    main_of,
    slow_unless,
    values_of,
)
from tests.conformance.common import applies_to, assert_same, to_numpy


def _original(layer):
    return full_inputs(layer)[main_of(layer)]


def check_changes_training_samples(make):
    layer = make()
    assert not is_alike(values_of(layer), _original(layer))


def check_values_are_finite(make):
    assert np.isfinite(values_of(make())).all()


def check_training_none_means_unsaid(make):
    assert np.array_equal(values_of(make(), training=None), values_of(make()))


def check_inference_is_identity_and_draws_nothing(make):
    layer = make()
    state = to_numpy(layer.variables[0]).copy()
    assert np.array_equal(values_of(layer, training=False), _original(layer))
    assert np.array_equal(state, to_numpy(layer.variables[0]))


@applies_to(has_rate)
def check_rate_zero_is_inference(make):
    layer = make(rate=0.0)
    assert np.array_equal(values_of(layer), _original(layer))


@slow_unless(is_typical)
@applies_to(has_rate)
def check_rate_picks_samples(make):
    always, never, mixed = [values_of(make(rate=rate)) for rate in (1.0, 0.0, 0.5)]

    def equal(theirs):
        return np.isclose(mixed, theirs, atol=1e-4).reshape(4, -1).all(axis=1)

    assert (equal(always) | equal(never)).all()
    assert not equal(always).all()
    assert not equal(never).all()


def check_same_seed_same_draws(make):
    assert np.array_equal(values_of(make()), values_of(make()))


def check_other_seed_other_draws(make):
    assert not np.array_equal(values_of(make()), values_of(make(seed=2)))


def check_draws_advance(make):
    layer = make()
    assert not np.array_equal(values_of(layer), values_of(layer))


def check_samples_differ_within_batch(make):
    """What was drawn; and copies, where those show it."""
    layer = make()
    drawn = [keras.tree.flatten(layer.sample(16, seed=seed)) for seed in (1, 2)]
    for ours, theirs in zip(*drawn, strict=True):
        fixed = np.array_equal(ours, theirs)
        choice = ours.dtype.kind != "f" and np.ptp(ours.astype("float64")) < 16
        assert fixed or len(np.unique(ours)) > (1 if choice else 8)
    if not borrows(layer):
        inputs = full_inputs(layer)
        inputs = {key: np.repeat(x[:1], 4, axis=0) for key, x in inputs.items()}
        out = values_of(layer, inputs)
        assert len(np.unique(out.reshape(4, -1), axis=0)) > 1


def check_draw_does_not_depend_on_batch_size(make):
    layer = make()
    if borrows(layer) or not has_rate(type(layer)):
        return  # samples are dealt with together
    many, few = [layer.sample(number, seed=3) for number in (16, 2)]
    for name, drawn in few.items():
        assert np.array_equal(many[name][:2], drawn)


def check_what_was_drawn_can_be_replayed(make):
    layer = make()
    inputs = full_inputs(layer)
    params = layer.sample(4, seed=(3, 1))
    first = layer.apply(inputs, params)
    as_text = json.dumps(
        keras.tree.map_structure(lambda x: x.tolist(), params), allow_nan=False
    )
    assert_same(layer.apply(inputs, json.loads(as_text)), first, atol=1e-6)
    assert_same(make(seed=9).apply(inputs, params), first, atol=1e-6)
    assert not is_alike(to_numpy(first[main_of(layer)]), _original(layer))
