"""Zeros of a pruned model, in the models that are made of it and trained."""

import keras
import numpy as np
import pytest

from perfkit import compress
from tests.support import networks

X = networks.images(64)
Y = np.random.default_rng(0).integers(0, 5, 64)
QUIET = {"verbose": False}
MADE = {
    "quantize": lambda model: compress.quantize(model, X, **QUIET),
    "quantize_aware": compress.quantize_aware,
    "cluster": lambda model: compress.cluster(model, 8, **QUIET),
    "linear clusters": lambda model: compress.cluster(
        model, 8, method="linear", **QUIET
    ),
    "shrink": lambda model: compress.shrink(model, keep=0.5, **QUIET),
    "fold_batch_norm": compress.fold_batch_norm,
    "clusters and integers": lambda model: compress.quantize_aware(
        compress.cluster(model, 8, **QUIET)
    ),
}


def train(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    model.fit(X, Y, batch_size=16, verbose=0)
    return model


def zeros(model):
    """Which weights of each kernel are zero, of what the layers compute with."""
    layers = compress.strip(model).layers
    return {
        layer.name: keras.ops.convert_to_numpy(layer.kernel) == 0
        for layer in layers
        if hasattr(layer, "kernel")
    }


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_zeros_go_along_and_stay_while_the_new_model_is_trained(make):
    model = networks.stirred(networks.plain())
    compress.prune(model, 0.8)
    small = make(model)
    before = zeros(small)
    shares = [mask.mean() for mask in before.values()]
    assert min(shares) > 0.7  # of what `shrink` leaves fewer may be zero
    if make is not MADE["shrink"]:
        assert min(shares) >= 0.79
    for name, after in zeros(train(small)).items():
        assert (after & before[name]).sum() == before[name].sum()
        assert not after.all()


def test_what_strip_returns_keeps_its_zeros_too():
    model = networks.stirred(networks.plain())
    compress.prune(model, 0.8)
    plain = train(compress.strip(train(compress.quantize_aware(model))))
    assert min(mask.mean() for mask in zeros(plain).values()) >= 0.79


def test_without_a_mask_or_where_it_is_said_zeros_become_values_like_others():
    model = networks.stirred(networks.plain())
    compress.prune(model, 0.3)
    few = compress.cluster(model, 8, preserve_sparsity=False, verbose=False)
    assert any(mask.mean() < 0.3 for mask in zeros(train(few)).values())
    loaded = keras.models.clone_model(model)
    loaded.set_weights(model.get_weights())
    (first, *_) = compress.cluster(loaded, 8, verbose=False).layers
    assert not first.transforms[0].preserve_sparsity
