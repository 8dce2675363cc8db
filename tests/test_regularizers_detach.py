"""`attach` by depth and on layers of one's own, `detach` and `undo`."""

import inspect
import pathlib
import re

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import regularizers
from perfkit.graph import kernels

X, Y = np.ones((8, 4), "float32"), np.zeros((8, 1), "float32")


def deep():
    """Five layers that own kernels, one of them attention, one in a nested model."""
    inputs = keras.Input((3, 4))
    x = layers.Dense(4, name="first")(inputs)
    x = layers.LayerNormalization()(x)
    x = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    inner = [keras.Input((3, 4)), layers.Dense(4, name="inner")]
    x = keras.Sequential(inner, name="base")(x)
    x = layers.Bidirectional(layers.LSTM(2), name="both")(x)
    return keras.Model(inputs, layers.Dense(1, name="head")(x))


def shallow():
    inputs = keras.Input((4,))
    hidden = layers.Dense(3, name="body")(inputs)
    return keras.Model(inputs, layers.Dense(1, name="head")(hidden))


def reloaded(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


def total(model):
    return sum(float(loss) for loss in model.losses)


def strengths(model):
    found, _ = kernels.select(model, None)
    return [
        (k.path, k.variable.regularizer and float(k.variable.regularizer.l2))
        for k in found
    ]


def counts(model, folder):
    copies = (model, keras.models.clone_model(model), reloaded(model, folder))
    return [len(copy.losses) for copy in copies]


def test_K10_keras_needs_the_penalty_in_two_places(tmp_path):
    both = {"layer": [0, 1, 1], "kernel": [1, 0, 0], "both": [1, 1, 1]}
    for places, expected in both.items():
        model = shallow()
        layer = model.get_layer("body")
        if places != "kernel":
            layer.kernel_regularizer = keras.regularizers.L2(0.1)
        if places != "layer":
            layer.kernel.regularizer = keras.regularizers.L2(0.1)
        assert counts(model, tmp_path) == expected, places
    model = shallow()
    regularizers.attach(model, regularizers.l2(0.1), where="body")
    assert counts(model, tmp_path) == [1, 1, 1]


def test_a_penalty_changes_with_the_depth_and_is_saved(tmp_path):
    model = deep()
    report = regularizers.attach(model, regularizers.by_depth(0.0, 0.4))
    expected = {"first": 0.0, "attention": 0.1, "base": 0.2, "both": 0.3, "head": 0.4}
    found = strengths(model)
    assert len(found) == len(report.kernels) == 11
    assert not report.unsaved
    for path, strength in found:
        np.testing.assert_allclose(strength, expected[path.split("/")[0]], atol=1e-6)
    for copy in (keras.models.clone_model(model), reloaded(model, tmp_path)):
        assert strengths(copy) == found
    assert "Several kinds on 11 kernels, adds" in str(report)
    assert "head/kernel: L1L2(l1=0, l2=0.4)" in str(report).replace("0.0", "0")


def test_any_function_of_the_depth_makes_a_penalty():
    model = shallow()
    regularizers.attach(model, lambda depth: keras.regularizers.L2(2.0 + depth))
    assert strengths(model) == [("body/kernel", 2.0), ("head/kernel", 3.0)]
    for wrong in (lambda depth: depth, keras.regularizers.L2, regularizers.unit_norm()):
        with pytest.raises(TypeError, match=r"`attach\(regularizer=...\)` must be a"):
            regularizers.attach(model, wrong)


@pytest.mark.parametrize(
    ("share", "names"),
    [
        (slice(None), "first attention base both head"),
        (slice(0, 0.5), "first attention base"),
        (slice(0.5, 1), "both head"),
        (slice(-0.4, None), "both head"),
        (slice(0.2, 0.4), "attention"),
        (slice(None, -0.6), "first attention"),
        ([slice(0, 0.2), "head"], "first head"),
    ],
    ids=str,
)
def test_where_is_a_part_of_the_depth(share, names):
    report = regularizers.attach(deep(), regularizers.l2(0.1), where=share)
    assert {path.split("/")[0] for path in report.kernels} == set(names.split())


@pytest.mark.parametrize("count", [1, 2, 3, 7, 25, 30])
@pytest.mark.parametrize("parts", [2, 3, 25])
def test_parts_of_the_depth_make_up_the_whole(count, parts):
    stack = [layers.Dense(1, name=f"d{k}") for k in range(count)]
    model = keras.Sequential([keras.Input((1,)), *stack])
    found = []
    for k in range(parts):
        share = slice(k / parts, (k + 1) / parts)
        _, chosen = kernels.select(model, share)
        found += [kernel.number for kernel in chosen]
        if count % parts == 0:
            assert len(chosen) == count // parts
    assert found == list(range(count))


@pytest.mark.parametrize("share", [slice(0, 2), slice(0, 1, 0.5), slice("a", None)])
def test_a_wrong_part_of_the_depth_is_named(share):
    with pytest.raises(ValueError, match=r"`attach\(where=...\)` must be a slice"):
        regularizers.attach(shallow(), "l2", where=share)
    with pytest.raises(ValueError, match="a choice from the layers"):
        regularizers.attach(shallow(), "l2", where=slice(0.1, 0.2))


@keras.saving.register_keras_serializable(package="tests")
class Own(layers.Layer):
    """A layer whose weight has a name of its own."""

    def build(self, input_shape):
        self.W = self.add_weight(name="W", shape=(input_shape[-1], 2))
        self.b = self.add_weight(name="b", shape=(2,))

    def call(self, inputs):
        return inputs @ self.W + self.b


@keras.saving.register_keras_serializable(package="tests")
class Taking(Own):
    """The same with an argument for the penalty."""

    def __init__(self, W_regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.W_regularizer = keras.regularizers.get(W_regularizer)

    def build(self, input_shape):
        super().build(input_shape)
        self.W.regularizer = self.W_regularizer

    def get_config(self):
        saved = keras.regularizers.serialize(self.W_regularizer)
        return {**super().get_config(), "W_regularizer": saved}


def with_own(kind):
    inputs = keras.Input((4,))
    x = layers.Dense(3, name="body")(kind(name="own")(inputs))
    return keras.Model(inputs, layers.BatchNormalization(name="norm")(x))


@pytest.mark.parametrize("where", [None, "o*", slice(None), lambda _: True])
def test_a_weight_of_another_name_is_left_alone_unless_it_is_meant(where):
    model = with_own(Own)
    if where == "o*":
        with pytest.raises(ValueError, match=r"a kernel: body\."):
            regularizers.attach(model, "l2", where=where)
    else:
        report = regularizers.attach(model, "l2", where=where)
        assert report.kernels == ("body/kernel",)
    assert model.get_layer("own").W.regularizer is None


@pytest.mark.parametrize("kind", [Own, Taking])
@pytest.mark.parametrize("by", ["name", "class", "layer"])
def test_a_weight_of_another_name_is_reached_by_its_layer(kind, by, tmp_path):
    model = with_own(kind)
    where = {"name": "own", "class": kind, "layer": model.get_layer("own")}[by]
    report = regularizers.attach(model, regularizers.l2(0.5), where=where)
    assert report.kernels == ("own/W",)
    w = keras.ops.convert_to_numpy(model.get_layer("own").W)
    np.testing.assert_allclose(total(model), 0.5 * np.square(w).sum(), 1e-5)
    kept = kind is Taking
    assert report.unsaved == (() if kept else ("own/W",))
    assert counts(model, tmp_path) == [1, int(kept), int(kept)]
    assert ("not saved" in str(report)) is not kept


def test_attention_says_that_its_units_are_not_saved_where_they_differ():
    model = deep()
    report = regularizers.attach(model, regularizers.spectral(0.1), where="attention")
    assert [value.units for value in report.placed] == [(-2, -1)] * 3 + [(-1,)]
    assert len(report.unsaved) == 4
    again = regularizers.attach(model, regularizers.l1(0.1), where="attention")
    assert not again.unsaved
    part = regularizers.attach(model, "l2", where="attention/query")
    assert part.unsaved == part.kernels


@pytest.mark.parametrize("where", [None, "base", "attention"])
def test_detach_takes_off_penalties_and_constraints(where, tmp_path):
    model = deep()
    regularizers.attach(model, "l2")
    regularizers.constrain(model, keras.constraints.UnitNorm())
    report = regularizers.detach(model, where=where)
    touched = {None: 11, "base": 1, "attention": 4}[where]
    assert len(report.kernels) == touched
    assert set(report.replaced.values()) == {"L2(l2=0.01) and UnitNorm(axis=0)"}
    assert not report.unsaved
    assert counts(model, tmp_path) == [11 - touched] * 3
    for copy in (model, reloaded(model, tmp_path)):
        found, _ = kernels.select(copy, None)
        assert sum(k.variable.constraint is None for k in found) == touched


def test_detach_says_what_a_file_would_still_have():
    model = deep()
    regularizers.attach(model, "l2")
    report = regularizers.detach(model, where="attention/query")
    assert report.unsaved == ("attention/query/kernel",)
    assert len(model.losses) == 10
    assert len(keras.models.clone_model(model).losses) == 11


def test_detach_works_on_a_model_that_has_trained_and_on_a_loaded_one(tmp_path):
    model = shallow()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    before = model.evaluate(X, Y, verbose=0)
    regularizers.attach(model, regularizers.l2(0.5))
    model.fit(X, Y, verbose=0)
    loaded = reloaded(model, tmp_path)
    for one in (model, loaded):
        assert one.evaluate(X, Y, verbose=0) > before + 0.1
        report = regularizers.detach(one)
        assert report.replaced == dict.fromkeys(
            ("body/kernel", "head/kernel"), "L2(l2=0.5)"
        )
        np.testing.assert_allclose(one.evaluate(X, Y, verbose=0), before, 1e-5)
        np.testing.assert_allclose(
            one.fit(X, Y, verbose=0).history["loss"], before, 1e-5
        )


def test_detach_fails_where_there_is_nothing_to_take_off():
    model = shallow()
    with pytest.raises(ValueError, match=r"unlike body/kernel, head/kernel\."):
        regularizers.detach(model)
    with pytest.raises(ValueError, match="a choice from the layers"):
        regularizers.detach(model, where="tail")


def test_undo_gives_back_what_was_there(tmp_path):
    model = shallow()
    regularizers.attach(model, "l1", where="head")
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    loss = model.evaluate(X, Y, verbose=0)
    report = regularizers.attach(model, regularizers.l2(3.0))
    assert model.evaluate(X, Y, verbose=0) > loss + 0.1
    report.undo()
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), loss, 1e-5)
    assert model.get_layer("body").kernel_regularizer is None
    assert type(model.get_layer("head").kernel_regularizer) is keras.regularizers.L1
    assert counts(model, tmp_path) == [1, 1, 1]
    detached = regularizers.detach(model)
    assert not model.losses
    detached.undo()
    assert counts(model, tmp_path) == [1, 1, 1]


def test_undo_refuses_when_something_else_was_put_on_since():
    model = shallow()
    first = regularizers.attach(model, regularizers.l2(0.1))
    second = regularizers.attach(model, regularizers.l2(0.2), where="head")
    with pytest.raises(ValueError, match="Undo what was put on later first"):
        first.undo()
    assert strengths(model) == [("body/kernel", 0.1), ("head/kernel", 0.2)]
    second.undo()
    first.undo()
    assert not model.losses
    with pytest.raises(ValueError, match="Undo what was put on later first"):
        first.undo()


def test_the_page_has_every_name_in_its_tables():
    page = pathlib.Path(__file__).parent.parent / "docs" / "regularizers.md"
    rows = re.findall(r"^\| (`[a-z_`, A-Z0-9]+?) \|", page.read_text(), re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    public = {
        name
        for name, value in vars(regularizers).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public <= named
    assert named - public <= {"Dense", "Embedding", "EinsumDense"}
