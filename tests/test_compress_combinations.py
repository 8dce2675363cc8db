"""Ways of making a model small, one after the other."""

import keras
import numpy as np
import pytest

from perfkit import compress, transfer
from tests.support import networks

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


def labels(x):
    return (x[:, :, :4].mean(axis=(1, 2, 3)) > x[:, :, 4:].mean(axis=(1, 2, 3))).astype(
        "int32"
    )


def fitted(model, x, steps=40):
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    repeats = -(-steps * 32 // len(x))
    x = np.tile(x, (repeats, 1, 1, 1))
    model.fit(x, labels(x), batch_size=32, shuffle=False, verbose=0)
    return model


def accuracy(made, x):
    return np.mean(made.argmax(axis=1) == labels(x))


def test_a_shrunk_model_learns_from_the_whole_one_and_then_in_integers(tmp_path):
    keras.utils.set_random_seed(0)
    x = networks.images(96)
    whole = fitted(networks.plain(), x)
    before = whole.get_weights()
    small = compress.shrink(whole, keep=0.5, verbose=False)

    def taught(student):
        soft = transfer.SoftTargets(2.0)
        fitted(transfer.Distiller(whole, student, soft), x)

    taught(small)
    aware = compress.quantize_aware(small, momentum=0.8)
    taught(aware)
    for old, new in zip(before, whole.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    (made,) = networks.outputs(aware, x)
    assert accuracy(made, x) > 0.9
    if ON_TENSORFLOW:
        report = compress.export_tflite(aware, tmp_path / "small.tflite")
        found = compress.LiteModel(report.path).predict(x)
        assert np.mean(found.argmax(axis=1) == made.argmax(axis=1)) > 0.95
        assert set(report.tensor_dtypes) == {"int8", "int32"}


def test_zeros_outlive_training_in_integers(tmp_path):
    keras.utils.set_random_seed(0)
    x = networks.images(64)
    model = networks.plain()
    compress.prune(model, 0.75)
    aware = compress.quantize_aware(model, momentum=0.8)
    compress.hold_zeros(aware)
    fitted(aware, x, steps=10)
    plain = compress.strip(aware)
    for name in ("first", "second", "third"):
        kernel = keras.ops.convert_to_numpy(plain.get_layer(name).kernel)
        assert np.mean(np.array(kernel) == 0.0) >= 0.75 - 1 / kernel.size


def test_a_pruning_callback_takes_a_model_that_rounds():
    keras.utils.set_random_seed(0)
    x = networks.images(64)
    aware = compress.quantize_aware(networks.plain(), momentum=0.8)
    aware.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pruning = compress.Pruning(compress.CubicSparsity(0.5, steps=6), every=2)
    aware.fit(x, labels(x), batch_size=8, verbose=0, callbacks=[pruning])
    assert pruning.report.sparsity == pytest.approx(0.5, abs=0.01)
    plain = compress.strip(aware)
    kernel = keras.ops.convert_to_numpy(plain.get_layer("second").kernel)
    assert np.mean(np.array(kernel) == 0.0) >= 0.5 - 1 / kernel.size
