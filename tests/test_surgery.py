"""What all functions of `surgery` hold to, whichever the model is."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import surgery
from perfkit.layers import FilterResponseNormalization, SqueezeExcite
from tests import surgery_models as models
from tests.layer_conformance.common import numpy

pytestmark = pytest.mark.usefixtures("seeded")

GATE = functools.partial(SqueezeExcite, 1)
FUNCTIONS = {
    "attention": lambda model: surgery.insert_attention(model, GATE),
    "blur": lambda model: surgery.blur_pool(model),
    "activation": lambda model: surgery.swap_activation(model, "relu", "silu"),
    "activation_layer": lambda model: surgery.swap_activation(
        model, "relu", layers.PReLU
    ),
    "normalization": lambda model: surgery.swap_normalization(
        model, FilterResponseNormalization
    ),
    "depth": lambda model: surgery.stochastic_depth(model, 0.5),
}
# What lies beside what is named after it, in the small network.
NEW = {
    "attention": ["sum_squeeze_excite"],
    "blur": ["stem_blur", "down_blur"],
    "activation": ["stem_relu", "branch", "down"],
    "activation_layer": ["stem_relu", "branch_activation", "down_activation"],
    "normalization": ["stem_norm", "branch_norm"],
    "depth": ["sum_drop_path"],
}
IDENTITY = {"attention", "activation_layer", "depth"}  # a PReLU begins as a ReLU
REPLACED = {"normalization": ["stem_norm", "branch_norm"]}
EVERY = pytest.mark.parametrize("kind", FUNCTIONS)


@pytest.mark.parametrize("make", [models.network, models.nested, models.sequential])
@EVERY
def test_other_weights_stay_and_the_new_model_shares_none(kind, make):
    model = make()
    before, outputs = models.values(model), numpy(model(models.IMAGES))
    new, changed = FUNCTIONS[kind](model)
    above = "" if make is models.network else "inner/"
    assert [change.path for change in changed.changes] == [
        above + name for name in NEW[kind]
    ]
    models.assert_same_values(models.values(model), before)
    np.testing.assert_array_equal(numpy(model(models.IMAGES)), outputs)
    replaced = {above + name for name in REPLACED.get(kind, ())}
    kept = {k: value for k, value in before.items() if k[0] not in replaced}
    found = models.values(new)
    models.assert_same_values({k: found[k] for k in kept}, kept)
    assert not {id(x) for x in new.variables} & {id(x) for x in model.variables}
    difference = np.abs(numpy(new(models.IMAGES)) - outputs).max()
    assert difference <= 1e-5 if kind in IDENTITY else difference > 1e-3
    assert changed.identity == (kind in IDENTITY)
    assert changed.parameters == new.count_params() - model.count_params()


def assert_learns_and_is_saved(new, names, folder):
    before = models.values(new)
    models.trained(new)
    after = models.values(new)
    for name in names:
        layer = new.get_layer(name)
        places = {id(weight): number for number, weight in enumerate(layer.weights)}
        for weight in layer.trainable_weights:
            key = name, places[id(weight)]
            assert (after[key] != before[key]).any(), weight.path
    new.save(folder / "model.keras")
    loaded = keras.models.load_model(folder / "model.keras")
    models.assert_same_values(models.values(loaded), after)
    wanted = numpy(new(models.IMAGES))
    np.testing.assert_array_equal(numpy(loaded(models.IMAGES)), wanted)


@pytest.mark.slow
@EVERY
def test_a_changed_model_learns_and_is_saved(kind, tmp_path):
    new, _ = FUNCTIONS[kind](models.network())
    assert_learns_and_is_saved(new, NEW[kind], tmp_path)


def test_a_model_changed_by_all_of_them_learns_and_is_saved(tmp_path):
    model, names = models.network(), []
    kinds = ("depth", "attention", "normalization", "activation_layer", "blur")
    for kind in kinds:
        model, changed = FUNCTIONS[kind](model)
        assert [change.path for change in changed.changes] == NEW[kind]
        names += NEW[kind]
    assert_learns_and_is_saved(model, names, tmp_path)


@EVERY
def test_a_model_that_is_called_twice_changes_in_both_calls(kind):
    model = models.shared()
    new, changed = FUNCTIONS[kind](model)
    assert [change.path for change in changed.changes] == [
        f"inner/{name}" for name in NEW[kind]
    ]
    inner, _ = FUNCTIONS[kind](model.get_layer("inner"))
    both = [numpy(inner(x)) for x in (models.IMAGES, models.IMAGES[:, ::-1])]
    found = numpy(new(models.IMAGES))
    np.testing.assert_allclose(found, (both[0] + both[1]) / 2, atol=1e-6)
    if kind in IDENTITY:
        np.testing.assert_allclose(found, numpy(model(models.IMAGES)), atol=1e-6)


@EVERY
def test_channels_may_come_first(kind):
    last, first = models.network(), models.network("channels_first")
    first.set_weights(last.get_weights())
    new, _ = FUNCTIONS[kind](first)
    assert [layer.name for layer in new.layers] == [
        layer.name for layer in FUNCTIONS[kind](last)[0].layers
    ]
    images = np.moveaxis(models.IMAGES, -1, 1)
    wanted = numpy(FUNCTIONS[kind](last)[0](models.IMAGES))
    np.testing.assert_allclose(numpy(new(images)), wanted, atol=1e-5)


@EVERY
def test_new_layers_compute_in_the_precision_of_those_around(kind):
    model = models.mixed()
    new, changed = FUNCTIONS[kind](model)
    for change in changed.changes:
        layer = new.get_layer(change.path)
        assert layer.compute_dtype == "float16", change
        assert all(x.dtype == "float32" for x in layer.trainable_weights), change
    images = models.IMAGES
    if kind in IDENTITY:
        np.testing.assert_array_equal(numpy(new(images)), numpy(model(images)))
    assert np.isfinite(numpy(new(images)).astype("float32")).all()


@EVERY
def test_what_is_frozen_stays_frozen(kind):
    model = models.network()
    for name in ("stem", "stem_norm", "branch"):
        model.get_layer(name).trainable = False
    new, _ = FUNCTIONS[kind](model)
    for name in ("stem", "stem_norm", "branch"):
        assert not new.get_layer(name).trainable_weights, name
    assert new.get_layer("head").trainable_weights


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


@EVERY
def test_models_that_cannot_be_read_are_refused(kind):
    name = f"{_of(kind).__name__}\\(model=...\\)"
    model = Subclassed()
    model(np.zeros((1, 3)))
    with pytest.raises(ValueError, match=f"{name}.*write the layer into its `call`"):
        FUNCTIONS[kind](model)
    with pytest.raises(ValueError, match=f"{name}.*built"):
        FUNCTIONS[kind](keras.Sequential([layers.Conv2D(4, 3)]))
    lora = models.network()
    lora.get_layer("head").enable_lora(2)
    with pytest.raises(ValueError, match=f"{name}.*without adapters.*head"):
        FUNCTIONS[kind](lora)


@EVERY
def test_a_model_without_such_a_place_is_refused(kind):
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="dense")])
    message = {
        "attention": r"insert_attention\(after=...\).*neither residual branches nor",
        "blur": r"blur_pool\(where=...\).*with strides: none in this model",
        "depth": r"stochastic_depth\(where=...\).*sums.*: none in this model",
        "normalization": r"swap_normalization\(where=...\).*none in this model",
    }.get(kind, r"swap_activation\(old=...\).*activations in the model: none")
    with pytest.raises(ValueError, match=message):
        FUNCTIONS[kind](plain)


PLACES = {
    "attention": functools.partial(surgery.insert_attention, layer=SqueezeExcite),
    "blur": surgery.blur_pool,
    "activation": functools.partial(surgery.swap_activation, old="relu", new="silu"),
    "normalization": functools.partial(
        surgery.swap_normalization, new=layers.LayerNormalization
    ),
    "depth": surgery.stochastic_depth,
}


@pytest.mark.parametrize("kind", PLACES)
def test_a_choice_that_matches_nothing_is_named_with_what_there_is(kind):
    argument = "after" if kind == "attention" else "where"
    there = {"activation": "stem_relu, branch, down", "depth": "sum"}
    with pytest.raises(ValueError, match=r"Received: .*'nowhere'") as caught:
        PLACES[kind](models.network(), **{argument: "nowhere"})
    assert f"({argument}=...)" in str(caught.value)
    assert there.get(kind, "stem") in str(caught.value)


def _of(kind):
    return {
        "attention": surgery.insert_attention,
        "blur": surgery.blur_pool,
        "normalization": surgery.swap_normalization,
        "depth": surgery.stochastic_depth,
    }.get(kind, surgery.swap_activation)


def test_a_report_says_what_changed_and_what_did_not():
    changes = (
        surgery.Change("conv", "conv_gate", None, "Gate", 1200, identity=True),
        surgery.Change("inner/norm", "inner/norm", "Old", "New", -8, True, "so far"),
    )
    changed = surgery.Changed(changes, {"sum": "no branch"})
    assert changed.parameters == 1192
    assert str(changed).splitlines() == [
        "2 changes in a new model with the same predictions and +1,192 parameters; "
        "compile it before `fit`",
        "  Gate at conv, +1,200 parameters",
        "  New for Old at inner/norm, -8 parameters (so far)",
        "  not at sum: no branch",
    ]
    other = surgery.Change("a", "a", "relu", "silu", 0, identity=False)
    one = surgery.Changed((other,), {})
    assert not one.identity
    assert not surgery.Changed((*changes, other), {}).identity
    assert str(one).splitlines() == [
        "1 change in a new model with other predictions and +0 parameters; compile it "
        "before `fit`",
        "  silu for relu at a",
    ]
