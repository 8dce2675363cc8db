"""Optimizers against optax and against their papers: 50 steps of one problem."""

import functools

import keras
import numpy as np
import optax
import pytest

from perfkit import optimizers
from tests import optimizer_papers as papers
from tests.optimizer_problem import START, distance, gradients, run

STEPS = 50


def run_optax(transform, steps=STEPS):
    weights = [np.array(w) for w in START]
    state = transform.init(weights)
    for _ in range(steps):
        updates, state = transform.update(gradients(weights), state, weights)
        weights = [np.asarray(w) for w in optax.apply_updates(weights, updates)]
    return weights


def paper(algorithm, *args, **kwargs):
    return functools.partial(algorithm, gradients, START, STEPS, *args, **kwargs)


def of_optax(transform):
    return functools.partial(run_optax, transform)


o = optimizers
# Where optax is missing it differs from the paper: `optax.lars` divides by the norm of
# the sum of gradient and decay, `optax.adan` multiplies changes by 1 minus the factor.
ORACLES = {
    "lamb": (o.LAMB(0.01, weight_decay=0.1), paper(papers.lamb, 0.01, 0.1)),
    "lamb-optax": (
        o.LAMB(0.01, weight_decay=0.1),
        of_optax(optax.lamb(0.01, weight_decay=0.1)),
    ),
    "lars": (o.LARS(5.0, weight_decay=0.1), paper(papers.lars, 5.0, 0.1)),
    "lars-optax": (
        o.LARS(5.0, momentum=0.8, weight_decay=None),
        of_optax(optax.lars(5.0, momentum=0.8)),
    ),
    "radam": (o.RAdam(0.01, weight_decay=0.1), paper(papers.radam, 0.01, 0.1)),
    "radam-optax": (
        o.RAdam(0.01, beta_2=0.9),
        of_optax(optax.radam(0.01, b2=0.9, threshold=4.0)),
    ),
    "radam-short": (o.RAdam(0.01, beta_2=0.5), paper(papers.radam, 0.01, b2=0.5)),
    "adabelief": (
        o.AdaBelief(0.01, weight_decay=0.1),
        paper(papers.adabelief, 0.01, 0.1),
    ),
    "adabelief-epsilon": (
        o.AdaBelief(0.01, epsilon=1e-3),
        paper(papers.adabelief, 0.01, 0.0, eps=1e-3),
    ),
    "adabelief-optax": (  # in float32, where `1 - b2**count` is better for 0.9
        o.AdaBelief(0.01, beta_2=0.9),
        of_optax(optax.adabelief(0.01, b2=0.9)),
    ),
    "adan": (o.Adan(0.01, weight_decay=0.1), paper(papers.adan, 0.01, 0.1)),
}


@pytest.mark.parametrize(("ours", "oracle"), ORACLES.values(), ids=ORACLES)
def test_fifty_steps_are_those_of_the_oracle(ours, oracle):
    theirs = oracle()
    assert distance(theirs, START) > 0.02
    assert distance(run(ours, STEPS), theirs) <= 1e-5


# In JAX each `cond` is compiled again where a step is not.
SLOW_IN_JAX = [pytest.mark.slow] if keras.backend.backend() == "jax" else []


@pytest.mark.parametrize("steps", [2, pytest.param(STEPS, marks=SLOW_IN_JAX)])
def test_soap_goes_where_the_paper_goes(steps):
    """With axes that are turned five times.

    Where a side is longer than the other the rest of its basis is arbitrary, hence
    `max_size`; and without a large `epsilon` Adam's first step has a length of 1 where
    the gradient is all rounding.
    """
    theirs = papers.soap(gradients, START, steps, 0.003, 0.1, eps=0.1, most=8)
    ours = optimizers.SOAP(0.003, weight_decay=0.1, max_size=8, epsilon=0.1)
    assert distance(theirs, START) > 1e-3
    assert distance(run(ours, steps), theirs) <= 1e-5


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_prodigy_goes_where_the_paper_goes(decay):
    theirs, found = papers.prodigy(gradients, START, STEPS, 0.1, decay, d=0.01)
    ours = optimizers.Prodigy(0.1, weight_decay=decay, initial_distance=0.01)
    assert distance(theirs, START) > 1.0
    assert distance(run(ours, STEPS), theirs) <= 1e-5
    assert abs(ours.distance / found - 1.0) < 1e-6


@pytest.mark.parametrize("start", [1e-3, 1e-6])
def test_prodigy_finds_the_rate_of_the_paper(start):
    """Also from far below, where squares of the estimate are 1e-12."""
    _, found = papers.prodigy(gradients, START, STEPS, 1.0, 0.1, d=start)
    ours = optimizers.Prodigy(weight_decay=0.1, initial_distance=start)
    run(ours, STEPS)
    assert found > 100 * start
    assert abs(ours.distance / found - 1.0) < 1e-5


def test_k2_lamb_of_keras_decays_outside_of_the_trust_ratio_and_ours_inside():
    kind = keras.optimizers.Lamb
    for decay, agrees in ((0.0, True), (0.1, False)):
        theirs = papers.lamb(gradients, START, STEPS, 0.01, decay)
        keras_own = run(kind(0.01, epsilon=1e-6, weight_decay=decay), STEPS)
        assert (distance(keras_own, theirs) <= 1e-5) == agrees
        ours = run(optimizers.LAMB(0.01, weight_decay=decay), STEPS)
        assert distance(ours, theirs) <= 1e-5
