"""Attention in built models: where it goes, and what it does there."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import surgery
from perfkit.layers import (
    CBAM,
    EfficientChannelAttention,
    FeatureAttention,
    GlobalContext,
    NonLocal2D,
    SelectiveKernel,
    SimAM,
    SqueezeExcite,
)
from tests import surgery_models as models
from tests.layer_conformance.common import numpy, set_weights

IMAGES, SHARED = models.IMAGES, SimAM(identity=True)


def put(model, **arguments):
    """Places of what is put there."""
    new, changed = surgery.insert_attention(model, SqueezeExcite, **arguments)
    np.testing.assert_array_equal(numpy(new(IMAGES)), numpy(model(IMAGES)))
    return [change.place for change in changed.changes]


def plain():
    """Three stages without residual sums."""
    conv = functools.partial(layers.Conv2D, kernel_size=3, padding="same")
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Rescaling(2.0, name="scale"),
            conv(4, name="a"),
            layers.BatchNormalization(name="a_norm"),
            layers.ReLU(name="a_relu"),
            layers.MaxPooling2D(name="a_pool"),
            conv(4, activation="relu", name="b"),
            layers.Dropout(0.1, name="b_dropout"),
            conv(4, strides=2, name="c"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, name="head"),
        ]
    )


def test_it_weighs_the_branch_and_not_the_sum():
    model = models.network()
    new, changed = surgery.insert_attention(
        model, functools.partial(SqueezeExcite, 2), identity=False
    )
    assert not changed.identity
    layer = new.get_layer("sum_squeeze_excite")
    set_weights(layer)
    shortcut, branch = models.part(model, "stem_relu", "branch_norm")(IMAGES)
    w = {weight.path.split("/", 1)[1]: numpy(weight) for weight in layer.weights}
    units = numpy(branch).mean((1, 2)) @ w["reduce/kernel"] + w["reduce/bias"]
    units = np.maximum(units, 0.0) @ w["expand/kernel"] + w["expand/bias"]
    gates = 1.0 / (1.0 + np.exp(-units))
    wanted = numpy(shortcut) + numpy(branch) * gates[:, None, None]
    np.testing.assert_allclose(
        numpy(models.part(new, "sum")(IMAGES)), wanted, atol=1e-5
    )


def test_a_model_without_sums_has_it_at_the_end_of_each_stage():
    assert put(plain()) == ["a_relu", "b", "c"]


def test_it_goes_in_front_of_what_drops_samples():
    model, _ = surgery.stochastic_depth(models.network(), 0.5)
    new, _ = surgery.insert_attention(model, SqueezeExcite)
    names = [layer.name for layer in new.layers]
    place = names.index("sum_squeeze_excite")
    assert names[place - 1 : place + 2] == [
        "branch_norm",
        "sum_squeeze_excite",
        "sum_drop_path",
    ]


@pytest.mark.parametrize(
    ("after", "places"),
    [
        ("stem", ["stem"]),
        ("*_norm", ["stem_norm", "branch_norm"]),
        (layers.BatchNormalization, ["stem_norm", "branch_norm"]),
        (["down", layers.ReLU], ["stem_relu", "down"]),
        (lambda layer: getattr(layer, "filters", 0) == 8, ["down"]),
        (slice(0, 0.5), ["stem", "branch"]),
        ("sum", ["sum"]),
    ],
)
def test_it_goes_behind_the_layers_that_are_selected(after, places):
    assert put(models.network(), after=after) == places


def test_a_nested_model_is_selected_as_a_whole_and_its_layers_by_path():
    image = keras.Input((12, 12, 3))
    stem = models.part(models.network(), "sum")
    inner = keras.Model(stem.inputs, stem.outputs, name="inner")
    (features,) = inner(image)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(features))
    assert put(model, after="inner") == ["inner"]
    assert put(model, after=inner) == ["inner"]
    assert put(model, after="inner/stem") == ["inner/stem"]


@pytest.mark.parametrize(
    "kind",
    [SqueezeExcite, EfficientChannelAttention, CBAM, GlobalContext, SimAM, NonLocal2D],
)
def test_every_attention_begins_as_the_identity_and_then_weighs(kind):
    model = models.network()
    new, changed = surgery.insert_attention(model, kind)
    assert changed.identity
    np.testing.assert_allclose(numpy(new(IMAGES)), numpy(model(IMAGES)), atol=1e-5)
    set_weights(new.get_layer(changed.changes[0].path))
    assert np.abs(numpy(new(IMAGES)) - numpy(model(IMAGES))).max() > 1e-4


def test_attention_that_is_there_is_not_put_twice():
    once, _ = surgery.insert_attention(models.network(), SqueezeExcite)
    message = "sum: has attention in its branch, sum_squeeze_excite"
    with pytest.raises(ValueError, match=message):
        surgery.insert_attention(once, SqueezeExcite)
    stages, _ = surgery.insert_attention(plain(), SqueezeExcite, after="a_relu")
    _, changed = surgery.insert_attention(stages, SqueezeExcite)
    assert [change.place for change in changed.changes] == ["b", "c"]
    assert list(changed.skipped.values()) == ["has attention"]
    with pytest.raises(ValueError, match="has a_relu_squeeze_excite already"):
        surgery.insert_attention(stages, SqueezeExcite, after="a_relu")


@pytest.mark.parametrize(
    "mean",
    [
        layers.GlobalAveragePooling2D(keepdims=True),
        lambda x: keras.ops.mean(x, (1, 2), keepdims=True),
        lambda x: keras.ops.max(x, -1, keepdims=True),
    ],
)
def test_attention_by_hand_is_seen(mean):
    inputs = keras.Input((12, 12, 3))
    branch = layers.Conv2D(3, 3, padding="same")(inputs)
    gates = layers.Conv2D(3, 1, activation="sigmoid")(mean(branch))
    branch = layers.Multiply(name="by_hand")([branch, gates])
    model = keras.Model(inputs, layers.Add(name="sum")([inputs, branch]))
    with pytest.raises(ValueError, match="sum: has attention in its branch, by_hand"):
        surgery.insert_attention(model, SqueezeExcite)


def test_a_product_that_weighs_nothing_is_no_attention():
    inputs = keras.Input((12, 12, 3))
    branch = layers.Conv2D(3, 3, padding="same")(inputs)
    branch = layers.Multiply()([branch, layers.Conv2D(3, 1)(branch)])
    model = keras.Model(inputs, layers.Add(name="sum")([inputs, branch]))
    _, changed = surgery.insert_attention(model, SqueezeExcite)
    assert [change.place for change in changed.changes] == ["sum"]


def test_what_a_function_makes_computes_in_the_precision_of_those_around():
    new, _ = surgery.insert_attention(
        models.mixed(), lambda: SqueezeExcite(1, identity=True), after="stem"
    )
    assert new.get_layer("stem_squeeze_excite").compute_dtype == "float16"


def test_features_that_are_no_image_are_left():
    _, changed = surgery.insert_attention(
        models.network(), SqueezeExcite, after=["down", "head"]
    )
    assert [change.place for change in changed.changes] == ["down"]
    assert changed.skipped == {"head": "has 2 axes, which it does not take"}


@keras.saving.register_keras_serializable(package="tests")
class Doubled(layers.Layer):
    def call(self, x):
        return keras.ops.concatenate([x, x], -1)


@pytest.mark.parametrize(
    ("layer", "more", "kind", "message"),
    [
        (SqueezeExcite(), {}, TypeError, r"\(layer=...\).*what makes a new layer"),
        (lambda: 3, {}, TypeError, r"\(layer=...\).*where it made 3"),
        (SqueezeExcite, {"identity": 1}, TypeError, r"\(identity=...\)"),
        (layers.Dropout, {}, TypeError, "rate"),
        (Doubled, {}, ValueError, r"\(identity=...\).*False for Doubled"),
        (
            Doubled,
            {"identity": False, "after": "down"},
            ValueError,
            "returns the shape",
        ),
        (
            functools.partial(SqueezeExcite, identity=False),
            {},
            ValueError,
            r"\(identity=...\).*False for SqueezeExcite",
        ),
        (
            lambda: SHARED,
            {"after": ["stem", "down"]},
            ValueError,
            "makes a new layer each time",
        ),
        (functools.partial(SelectiveKernel, 4), {}, ValueError, r"\(identity=...\)"),
    ],
)
def test_what_cannot_be_put_is_refused(layer, more, kind, message):
    with pytest.raises(kind, match=message):
        surgery.insert_attention(models.network(), layer, **more)


def test_other_layers_may_be_put_too():
    make = functools.partial(layers.GaussianNoise, 0.1)
    new, changed = surgery.insert_attention(
        models.network(), make, after="down", identity=False
    )
    assert isinstance(new.get_layer("down_gaussian_noise"), layers.GaussianNoise)
    assert not isinstance(new.get_layer("down_gaussian_noise"), FeatureAttention)
    assert str(changed).endswith("GaussianNoise at down")
