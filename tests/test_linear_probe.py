"""A probe trains the head of a model as `fit` would, and nothing else."""

import functools
import importlib

import keras
import numpy as np
import pytest

from perfkit import transfer

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 255, (32, 8, 8, 3)).astype("float32")
Y = (X.mean(axis=(1, 2, 3)) > X.mean()).astype("int32")
LOSS = "sparse_categorical_crossentropy"


def model_of(head="linear"):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(6, 3, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    model = keras.Model(inputs, keras.layers.Dropout(0.5)(x), name="body")
    return transfer.classifier(model, 2, head=head, verbose=False)


def weights(model):
    # Names of layers made later have other numbers.
    return {f"{k} {w.path}": np.copy(w) for k, w in enumerate(model.weights)}


@pytest.mark.slow
@pytest.mark.parametrize("head", ["cosine", "gem"])
def test_it_equals_fit_with_a_frozen_backbone(head):
    probed, fitted = model_of(head), model_of(head)
    for layer in fitted.get_layer("body").layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # a probe sees features as they are at inference
    for model in (probed, fitted):
        for layer in model.get_layer("head").layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
    # One batch an epoch, so that the order of samples does not matter.
    transfer.linear_probe(
        probed, (X, Y), loss=LOSS, epochs=5, batch_size=32, verbose=False
    )
    transfer.freeze(fitted)
    fitted.compile("adam", LOSS)
    fitted.fit(X, Y, batch_size=32, epochs=5, verbose=0)
    for a, b in zip(probed.weights, fitted.weights, strict=True):
        np.testing.assert_allclose(np.copy(a), np.copy(b), rtol=1e-3, atol=1e-5)


def text_classifier(head):
    keras.utils.set_random_seed(0)
    tokens = keras.Input((6,), dtype="int32", name="token_ids")
    mask = keras.Input((6,), dtype="int32", name="padding_mask")
    inputs = {"token_ids": tokens, "padding_mask": mask}
    unread = (
        0.0 * keras.ops.cast(mask, "float32")[..., None]
    )  # or Keras 3.12 refuses it
    x = keras.layers.Embedding(20, 4)(tokens) + unread
    body = keras.Model(inputs, x, name="text")
    head = functools.partial(head, dropout=0.0)
    return transfer.classifier(body, 2, head=head)


TEXTS = {
    "token_ids": RNG.integers(0, 20, (32, 6)),
    "padding_mask": (np.arange(6) < RNG.integers(1, 7, (32, 1))).astype("int32"),
}


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(transfer.linear_head, marks=pytest.mark.slow),
        transfer.mlp_head,
    ],
)
def test_padding_is_left_out_as_in_fit(head):
    probed, fitted = text_classifier(head), text_classifier(head)
    usual = {"batch_size": 32, "epochs": 3}
    transfer.linear_probe(probed, (TEXTS, Y), loss=LOSS, verbose=False, **usual)
    transfer.freeze(fitted)
    fitted.compile("adam", LOSS)
    fitted.fit(TEXTS, Y, verbose=0, **usual)
    for a, b in zip(probed.weights, fitted.weights, strict=True):
        np.testing.assert_allclose(np.copy(a), np.copy(b), rtol=1e-3, atol=1e-5)


def test_a_pooling_that_learns_needs_the_mask_and_is_an_error():
    head = functools.partial(transfer.linear_head, pooling="attention")
    with pytest.raises(ValueError, match=r"probe\(model=...\).*pools without learning"):
        transfer.linear_probe(text_classifier(head), (TEXTS, Y), loss=LOSS)


def test_nothing_but_the_head_moves():
    model = model_of("mlp")
    before = weights(model)
    transfer.linear_probe(model, (X, Y), loss=LOSS, epochs=2, verbose=False)
    after = weights(model)
    moved = {path for path in before if (before[path] != after[path]).any()}
    assert moved
    assert all(" head/" in path for path in moved)


def test_features_are_kept_in_files_and_found_again(tmp_path, capsys):
    transfer.linear_probe(model_of(), (X, Y), loss=LOSS, epochs=1, path=tmp_path)
    capsys.readouterr()
    transfer.linear_probe(model_of(), (X, Y), loss=LOSS, epochs=1, path=tmp_path)
    assert "found 32 samples" in capsys.readouterr().out


def test_the_history_has_validation_and_metrics():
    history = transfer.linear_probe(
        model_of(),
        (X, Y),
        loss=LOSS,
        metrics=["accuracy"],
        epochs=3,
        validation_data=(X[:8], Y[:8]),
        verbose=False,
    ).history
    assert set(history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert len(history["loss"]) == 3


def test_only_pooled_features_are_kept(tmp_path):
    transfer.linear_probe(
        model_of("mlp"), (X, Y), loss=LOSS, epochs=1, path=tmp_path, verbose=False
    )
    sizes = [file.stat().st_size for file in tmp_path.rglob("*.npy")]
    assert max(sizes) < 32 * 12 * 4 + 1000


def test_a_head_that_is_frozen_is_an_error():
    model = model_of()
    model.get_layer("head").trainable = False
    with pytest.raises(ValueError, match="whose head learns"):
        transfer.linear_probe(model, (X, Y), loss=LOSS)


def test_data_without_labels_that_are_numbers_do_not_reach_the_backbone(monkeypatch):
    def reached(*arguments, **named):
        raise AssertionError("the backbone runs")

    probe = importlib.import_module("perfkit.transfer.linear_probe")
    monkeypatch.setattr(probe, "cache_features", reached)
    words = np.where(Y, "cat", "dog")
    for data, message in ((X, "inputs alone"), ((X, words), "are numbers.*StringLook")):
        with pytest.raises(ValueError, match=rf"probe\(data=...\).*{message}"):
            transfer.linear_probe(model_of(), data, loss=LOSS)
        with pytest.raises(ValueError, match=rf"\(validation_data=...\).*{message}"):
            transfer.linear_probe(model_of(), (X, Y), loss=LOSS, validation_data=data)


def test_errors_of_validation_data_name_them():
    with pytest.raises(ValueError, match=r"linear_probe\(validation_data=...\)"):
        transfer.linear_probe(model_of(), (X, Y), loss=LOSS, validation_data=(X, Y[:3]))


def test_wrong_arguments():
    plain = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"linear_probe\(model=...\).*named 'head'"):
        transfer.linear_probe(plain, (X, Y), loss=LOSS)
    with pytest.raises(ValueError, match=r"linear_probe\(epochs=...\)"):
        transfer.linear_probe(model_of(), (X, Y), loss=LOSS, epochs=0)
    with pytest.raises(ValueError, match=r"linear_probe\(batch_size=...\)"):
        transfer.linear_probe(model_of(), (X, Y), loss=LOSS, batch_size=0)
    with pytest.raises(TypeError, match=r"linear_probe\(model=...\)"):
        transfer.linear_probe("model", (X, Y), loss=LOSS)
