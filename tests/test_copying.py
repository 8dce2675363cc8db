"""Copies of models, which share nothing with what they are of."""

import numpy as np

from perfkit.graph.copying import copied
from tests import teaching
from tests.teaching import X, network, same, values


def test_a_copy_and_its_original_are_fitted_one_after_the_other_and_alike():
    model = network(dropout=0.5)
    teaching.fit(model)  # so that no initializer gives what it holds
    before = values(model)
    copy = copied("test", "model", model)
    assert same(values(copy), before)
    teaching.fit(copy)
    assert same(values(model), before)  # the seed of dropout too
    teaching.fit(model)
    assert same(values(model), values(copy))
    assert not same(values(model), before)
    assert np.all(np.isfinite(model.predict(X, verbose=0)))
