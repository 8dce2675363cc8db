"""Early weights under later masks."""

import keras
import numpy as np
import pytest

from perfkit import compress
from tests.sparse_models import DONE, compiled, fit, model_of, numpy, zeros


class Weights(keras.callbacks.Callback):
    """All weights after each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.model.get_weights())


def test_rewinding_puts_all_early_weights_back_under_the_masks():
    model, early, spy = compiled(), compress.RewindPoint(steps=2), Weights()
    fit(model, early, spy, epochs=2)
    assert early.at == 2
    compress.prune(model, 0.75)
    masks = [numpy(weight) != 0 for weight in model.weights]
    assert compress.rewind(model, early).sparsity == 0.75
    for weight, value, mask in zip(model.weights, spy.seen[1], masks, strict=True):
        expected = np.where(mask, value, 0) if weight.name == "kernel" else value
        np.testing.assert_array_equal(numpy(weight), expected)
    fit(compiled(model=model), early, epochs=1)
    assert zeros(model) == DONE
    assert early.at == 2


@pytest.mark.slow
def test_rewinding_takes_what_get_weights_returned():
    model = model_of()
    initial = model.get_weights()
    fit(compiled(model=model), epochs=1)
    compress.prune(model, 0.5)
    mask = numpy(model.layers[0].kernel) != 0
    compress.rewind(model, initial)
    np.testing.assert_array_equal(
        numpy(model.layers[0].kernel), np.where(mask, initial[0], 0)
    )


def test_wrong_rewinding_changes_nothing():
    model = model_of()
    with pytest.raises(ValueError, match=r"rewind\(model=...\).*hold_zeros"):
        compress.rewind(model, model.get_weights())
    compress.prune(model, 0.5)
    before = model.get_weights()
    for wrong in (compress.RewindPoint(3), before[:-1], [w.T for w in before]):
        with pytest.raises(ValueError, match=r"rewind\(weights=...\)"):
            compress.rewind(model, wrong)
    with pytest.raises(TypeError, match=r"rewind\(weights=...\)"):
        compress.rewind(model, "early.weights.h5")
    with pytest.raises(ValueError, match=r"RewindPoint\(steps=...\)"):
        compress.RewindPoint(-1)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
