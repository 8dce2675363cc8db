"""The bar: surgery on networks of `keras.applications`."""

import functools

import keras
import numpy as np
import pytest
from keras import applications, layers

from perfkit import surgery
from perfkit.layers import SqueezeExcite
from tests import surgery_models as models
from tests.layer_conformance.common import numpy

IMAGES = np.random.default_rng(0).uniform(0.0, 255.0, (4, 64, 64, 3)).astype("float32")

FUNCTIONS = {
    "depth": surgery.stochastic_depth,
    "attention": functools.partial(surgery.insert_attention, layer=SqueezeExcite),
    "activation": surgery.swap_activation,
    "normalization": functools.partial(
        surgery.swap_normalization, new=layers.GroupNormalization
    ),
    "blur": surgery.blur_pool,
}
# The activation that each has, how many places change, and which are left alone: that
# is, either their number or the reason why all are.
NETWORKS = {
    "MobileNetV2": (
        "relu6",
        {
            "depth": 10,
            "attention": 10,
            "activation": 35,
            "normalization": 52,
            "blur": 5,
        },
        {},
    ),
    "ResNet50": (
        "relu",
        {
            "depth": 16,
            "attention": 16,
            "activation": 49,
            "normalization": 53,
            "blur": 2,
        },
        {"blur": 6},
    ),
    "EfficientNetB0": (
        "silu",
        {"activation": 49, "normalization": 49, "blur": 5},
        {
            "depth": "block2b_add: follows block2b_drop, which drops samples already",
            "attention": "block2b_add: has attention in its branch",
        },
    ),
}


def network(name):
    """One with random scales and offsets, and the statistics of images."""
    make = getattr(applications, name)
    model = make(weights=None, input_shape=(64, 64, 3), classes=10)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name == "gamma":
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.name == "beta":
            weight.assign(rng.normal(0.0, 0.2, weight.shape))
    norms = [x for x in model.layers if isinstance(x, layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    model(prepared(name), training=True)
    for norm in norms:
        norm.momentum = 0.99
    return model


def prepared(name):
    return IMAGES if name.startswith("Eff") else IMAGES / 127.5 - 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_each_function_changes_a_network_or_says_why_not(name, tmp_path):
    keras.utils.set_random_seed(0)
    model, images = network(name), prepared(name)
    features = keras.Model(model.input, model.layers[-2].output)
    before, outputs = models.values(model), numpy(features(images))
    old, wanted, left = NETWORKS[name]
    chained = model
    for kind, function in FUNCTIONS.items():
        change = function
        if kind == "activation":
            other = "relu" if old == "silu" else "silu"
            change = functools.partial(change, old=old, new=other)
        if isinstance(left.get(kind), str):
            with pytest.raises(ValueError, match=left[kind]):
                change(model)
            continue
        new, changed = change(model)
        assert len(changed.changes) == wanted[kind], kind
        assert len(changed.skipped) == left.get(kind, 0), kind
        assert changed.parameters == new.count_params() - model.count_params()
        replaced = {one.path for one in changed.changes if one.path == one.place}
        found = models.values(new)
        models.assert_same_values(
            {k: found[k] for k in before if k[0] not in replaced},
            {k: value for k, value in before.items() if k[0] not in replaced},
        )
        ends = keras.Model(new.input, new.layers[-2].output)
        difference = np.abs(numpy(ends(images)) - outputs).max() / np.abs(outputs).max()
        print(f"{name} {kind}: {difference:.1e}, {changed.parameters:+,} parameters")
        identity = kind in ("depth", "attention")
        assert difference <= 1e-5 if identity else difference > 1e-3
        chained, _ = change(chained)
    models.assert_same_values(models.values(model), before)
    np.testing.assert_array_equal(numpy(features(images)), outputs)
    chained.compile("sgd", "sparse_categorical_crossentropy")
    weights = models.values(chained)
    history = chained.fit(images, np.arange(4), batch_size=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    after = models.values(chained)
    assert any((after[key] != value).any() for key, value in weights.items())
    chained.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    models.assert_same_values(models.values(loaded), after)
    np.testing.assert_array_equal(numpy(loaded(images)), numpy(chained(images)))
