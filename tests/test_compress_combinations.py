"""Ways of making a model small, one after the other."""

import keras
import numpy as np
import pytest

from perfkit import compress, transfer
from tests.support import networks
from tests.support.compressing import ON_TENSORFLOW, fitted, labels, tinted, value


def accuracy(made, x):
    return np.mean(made.argmax(axis=1) == labels(x))


@pytest.mark.slow
def test_a_shrunk_model_learns_from_the_whole_one_and_then_in_integers(tmp_path):
    keras.utils.set_random_seed(0)
    x = tinted(256)
    whole = networks.plain()
    fitted(whole, x, steps=40)
    before = whole.get_weights()
    small = compress.shrink(whole, keep=0.5, verbose=False)

    def taught(student):
        soft = transfer.SoftTargets(2.0)
        fitted(transfer.Distiller(whole, student, soft), x, steps=40)

    taught(small)
    aware = compress.quantize_aware(small, momentum=0.8)
    taught(aware)
    for old, new in zip(before, whole.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    others = tinted(1000, seed=3)
    (made,) = networks.outputs(aware, others)
    assert accuracy(made, others) > 0.9
    if ON_TENSORFLOW:
        report = compress.export_tflite(aware, tmp_path / "small.tflite")
        found = compress.LiteModel(report.path).predict(others)
        assert np.mean(found.argmax(axis=1) == made.argmax(axis=1)) >= 0.99
        assert set(report.tensor_dtypes) == {"int8", "int32"}


def test_zeros_outlive_training_in_integers():
    keras.utils.set_random_seed(0)
    x = networks.images(64)
    model = networks.plain()
    compress.prune(model, 0.75)
    aware = compress.quantize_aware(model, momentum=0.8)
    compress.hold_zeros(aware)
    fitted(aware, x, steps=10)
    plain = compress.strip(aware)
    for name in ("first", "second", "third"):
        kernel = value(plain.get_layer(name).kernel)
        assert np.mean(kernel == 0.0) >= 0.75 - 1 / kernel.size


def test_a_pruning_callback_takes_a_model_that_rounds():
    keras.utils.set_random_seed(0)
    x = networks.images(64)
    aware = compress.quantize_aware(networks.plain(), momentum=0.8)
    aware.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pruning = compress.Pruning(compress.CubicSparsity(0.5, steps=6), every=2)
    aware.fit(x, labels(x), batch_size=8, verbose=0, callbacks=[pruning])
    assert pruning.report.sparsity == pytest.approx(0.5, abs=0.01)
    plain = compress.strip(aware)
    kernel = value(plain.get_layer("second").kernel)
    assert np.mean(kernel == 0.0) >= 0.5 - 1 / kernel.size
