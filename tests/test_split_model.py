"""A model cut in two."""

import keras
import numpy as np
import pytest

from perfkit import transfer
from tests.support import networks

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(6, 8, 8, 3)).astype("float32")
LABELS = RNG.integers(0, 2, 6)


def backbone(pooled=False):
    layers = [
        keras.Input((8, 8, 3)),
        keras.layers.Conv2D(4, 3, name="conv"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.ReLU(name="relu"),
    ]
    pool = [keras.layers.GlobalAveragePooling2D(name="inner_pool")]
    model = keras.Sequential(layers + pool * pooled, name="backbone")
    values = [RNG.uniform(0.5, 1, weight.shape) for weight in model.get_weights()]
    model.set_weights(values)
    return model


def classifier(base=None):
    inputs = keras.Input((8, 8, 3))
    x = (base or backbone())(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(0.2, name="drop")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="scores")(x), name="net")


def names(model):
    kinds = keras.layers.InputLayer
    return [layer.name for layer in model.layers if not isinstance(layer, kinds)]


def assert_halves(model, body, head, inputs=IMAGES):
    """The halves are the model, with its weights and none of them twice."""
    expected, found = model(inputs), head(body(inputs))
    for one, other in zip(*map(keras.tree.flatten, (expected, found)), strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))
    ids = [id(weight) for half in (body, head) for weight in half.weights]
    assert sorted(ids) == sorted(id(weight) for weight in model.weights)


@pytest.mark.parametrize(
    ("at", "of_body", "of_head"),
    [
        (None, ["backbone", "pool"], ["drop", "scores"]),
        ("backbone", ["backbone"], ["pool", "drop", "scores"]),
        ("backbone/relu", ["backbone"], ["pool", "drop", "scores"]),
        ("drop", ["backbone", "pool", "drop"], ["scores"]),
        ("norm", ["backbone_body"], ["backbone_head", "net_rest"]),
    ],
)
def test_the_halves_are_the_model(at, of_body, of_head):
    model = classifier()
    body, head = transfer.split_model(model, at)
    assert (names(body), names(head)) == (of_body, of_head)
    assert (body.name, head.name) == ("net_body", "net_head")
    assert_halves(model, body, head)
    assert names(model) == ["backbone", "pool", "drop", "scores"]


def test_a_layer_itself_is_the_seam():
    base = backbone(pooled=True)
    scores = keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((8, 8, 3)), base, scores])
    for at in (None, base, base.layers[-1], "inner_pool", "backbone/inner_pool"):
        body, head = transfer.split_model(model, at)
        assert head.layers[-1] is scores
        assert body.layers[-1] is base
        assert_halves(model, body, head)


def test_a_nested_head_in_front_of_a_softmax_is_not_the_body():
    top = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="top")
    layers = [backbone(pooled=True), top, keras.layers.Softmax(name="softmax")]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    body, head = transfer.split_model(model)
    assert (names(body), names(head)) == (["backbone"], ["top", "softmax"])


def test_a_model_that_ends_in_a_nested_one_is_cut_inside_it():
    base = backbone(pooled=True)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.ReLU(), base])
    body, head = transfer.split_model(model, "norm")
    assert names(head) == ["relu", "inner_pool"]
    assert_halves(model, body, head)


def test_a_plain_network_is_cut_behind_its_pooling():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(3, 3)(inputs)
    shortcut = x
    x = keras.layers.Conv2D(3, 3, padding="same", name="late")(x) + shortcut
    x = keras.layers.GlobalMaxPooling2D(name="pool")(x)
    x = keras.layers.Dense(4)(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.ops.relu(x)))
    body, head = transfer.split_model(model)
    assert body.layers[-1].name == "pool"
    assert len(head.weights) == 4
    assert_halves(model, body, head)
    with pytest.raises(ValueError, match="around which nothing leads to add"):
        transfer.split_model(model, "late")


def test_an_input_of_the_head_is_a_way_around():
    image, extra = keras.Input((8, 8, 3)), keras.Input((2,))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(backbone()(image))
    joined = keras.layers.Concatenate(name="joined")([pooled, extra])
    model = keras.Model([image, extra], keras.layers.Dense(2)(joined))
    with pytest.raises(ValueError, match="around which nothing leads to joined"):
        transfer.split_model(model, "pool")
    body, head = transfer.split_model(model, "joined")
    data = [IMAGES, RNG.normal(size=(6, 2)).astype("float32")]
    assert_halves(model, body, head, data)
    with pytest.raises(ValueError, match="no global pooling or nested model divides"):
        transfer.split_model(model)


def test_structures_of_inputs_and_outputs_keep_their_form():
    inputs = {"a": keras.Input((3,), name="a"), "b": keras.Input((2,), name="b")}
    seam = keras.layers.Concatenate(name="seam")([inputs["a"], inputs["b"]])
    outputs = {"z": keras.layers.Dense(2)(seam), "features": seam}
    model = keras.Model(inputs, outputs)
    body, head = transfer.split_model(model, "seam")
    data = {"a": np.ones((4, 3), "float32"), "b": np.zeros((4, 2), "float32")}
    assert set(head(body(data))) == {"z", "features"}
    assert_halves(model, body, head, data)


def test_a_seam_of_several_tensors():
    inputs = keras.Input((3,))
    both = [keras.layers.Dense(2)(inputs), keras.layers.Dense(4)(inputs)]
    base = keras.Model(inputs, both, name="base")
    outer = keras.Input((3,))
    joined = keras.layers.Concatenate()(base(outer))
    model = keras.Model(outer, keras.layers.Dense(1)(joined))
    body, head = transfer.split_model(model)
    x = np.ones((5, 3), "float32")
    assert [tuple(part.shape) for part in body(x)] == [(5, 2), (5, 4)]
    assert_halves(model, body, head, x)
    cache = transfer.cache_features(body, x, batch_size=2, verbose=False)
    found = np.concatenate([head.predict(part, verbose=0) for part in [cache.x]])
    np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-5)


def test_training_the_head_on_a_cache_trains_the_model():
    model = classifier()
    body, head = transfer.split_model(model)
    before = [np.array(weight) for weight in model.get_weights()]
    cache = transfer.cache_features(body, (IMAGES, LABELS), verbose=False)
    head.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    head.fit(*cache.data, batch_size=3, verbose=0)
    same = [np.array_equal(*w) for w in zip(before, model.get_weights(), strict=True)]
    assert [k for k, one in enumerate(same) if not one] == [6, 7]
    assert_halves(model, body, head)


def test_the_body_has_the_same_key_each_time_it_is_cut_off():
    model = classifier()
    keys = {
        transfer.cache_features(
            transfer.split_model(model, at)[0], IMAGES, verbose=False
        ).key
        for at in (None, "pool", "drop")
    }
    assert len(keys) == 2


def test_weights_on_both_sides_of_the_seam_are_an_error():
    dense = keras.layers.Dense(3, name="twice")
    inputs = keras.Input((3,))
    seam = keras.layers.ReLU(name="seam")(dense(inputs))
    model = keras.Model(inputs, dense(seam))
    with pytest.raises(ValueError, match="behind which no layer is called that is"):
        transfer.split_model(model, "seam")
    with pytest.raises(ValueError, match=r"there are \['twice', 'twice'\]"):
        transfer.split_model(model, dense)


def test_a_layer_that_is_the_last_or_absent_is_an_error():
    model = classifier()
    with pytest.raises(ValueError, match="with others behind it"):
        transfer.split_model(model, "scores")
    for at in ("nowhere", keras.layers.ReLU(), "net/pool"):
        with pytest.raises(
            ValueError, match="a layer of the model that is called once"
        ):
            transfer.split_model(model, at)
    with pytest.raises(TypeError, match="str or Layer"):
        transfer.split_model(model, 3)


def test_what_a_class_does_in_its_call_is_no_graph():
    with pytest.raises(ValueError, match="Functional or Sequential"):
        transfer.split_model(networks.Own())
