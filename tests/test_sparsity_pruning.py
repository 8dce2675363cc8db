"""The `Pruning` callback: masks, schedules, criteria, and where it works."""

import itertools

import keras
import numpy as np
import pytest

from perfkit import compress, optimizers
from perfkit.compress.sparsity._masked import Masked
from tests.sparse_models import (
    CRITERIA,
    DONE,
    RISING,
    Spy,
    compiled,
    fit,
    model_of,
    numpy,
    zeros,
)

RNG = np.random.default_rng(0)

# What masks are, and when


@pytest.mark.parametrize("jit", [False, True])
def test_sparsity_follows_the_schedule_to_the_weight_in_every_step(jit):
    model, spy = compiled(jit_compile=jit), Spy()
    pruning = compress.Pruning(RISING, every=3)
    history = fit(model, pruning, spy)
    due = [step - step % 3 for step in range(12)]
    expected = [96 - round(96 * (1 - RISING(step))) for step in due]
    assert [int((kernel == 0).sum()) for kernel in spy.kernels] == expected
    assert not any(np.signbit(kernel[kernel == 0]).any() for kernel in spy.kernels)
    assert zeros(model) == DONE
    assert history.history["sparsity"][-1] == pytest.approx(99 / 132)
    assert pruning.report.sparsity == 0.75


def test_masks_are_of_the_smallest_and_grow():
    model, spy = compiled(), Spy()
    start = numpy(model.layers[0].kernel)
    steps = compress.Pruning(lambda step: min(0.25 + step // 4 / 4, 0.75), every=4)
    fit(model, steps, spy)
    before = [start, *spy.kernels]
    for step, share in ((0, 0.25), (4, 0.5), (8, 0.75)):
        cut = np.sort(np.abs(before[step]).ravel())[int(96 * share)]
        np.testing.assert_array_equal(before[step + 1] == 0, np.abs(before[step]) < cut)


def test_equal_weights_get_exactly_the_sparsity():
    model = compiled(model=model_of(kernel_initializer="ones"))
    fit(model, compress.Pruning(0.75), epochs=1)
    assert zeros(model) == DONE


def test_a_kernel_that_begins_as_zeros_learns_where_it_is_not_pruned():
    model = compiled(model=model_of(kernel_initializer="zeros"))
    model.layers[1].kernel.assign(RNG.normal(size=(12, 3)))
    fit(
        model, compress.Pruning(compress.CubicSparsity(0.75, steps=4, begin=4), every=4)
    )
    assert zeros(model) == DONE


def test_a_global_sparsity_is_that_of_all_together():
    model = compiled()
    model.layers[1].kernel.assign(9 * numpy(model.layers[1].kernel))
    fit(model, compress.Pruning(0.5, scope="global"), epochs=1)
    counts = zeros(model)
    assert sum(counts.values()) == 66
    assert counts["a/kernel"] > 50


def test_blocks_are_pruned_whole():
    model = compiled()
    fit(model, compress.Pruning(0.5, pattern=compress.Block((4, 1)), where="a"))
    blocks = numpy(model.layers[0].kernel).reshape(2, 4, 12) == 0
    assert (blocks.all(1) == blocks.any(1)).all()
    assert blocks.all(1).sum() == 12


def test_two_of_four_are_recomputed_during_training():
    model, spy = compiled(keras.optimizers.Adam(0.1)), Spy()
    fit(model, compress.Pruning(0.5, pattern="2:4", every=1), spy)
    masks = [kernel.reshape(2, 4, 12) != 0 for kernel in spy.kernels]
    assert all((mask.sum(1) == 2).all() for mask in masks)
    assert (masks[0] != masks[-1]).any()


def linear(rate):
    """A linear model, its data and its first weights, with SGD."""
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(16, 8)), rng.normal(size=(16, 1))
    weights = 0.5 * rng.normal(size=(8, 1))
    dense = keras.layers.Dense(1, use_bias=False)
    model = keras.Sequential([keras.Input((8,)), dense])
    dense.kernel.assign(weights)
    return compiled(keras.optimizers.SGD(rate), model), features, targets, weights


def largest_four(scores):
    return scores >= np.sort(scores, 0)[4]


def come_back(masks):
    pairs = itertools.pairwise(masks)
    return sum(int((~one & other).sum()) for one, other in pairs)


def test_pruned_weights_are_trained_on_straight_through():
    """Against the same by hand: plain descent of dense weights, seen through a mask."""
    model, features, targets, weights = linear(0.2)
    masks = []
    for _ in range(6):
        masks.append(largest_four(np.abs(weights)))
        error = features @ (weights * masks[-1]) - targets
        weights = weights - 0.2 * 2 / 16 * features.T @ error
    pruning = compress.Pruning(0.5, criterion="straight_through", every=1)
    fit(model, pruning, epochs=6, x=features, y=targets)
    np.testing.assert_allclose(model.get_weights()[0], weights * masks[-1], atol=1e-5)
    assert come_back(masks) > 0


def test_movement_is_weight_times_gradient_as_in_the_paper():
    """Against the same by hand, with SGD: scores sum up -rate * gradient * weight."""
    model, features, targets, weights = linear(0.2)
    scores, masks = np.zeros((8, 1)), []
    for step in range(6):
        masks.append(largest_four(scores) if step >= 2 else np.ones((8, 1), bool))
        error = features @ (weights * masks[-1]) - targets
        gradient = 2 / 16 * features.T @ error
        scores -= 0.2 * gradient * weights
        weights = np.where(masks[-1], weights - 0.2 * gradient, weights)
    pruning = compress.Pruning(
        lambda step: 0.5 * (step >= 2), criterion="movement", every=1
    )
    fit(model, pruning, epochs=6, x=features, y=targets)
    np.testing.assert_allclose(model.get_weights()[0], weights * masks[-1], atol=1e-5)
    assert come_back(masks[2:]) > 0


# Where it works


@pytest.mark.parametrize("criterion", CRITERIA)
def test_wrappers_of_optimizers_and_loss_scaling(criterion):
    inner = keras.optimizers.Adam(0.02, gradient_accumulation_steps=2)
    scaled = keras.optimizers.LossScaleOptimizer(
        optimizers.WeightAverage(optimizers.GradientNoise(inner, 0.01, seed=1), 0.9)
    )
    model = compiled(scaled)
    fit(model, compress.Pruning(RISING, every=4, criterion=criterion))
    assert zeros(model) == DONE
    fit(model, epochs=1)
    assert zeros(model) == DONE


def test_averages_of_keras_are_masked_in_the_end():
    model = compiled(keras.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.9))
    fit(model, compress.Pruning(RISING, every=4))
    assert zeros(model) == DONE


def test_mixed_precision():
    model = model_of(dtype="mixed_float16")
    fit(
        compiled(model=model), compress.Pruning(RISING, every=4, pattern="unstructured")
    )
    assert zeros(model) == DONE


def test_of_a_model_that_teaches_it_is_the_student_that_is_pruned():
    teacher, student = model_of(1), model_of(2)
    distiller = keras.distillation.Distiller(
        teacher, student, keras.distillation.LogitsDistillation()
    )
    distiller.compile("adam", "mse")
    fit(distiller, compress.Pruning(RISING, every=4))
    assert zeros(student) == DONE
    assert set(zeros(teacher).values()) == {0}


def test_two_at_once_on_different_layers():
    model = compiled()
    rows = compress.Pruning(0.5, where="a", pattern="2:4", every=4)
    fit(model, rows, compress.Pruning(RISING, where="b", every=4, criterion="movement"))
    assert zeros(model) == {"a/kernel": 48, "b/kernel": 27}
    assert len(model.optimizer.variables) == 2 + 2 * 4


def test_several_steps_at_once():
    model, spy = compiled(steps_per_execution=4), Spy()
    fit(model, compress.Pruning(RISING, every=3), spy)
    expected = [96 - round(96 * (1 - RISING(step))) for step in (0, 4, 8)]
    assert [int((kernel == 0).sum()) for kernel in spy.kernels] == expected


@pytest.mark.filterwarnings("ignore:distutils Version classes")
def test_schedules_of_tfmot_say_when_masks_are_due():
    pytest.importorskip("tensorflow")
    schedule = compress.PolynomialDecay(0.25, 0.75, 2, 10, frequency=4)
    model, spy = compiled(), Spy()
    fit(model, compress.Pruning(schedule, every=1), spy)
    due = [None, None, 2, 2, 2, 2, 6, 6, 6, 6, 10, 10]
    expected = [
        0 if step is None else 96 - round(96 * (1 - float(schedule(step)[1])))
        for step in due
    ]
    assert [int((kernel == 0).sum()) for kernel in spy.kernels] == expected
    late = compress.ConstantSparsity(0.5, begin_step=100)
    model = compiled()
    fit(model, compress.Pruning(late), epochs=1)
    assert set(zeros(model).values()) == {0}
    assert model.layers[0].kernel.constraint is None


@pytest.mark.parametrize(
    "schedule",
    [
        compress.CubicSparsity(0.75, steps=90, begin=10),
        compress.PolynomialDecay(0.0, 0.75, 10, 100),
    ],
)
def test_training_that_ends_before_the_schedule_is_warned_about(schedule):
    pruning = compress.Pruning(schedule, every=4)
    with pytest.warns(UserWarning, match=r"of 0.75 at step 100, .* at step 12 with 0."):
        fit(compiled(), pruning)
    assert pruning.report.sparsity < 0.5


# What is refused


def test_what_cannot_be_pruned_is_an_error_before_training_or_in_the_report():
    model = model_of()
    model.layers[0].trainable = False
    compiled(model=model)
    with pytest.raises(ValueError, match=r"Pruning\(where=...\).*a/kernel \(it is fro"):
        fit(model, compress.Pruning(0.5, criterion="movement"))
    pruning = compress.Pruning(0.75, criterion="movement", strict=False)
    fit(model, pruning, epochs=1)
    assert zeros(model) == {"a/kernel": 0, "b/kernel": 27}
    assert list(pruning.report.left_out) == ["a/kernel"]


@pytest.mark.parametrize(
    ("arguments", "name", "error"),
    [
        ({"schedule": 1.0}, "schedule", ValueError),
        ({"schedule": "cubic"}, "schedule", ValueError),
        ({"schedule": 0.75, "pattern": "2:4"}, "schedule", ValueError),
        ({"schedule": model_of()}, "schedule", TypeError),
        ({"every": 0}, "every", ValueError),
        ({"where": 3}, "where", TypeError),
        ({"where": slice(0, 7)}, "where", ValueError),
        ({"pattern": "4"}, "pattern", ValueError),
        ({"criterion": "gradient"}, "criterion", ValueError),
        ({"scope": "global", "pattern": "2:4"}, "scope", ValueError),
        ({"strict": None}, "strict", TypeError),
    ],
)
def test_wrong_arguments(arguments, name, error):
    with pytest.raises(error, match=rf"Pruning\({name}=...\)` must be "):
        compress.Pruning(**{"schedule": 0.5, **arguments})


def test_a_schedule_that_gives_no_sparsity_is_named():
    model = compiled()
    for wrong in (lambda step: 1.5, lambda step: None):
        with pytest.raises(ValueError, match=r"Pruning\(schedule=...\).*gave one"):
            fit(model, compress.Pruning(wrong))


def test_masks_of_a_fit_are_held_by_the_constraint_within_the_step():
    model = compiled()
    pruning = compress.Pruning(0.5)
    pruning.set_model(model)
    constraint = model.layers[0].kernel.constraint
    assert isinstance(constraint, Masked)
    # On JAX nothing else reaches it within the step.
    known = any(v is constraint.mask for v in model.optimizer.variables)
    assert known == (keras.backend.backend() == "jax")
