"""Builders make small networks for every kind of data and task."""

import inspect

import keras
import numpy as np
import pytest

from perfkit import models
from perfkit.models import _options, _parts
from tests.model_cases import KINDS, SHAPES, built, numpy, samples, taken

BUILDERS = {"cnn": models.cnn, "rnn": models.rnn, "transformer": models.transformer}
PLACES = {"images": (8, 8), "features": (6,), "tokens": (6,)}


@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_tasks_have_outputs_of_their_shape(kind, data):
    x = samples(data)
    for task in ("classification", "regression"):
        model = built(kind, data, 3, task)
        assert type(model).__name__ == "Functional"
        assert not model.compiled
        assert model.output_shape == (None, 3)
    assert numpy(model(x)).shape == (2, 3)
    model = built(kind, data, 5, "labelling")
    assert model.output_shape == (None, *PLACES[data], 5)
    assert numpy(model(x)).shape == (2, *PLACES[data], 5)


@pytest.mark.parametrize("kind", BUILDERS)
def test_outputs_are_logits_of_a_dense_layer(kind):
    model = built(kind, "features")
    last = model.get_layer("outputs")
    assert model.layers[-1] is last
    assert last.activation is keras.activations.linear
    features = built(kind, "features", None)
    features.set_weights(model.get_weights()[:-2])
    kernel, bias = map(numpy, last.weights)
    x = samples("features")
    expected = numpy(features(x)) @ kernel + bias
    np.testing.assert_allclose(numpy(model(x)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", BUILDERS)
def test_any_number_of_steps(kind):
    model = built(kind, "tokens", shape=(None,), task="labelling")
    assert model.output_shape == (None, None, 3)
    for steps in (1, 5, 8):
        assert numpy(model(np.ones((2, steps), "int32"))).shape == (2, steps, 3)


def test_images_of_any_size():
    model = built("cnn", "images", shape=(None, None, 3), downsampling="blur")
    assert numpy(model(np.ones((2, 9, 5, 3), "float32"))).shape == (2, 3)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        pytest.param("cnn", "images", marks=pytest.mark.slow),
        pytest.param("rnn", "features", marks=pytest.mark.slow),
        ("transformer", "tokens"),
    ],
)
def test_one_step_compiled(kind, data):
    """Everything that drops or scales is on."""
    model = built(
        kind, data, dropout=0.2, drop_path=0.2, layer_scale=0.1, pooling="concat"
    )
    before = [numpy(w).copy() for w in model.trainable_weights]
    assert np.isfinite(taken(model, samples(data), np.ones((2, 3), "float32")))
    moved = [
        np.abs(numpy(w) - b).max()
        for w, b in zip(model.trainable_weights, before, strict=True)
    ]
    assert np.median(moved) > 1e-4


@pytest.mark.parametrize(
    ("kind", "data", "options"),
    [
        ("cnn", "tokens", {"attention": "squeeze_excite"}),
        ("cnn", "images", {"attention": "cbam", "downsampling": "blur"}),
        ("rnn", "features", {"cell": "lstm", "mask": "zeros"}),
        ("transformer", "tokens", {"position": "rotary", "feed_forward": "swiglu"}),
        ("transformer", "images", {"task": "labelling"}),
    ],
)
def test_a_saved_model_is_the_same(kind, data, options, tmp_path):
    model, x = built(kind, data, layer_scale=0.1, **options), samples(data)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(numpy(again(x)), numpy(model(x)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", BUILDERS)
def test_names_of_layers_are_the_same_each_time(kind):
    first, second = (built(kind, "features", mask="zeros") for _ in range(2))
    assert [x.name for x in first.layers] == [x.name for x in second.layers]


def test_options_in_common_have_the_same_defaults_and_the_rest_is_listed():
    said = {
        kind: {
            p.name: p.default
            for p in inspect.signature(builder).parameters.values()
            if p.kind is not p.VAR_KEYWORD and p.name not in ("name", "width", "depth")
        }
        for kind, builder in BUILDERS.items()
    }
    names = set.union(*map(set, said.values()))
    alone = {n: tuple(k for k in said if n in said[k]) for n in names}
    assert {n: of for n, of in alone.items() if len(of) < 3} == _options.OPTIONS
    for name, of in alone.items():
        assert len({repr(said[kind][name]) for kind in of}) == 1, name


@pytest.mark.parametrize("attention", sorted(_parts.ATTENTIONS))
def test_each_attention_of_images(attention):
    plain, attending = (built("cnn", "images", attention=a) for a in (None, attention))
    assert len(attending.layers) == len(plain.layers) + 2  # one in each block


@pytest.mark.parametrize("activation", _options.ACTIVATIONS)
def test_each_activation_is_there_and_keeps_zeros(activation):
    model = built("cnn", "features", activation=activation)
    function = model.get_layer("stem_activation").activation
    assert function is keras.activations.get(activation)
    assert float(function(keras.ops.zeros(()))) == 0.0


@pytest.mark.parametrize("data", SHAPES)
def test_each_normalization(data):
    of = {
        "batch": keras.layers.BatchNormalization,
        "group": keras.layers.GroupNormalization,
        "layer": keras.layers.LayerNormalization,
        "rms": keras.layers.RMSNormalization,
    }
    for name in _options.NORMALIZATIONS[data]:
        model = built("cnn", data, normalization=name)
        found = {type(x) for x in model.layers} & set(of.values())
        assert found == ({of[name]} if name in of else set())


def test_drop_path_grows_with_depth_and_seeds_differ():
    model = built("cnn", "images", depth=4, drop_path=0.4, seed=5)
    drops = [x for x in model.layers if type(x).__name__ == "DropPath"]
    np.testing.assert_allclose([x.rate for x in drops], [0.1, 0.2, 0.3, 0.4])
    assert len({x.seed for x in drops}) == 4


def test_a_gated_branch_has_about_as_many_weights():
    counts = [
        built("transformer", "tokens", width=48, feed_forward=f).count_params()
        for f in ("dense", "swiglu", "geglu")
    ]
    assert max(counts) < 1.02 * min(counts)


def test_pixels_of_a_patch_come_where_they_are():
    """The kernel says which of four places it is for; steps say which patch."""
    model = built("transformer", "images", 1, "labelling", shape=(4, 8, 3))
    last = model.get_layer("outputs")
    kernel, _ = map(numpy, last.weights)
    last.set_weights([np.zeros_like(kernel), np.arange(16.0)])
    out = numpy(model(np.ones((1, 4, 8, 3), "float32")))[0, :, :, 0]
    tile = np.arange(16.0).reshape(4, 4)
    np.testing.assert_array_equal(out, np.concatenate([tile, tile], axis=1))
    grid = keras.Model(model.input, model.get_layer("grid").output)
    assert grid.output_shape == (None, 1, 2, 8)


@pytest.mark.parametrize("kind", BUILDERS)
def test_half_precision_gives_logits_in_float32(kind):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        out = built(kind, "tokens", layer_scale=0.1)(samples("tokens"))
    finally:
        keras.config.set_dtype_policy(policy)
    assert keras.backend.standardize_dtype(out.dtype) == "float32"
    assert np.isfinite(numpy(out)).all()
