"""What is drawn, and when."""

import numpy as np

from perfkit.augment import Operation
from tests.conformance.common import (
    IMAGES,
    applies_to,
    copies,
    draws,
    has_rate,
    images_of,
    mixes,
    of_the_base,
    same_shape_and_close,
    to_numpy,
    with_labels,
)


def _rests_at_inference(op):
    return has_rate(op) and op.at_inference is Operation.at_inference


def check_changes_training_images(make):
    assert not same_shape_and_close(images_of(make()), IMAGES)


@of_the_base
def check_values_are_finite(make):
    assert np.isfinite(images_of(make())).all()


@of_the_base
def check_training_none_means_unsaid(make):
    assert np.array_equal(images_of(make(), training=None), images_of(make()))


@of_the_base
@applies_to(_rests_at_inference)
def check_inference_is_identity(make):
    assert np.array_equal(images_of(make(), training=False), IMAGES)


@of_the_base
def check_inference_draws_nothing(make):
    layer = make()
    state = to_numpy(layer.variables[0]).copy() if layer.random else None
    first, second = [images_of(layer, copies(4), training=False) for _ in range(2)]
    assert np.array_equal(first, second)
    assert np.array_equal(first[0], first[1])
    assert state is None or np.array_equal(state, to_numpy(layer.variables[0]))


@applies_to(lambda op: not op.random)
def check_works_at_inference_too(make):
    assert np.array_equal(images_of(make(), training=False), images_of(make()))


@of_the_base
@applies_to(has_rate)
def check_rate_zero_is_inference(make):
    rested = images_of(make(), training=False)
    assert same_shape_and_close(images_of(make(rate=0.0)), rested)


@of_the_base
@applies_to(has_rate)
def check_rate_picks_samples(make):
    images = np.concatenate([IMAGES] * 4)
    always, never, mixed = [
        images_of(make(rate=rate), images) for rate in (1.0, 0.0, 0.5)
    ]

    def equal(theirs):
        return np.isclose(mixed, theirs, atol=1e-2).all(axis=(1, 2, 3))

    assert (equal(always) | equal(never)).all()
    assert not equal(always).all()
    assert not equal(never).all()


@of_the_base
@applies_to(draws)
def check_same_seed_same_draws(make):
    assert np.array_equal(images_of(make()), images_of(make()))


@of_the_base
@applies_to(draws)
def check_other_seed_other_draws(make):
    ours, theirs = images_of(make(), copies()), images_of(make(seed=2), copies())
    if make().mixes:  # copies mix into themselves
        ours, theirs = images_of(make()), images_of(make(seed=2))
    assert not np.array_equal(ours, theirs)


@of_the_base
@applies_to(draws)
def check_draws_advance(make):
    layer = make()
    assert not np.array_equal(images_of(layer), images_of(layer))


@applies_to(lambda op: op.random and not op.mixes)
def check_samples_differ_within_batch(make):
    out = images_of(make(), copies())
    assert np.ptp(out, axis=0).max() > 1e-3


@applies_to(mixes)
def check_shares_differ_within_batch(make):
    images = np.concatenate([IMAGES] * 4)
    labels = np.arange(16, dtype="int32")
    out = make(classes=16)({**with_labels(images), "labels": labels})
    own = np.diag(to_numpy(out["labels"]))
    assert np.allclose(to_numpy(out["labels"]).sum(axis=1), 1.0, atol=1e-5)
    assert np.ptp(own[own < 0.999]) > 1e-3  # 1 where a sample met itself


@of_the_base
@applies_to(lambda op: not op.mixes and not op.deals)
def check_draw_does_not_depend_on_batch_size(make):
    assert same_shape_and_close(images_of(make())[:1], images_of(make(), IMAGES[:1]))
