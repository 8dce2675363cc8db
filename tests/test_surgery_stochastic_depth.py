"""Stochastic depth in built models."""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import regularizers, surgery
from perfkit.layers import DropPath
from tests import surgery_models as models
from tests.layer_conformance.common import numpy


def residual(count=3):
    """Sums with one branch of a dense layer each, and one without any."""
    inputs = keras.Input((4,))
    x = inputs
    for number in range(count):
        branch = layers.Dense(4, name=f"branch{number}")(x)
        x = layers.Add(name=f"sum{number}")([x, branch])
    outputs = layers.Add(name="twice")([x, x])
    return models.moved(keras.Model(inputs, outputs))


def rates(changed, new):
    return [round(new.get_layer(one.path).rate, 6) for one in changed.changes]


def test_rates_rise_from_sum_to_sum():
    new, changed = surgery.stochastic_depth(residual(), (0.1, 0.4))
    assert rates(changed, new) == [0.1, 0.25, 0.4]
    assert [str(change) for change in changed.changes] == [
        "Dropout(0.1) at sum0",
        "Dropout(0.25) at sum1",
        "Dropout(0.4) at sum2",
    ]
    assert changed.skipped == {"twice": "no residual branch"}
    new, changed = surgery.stochastic_depth(residual(), 0.2)
    assert rates(changed, new) == [0.2] * 3
    new, changed = surgery.stochastic_depth(residual())
    assert rates(changed, new) == [0.0, 0.05, 0.1]
    new, changed = surgery.stochastic_depth(residual(1))
    assert rates(changed, new) == [0.1]
    new, changed = surgery.stochastic_depth(residual(), where=["sum0", "sum2"])
    assert rates(changed, new) == [0.0, 0.1]


@pytest.mark.parametrize("layer", [None, DropPath])
def test_a_sample_goes_without_the_branch_or_with_more_of_it(layer):
    model = models.network()
    new, changed = surgery.stochastic_depth(model, 0.25, layer=layer)
    kind = layer or layers.Dropout
    assert type(new.get_layer(changed.changes[0].path)) is kind
    images = np.random.default_rng(0).normal(size=(300, 12, 12, 3)).astype("float32")
    ends = models.part(new, "stem_relu", "branch_norm", "sum_drop_path", "sum")
    for layer_ in new.layers:  # statistics of the batch would make all differ
        if isinstance(layer_, layers.BatchNormalization):
            layer_.trainable = False
    shortcut, branch, dropped, total = map(numpy, ends(images, training=True))
    kept = dropped.any(axis=(1, 2, 3))
    assert 0.15 < np.mean(~kept) < 0.35
    wanted = branch * kept[:, None, None, None] / 0.75
    np.testing.assert_allclose(dropped, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(total, shortcut + wanted, rtol=1e-5, atol=1e-5)
    again = numpy(models.part(new, "sum_drop_path")(images, training=False))
    np.testing.assert_allclose(again, branch, rtol=1e-5, atol=1e-6)


def test_it_is_not_put_twice():
    once, _ = surgery.stochastic_depth(residual(2), where="sum0")
    _, changed = surgery.stochastic_depth(once)
    assert [change.place for change in changed.changes] == ["sum1"]
    why = "follows sum0_drop_path, which drops samples already"
    assert changed.skipped["sum0"] == why
    attached, _ = regularizers.attach_drop_path(models.network(), 0.2)
    with pytest.raises(ValueError, match=r"where=...\).*sum: follows .* already"):
        surgery.stochastic_depth(attached)


@pytest.mark.parametrize(("shape", "put"), [(None, 1), ((None, 4), 1), ((None, 1), 0)])
def test_dropout_of_features_in_a_branch_is_another_thing(shape, put):
    inputs = keras.Input((4,))
    branch = layers.Dropout(0.1, shape, name="drop")(layers.Dense(4)(inputs))
    model = keras.Model(inputs, layers.Add(name="sum")([inputs, branch]))
    if put:
        _, changed = surgery.stochastic_depth(model)
        assert len(changed.changes) == 1
        return
    with pytest.raises(ValueError, match="sum: follows drop, which drops samples"):
        surgery.stochastic_depth(model)


def test_a_plus_is_a_sum():
    inputs = keras.Input((4,))
    outputs = inputs + layers.Dense(4, name="branch")(inputs)
    new, changed = surgery.stochastic_depth(keras.Model(inputs, outputs))
    assert len(changed.changes) == 1
    assert any(isinstance(layer, layers.Dropout) for layer in new.layers)


@pytest.mark.parametrize("rate", [1.0, -0.1, True, (0.1,), (0.1, 1.0), "0.1", None])
def test_rates_are_shares(rate):
    with pytest.raises(ValueError, match=r"stochastic_depth\(rate=...\).*\[0, 1\)"):
        surgery.stochastic_depth(residual(), rate)


def test_a_slice_of_the_depth_is_refused():
    with pytest.raises(ValueError, match=r"where=...\).*give `rate` a pair"):
        surgery.stochastic_depth(residual(), where=slice(0, 0.5))
