"""Dropout in models that are built."""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import regularizers
from perfkit.layers import DropBlock2D, DropPath

IMAGES = np.random.default_rng(0).normal(size=(4, 12, 12, 3)).astype("float32")


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def backbone():
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, name="conv", activation="relu")(image)
    x = layers.BatchNormalization(name="norm")(x)
    return keras.Model(image, layers.Conv2D(4, 3, name="deep")(x), name="backbone")


def functional():
    image = keras.Input((12, 12, 3), name="image")
    x = layers.GlobalAveragePooling2D()(backbone()(image))
    head = [
        keras.Input((4,)),
        layers.Dense(5, name="dense"),
        layers.Dense(2, name="out"),
    ]
    x = keras.Sequential(head, name="head")(x)
    return keras.Model(image, layers.Softmax(name="softmax")(x), name="whole")


def sequential():
    parts = [backbone(), layers.Flatten(), layers.Dense(3, name="dense")]
    parts = [keras.Input((12, 12, 3)), *parts, layers.Dense(2, name="out")]
    return keras.Sequential(parts, name="whole")


def names(model):
    return [layer.name for layer in model.layers]


def reloaded(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


def insert_behind_dense(layer, *args, **kwargs):
    out = layer(*args, **kwargs)
    return layers.Dropout(0.5)(out) if isinstance(layer, layers.Dense) else out


def test_K14_keras_rewrites_functional_models_alone():
    inputs = keras.Input((4,))
    dense = layers.Dense(3)
    model = keras.Model(inputs, layers.Dense(1)(dense(inputs)))
    copy = keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=insert_behind_dense
    )
    assert sum(isinstance(layer, layers.Dropout) for layer in copy.layers) == 2
    assert copy.layers[1] is dense
    stack = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(1)])
    with pytest.raises(ValueError, match="not supported with Sequential"):
        keras.models.clone_model(stack, call_function=insert_behind_dense)
    new, report = regularizers.attach_dropout(stack, 0.5)
    assert len(report.places) == 1  # and none behind the outputs
    assert new.layers[1] is stack.layers[0]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


@pytest.mark.parametrize(
    "function", [regularizers.attach_dropout, regularizers.attach_drop_path]
)
def test_a_subclassed_model_is_told_what_to_do(function):
    model = Subclassed()
    model(np.ones((1, 2)))
    with pytest.raises(
        ValueError, match=r"must be Functional or Sequential.*write the"
    ):
        function(model, 0.1)
    with pytest.raises(ValueError, match="a built model"):
        function(keras.Sequential([layers.Dense(1)]), 0.1)
    with pytest.raises(TypeError, match="of type Model"):
        function(layers.Dense(1), 0.1)


@pytest.mark.parametrize(
    ("make", "places"),
    [
        (functional, ["backbone/conv", "backbone/deep", "head/dense"]),
        (sequential, ["backbone/conv", "backbone/deep", "dense"]),
    ],
)
def test_the_new_model_has_the_weights_and_outputs_of_the_old(make, places, tmp_path):
    model = make()
    before = numpy(model(IMAGES))
    untouched = names(model)
    new, report = regularizers.attach_dropout(model, 0.5)
    assert list(report.places.values()) == places
    assert list(report.places) == [f"{place}_dropout" for place in places]
    assert "no kernels follow" in report.skipped[f"{'head/' * (make is functional)}out"]
    assert new.name == model.name
    assert all(a is b for a, b in zip(new.weights, model.weights, strict=True))
    np.testing.assert_array_equal(numpy(new(IMAGES)), before)
    np.testing.assert_array_equal(numpy(model(IMAGES, training=False)), before)
    loaded = reloaded(new, tmp_path)
    np.testing.assert_allclose(numpy(loaded(IMAGES)), before, atol=1e-6)
    assert names(loaded) == names(new)
    assert names(model) == untouched
    noisy = [numpy(new(IMAGES, training=True)) for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-3


def test_whole_channels_are_dropped_behind_convolutions():
    new, report = regularizers.attach_dropout(functional(), 0.5, where="deep")
    assert report.kinds == {"backbone/deep_dropout": "SpatialDropout2D"}
    inner = new.get_layer("backbone")
    out = numpy(inner(IMAGES, training=True))
    dropped = (out == 0).all((1, 2))
    assert ((out == 0) == dropped[:, None, None]).all()
    assert dropped.any()
    assert not dropped.all()


@pytest.mark.parametrize(
    ("layer", "shape", "kind"),
    [
        (layers.Conv1D(2, 3), (8, 3), "SpatialDropout1D"),
        (layers.Conv1D(2, 3, data_format="channels_first"), (8, 3), "Dropout"),
        (layers.SeparableConv2D(2, 3), (8, 8, 3), "SpatialDropout2D"),
        (layers.Conv2DTranspose(2, 3), (8, 8, 3), "SpatialDropout2D"),
        (layers.Conv3D(2, 3), (4, 4, 4, 3), "SpatialDropout3D"),
        (layers.Dense(2), (3,), "Dropout"),
        (layers.Dense(2), (4, 4, 3), "Dropout"),
        (layers.EinsumDense("abc,cd->abd", (4, 2)), (4, 3), "Dropout"),
    ],
)
def test_the_kind_suits_the_layer(layer, shape, kind):
    inputs = keras.Input(shape)
    flat = layers.Flatten()(layer(inputs)) if len(shape) > 1 else layer(inputs)
    model = keras.Model(inputs, layers.Dense(1)(flat))
    new, report = regularizers.attach_dropout(model, 0.4, where=layer)
    assert list(report.kinds.values()) == [kind]
    made = new.get_layer(f"{layer.name}_dropout")
    assert made.rate == 0.4
    if getattr(layer, "data_format", None) == "channels_first":
        assert made.noise_shape == (None, None, 1)


def test_places_are_chosen_by_where():
    convolutions = ["backbone/conv", "backbone/deep"]
    places = [
        ("dense", ["head/dense"]),
        ("backbone/*", convolutions),
        ("head", ["head/dense"]),
        (slice(0, 0.5), convolutions),
        (layers.Dense, ["head/dense"]),
        ("norm", ["backbone/norm"]),
        (layers.BatchNormalization, ["backbone/norm"]),
        ("out", ["head/out"]),  # behind the last kernels, as it is named
        ("head/out", ["head/out"]),
    ]
    for where, expected in places:
        _, report = regularizers.attach_dropout(functional(), 0.1, where=where)
        assert list(report.places.values()) == expected, where


def test_dropout_is_put_once():
    model, _ = regularizers.attach_dropout(functional(), 0.3, where="dense")
    again, report = regularizers.attach_dropout(model, 0.3)
    assert report.skipped["head/dense"] == "followed by dense_dropout"
    assert list(report.places.values()) == ["backbone/conv", "backbone/deep"]
    with pytest.raises(ValueError, match="followed by conv_dropout"):
        regularizers.attach_dropout(again, 0.3)
    blocks, _ = regularizers.attach_dropout(model, 0.3, where="deep", layer=DropBlock2D)
    with pytest.raises(ValueError, match="followed by deep_dropout"):
        regularizers.attach_dropout(blocks, 0.3, where="deep")
    inputs = keras.Input((4,))
    x = DropPath(0.1, name="own")(layers.Dense(3, name="dense")(inputs))
    model = keras.Model(inputs, layers.Dense(1)(x))
    with pytest.raises(ValueError, match="dense: followed by own"):
        regularizers.attach_dropout(model, 0.3)


def test_a_shared_layer_is_followed_at_each_of_its_places():
    shared, inputs = layers.Dense(4, name="shared"), keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(shared(shared(inputs))))
    new, report = regularizers.attach_dropout(model, 0.5)
    assert list(report.places) == ["shared_dropout", "shared_dropout_1"]
    assert len(new.weights) == 4
    x = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(numpy(new(x)), numpy(model(x)))


def test_a_model_that_is_nested_twice_stays_one():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="d")], name="in")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(inner(inner(inputs))))
    new, report = regularizers.attach_dropout(model, 0.5)
    assert list(report.places) == ["in/d_dropout"]
    assert names(new).count("in") == 1
    assert names(new.get_layer("in"))[1:] == ["d", "d_dropout"]


def test_a_model_that_is_nested_in_two_others_stays_one():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="d")], name="in")
    inputs = keras.Input((4,))
    around = keras.Model(inputs, layers.ReLU()(inner(inputs)), name="around")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(around(inner(inputs))))
    new, report = regularizers.attach_dropout(model, 0.5)
    assert len(report.places) == 1
    assert new.get_layer("around").get_layer("in") is new.get_layer("in")


@keras.saving.register_keras_serializable(package="tests")
class Doubling(keras.Model):
    """A Functional model whose `call` does more than its graph."""

    def call(self, inputs, **kwargs):
        return 2.0 * super().call(inputs, **kwargs)


def test_a_model_with_a_call_of_its_own_is_not_taken_for_its_graph():
    inputs, x = keras.Input((4,)), np.ones((2, 4), "float32")
    doubling = Doubling(inputs, layers.Dense(3, name="inner")(inputs))
    with pytest.raises(ValueError, match="must be Functional or Sequential"):
        regularizers.attach_dropout(doubling, 0.1)
    body = layers.Dense(4, name="body")
    model = keras.Model(inputs, layers.Dense(1)(doubling(body(inputs))))
    new, report = regularizers.attach_dropout(model, 0.1)
    assert list(report.places) == ["body_dropout"]
    np.testing.assert_array_equal(numpy(new(x)), numpy(model(x)))


def test_structures_of_inputs_and_outputs_stay():
    inputs = {"a": keras.Input((3,), name="a"), "b": keras.Input((3,), name="b")}
    x = layers.Dense(4, name="body")(layers.Concatenate()(list(inputs.values())))
    outputs = {"y": layers.Dense(1, name="y")(x), "z": layers.Dense(2, name="z")(x)}
    model = keras.Model(inputs, outputs)
    new, report = regularizers.attach_dropout(model, 0.5)
    assert list(report.places.values()) == ["body"]
    data = {"a": np.ones((2, 3), "float32"), "b": np.zeros((2, 3), "float32")}
    found, expected = new(data), model(data)
    assert set(found) == {"y", "z"}
    np.testing.assert_array_equal(numpy(found["z"]), numpy(expected["z"]))


def test_frozen_models_stay_frozen_and_narrow_ones_narrow():
    image = keras.Input((12, 12, 3))
    x = layers.GlobalAveragePooling2D()(backbone()(image))
    x = layers.Dense(4, name="half", dtype="mixed_float16")(x)
    model = keras.Model(image, layers.Dense(2)(x))
    model.get_layer("backbone").trainable = False
    new, _ = regularizers.attach_dropout(model, 0.5)
    assert len(new.trainable_weights) == len(model.trainable_weights) == 4
    assert not new.get_layer("backbone").trainable
    assert new.get_layer("half_dropout").compute_dtype == "float16"
    np.testing.assert_array_equal(numpy(new(IMAGES)), numpy(model(IMAGES)))


def test_the_new_model_trains_the_old_weights():
    model = functional()
    model.compile("sgd", "mse")
    new, _ = regularizers.attach_dropout(model, (0.1, 0.5))
    rates = [0.1, 0.3, 0.5]
    inner = [new.get_layer("backbone"), new.get_layer("head")]
    made = [x for part in inner for x in part.layers if "dropout" in x.name]
    np.testing.assert_allclose([x.rate for x in made], rates)
    assert not new.compiled
    before = numpy(model.get_layer("backbone").get_layer("conv").kernel).copy()
    new.compile("sgd", "mse", jit_compile=True)
    new.fit(IMAGES, np.eye(2)[[0, 1, 0, 1]], verbose=0)
    after = numpy(model.get_layer("backbone").get_layer("conv").kernel)
    assert np.abs(after - before).max() > 0
    np.testing.assert_array_equal(numpy(new(IMAGES)), numpy(model(IMAGES)))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"rate": 1.0}, ValueError, r"rate=...\)` must be a number or a pair"),
        ({"rate": (0.1, 0.2, 0.3)}, ValueError, r"rate=...\)` must be a number or"),
        ({"layer": 3}, TypeError, r"layer=...\)` must be a function of the rate"),
        ({"layer": lambda rate: rate}, TypeError, r"layer=...\)` must be a function"),
        ({"where": 3}, TypeError, r"where=...\)` must be a name pattern"),
        ({"where": "tail"}, ValueError, r"where=.* backbone/conv, .*where='tail'"),
        ({"where": "softm*"}, ValueError, r"where=.*Received: where='softm\*'"),
        ({"where": ["conv", "tail"]}, ValueError, r"where=.*where='tail'"),
        ({"layer": layers.Dropout(0.1)}, TypeError, r"layer=...\)` must be a function"),
    ],
)
def test_a_wrong_argument_is_named(change, error, words):
    with pytest.raises(error, match=r"`attach_dropout\(" + words):
        regularizers.attach_dropout(functional(), **{"rate": 0.1, **change})


def test_a_layer_that_does_not_fit_is_named_with_its_place():
    dense = layers.Dense(4, name="hidden")
    model = keras.Sequential([keras.Input((3,)), dense, layers.Dense(1)])
    with pytest.raises(ValueError, match=r"`hidden_dropout`, DropBlock2D.*\(None, 4\)"):
        regularizers.attach_dropout(model, 0.1, layer=DropBlock2D)


def test_a_layer_cannot_be_put_at_two_places():
    once = layers.Dropout(0.1)
    with pytest.raises(ValueError, match="a function that makes a new layer"):
        regularizers.attach_dropout(functional(), 0.1, layer=lambda _: once)
