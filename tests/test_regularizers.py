"""`regularizers.attach` on every kind of built model."""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import regularizers

X, Y = np.ones((8, 4), "float32"), np.zeros((8, 1), "float32")
L2 = keras.regularizers.L2(0.5)


def sequential():
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, name="body"),
            layers.BatchNormalization(),
            layers.Dense(1, name="head"),
        ]
    )


def functional():
    inputs = keras.Input((4,))
    hidden = layers.Dense(3, name="body")(inputs)
    return keras.Model(inputs, layers.Dense(1, name="head")(hidden))


def nested():
    inputs = keras.Input((4,))
    base = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name="body")], name="base"
    )
    return keras.Model(inputs, layers.Dense(1, name="head")(base(inputs)))


class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.parts = {"first": [layers.Dense(3, name="body")]}
        self.head = layers.Dense(1, name="head")

    def call(self, inputs):
        return self.head(self.parts["first"][0](inputs))


def subclassed():
    model = Subclassed()
    model(X)
    return model


class Block(layers.Layer):
    """Holds its layers in attributes, as a custom block does."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.parts = {"all": [layers.Dense(3, name="body")]}

    def build(self, input_shape):
        self.parts["all"][0].build(input_shape)
        self.scale = self.add_weight(name="scale", shape=())

    def call(self, inputs):
        return self.parts["all"][0](inputs) * self.scale


def zoo():
    """Layers whose kernels carry other names or lie inside."""
    image = keras.Input((8, 8, 4))
    x = layers.SeparableConv2D(4, 3, name="separable")(image)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.LayerNormalization()(x)
    x = layers.Conv2DTranspose(4, 3, name="transposed")(x)
    x = layers.Reshape((36, 4))(x)
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both")(x)
    x = layers.TimeDistributed(layers.Dense(4), name="each")(x)
    x = layers.MultiHeadAttention(2, 2, name="attention")(x, x)
    x = layers.GroupQueryAttention(2, 2, 1, name="grouped")(x, x)
    tokens = keras.Input((36,), dtype="int32")
    x = layers.Add()([x, layers.Embedding(5, 4, name="table")(tokens)])
    x = layers.RNN([layers.GRUCell(2), layers.SimpleRNNCell(2)], name="stack")(x)
    return keras.Model([image, tokens], layers.Dense(1, name="head")(x))


def reloaded(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


def penalty(model):
    return sum(float(loss) for loss in model.losses)


def squares(model, *names):
    """Return the sum of squares of the weights of these names, in NumPy."""
    return sum(
        np.sum(np.square(keras.ops.convert_to_numpy(weight)))
        for weight in model.trainable_weights
        if weight.name in names
    )


MODELS = pytest.mark.parametrize("make", [sequential, functional, nested, subclassed])


@MODELS
def test_the_loss_grows_by_the_penalty_of_the_kernels(make):
    model = make()
    report = regularizers.attach(model, L2)
    assert len(model.losses) == 2
    np.testing.assert_allclose(penalty(model), 0.5 * squares(model, "kernel"), 1e-6)
    np.testing.assert_allclose(report.penalty, penalty(model), 1e-6)


@pytest.mark.slow
@MODELS
def test_a_compiled_model_that_has_trained_counts_the_penalty_at_once(make):
    model = make()
    model.compile(keras.optimizers.SGD(0.0, momentum=0.9), "mse")
    data = {"x": X, "y": Y}
    model.fit(**data, verbose=0)
    before = model.evaluate(**data, verbose=0)
    regularizers.attach(model, L2)
    wanted = before + penalty(model)
    assert penalty(model) > 0.1
    np.testing.assert_allclose(model.evaluate(**data, verbose=0), wanted, 1e-5)
    np.testing.assert_allclose(model.test_on_batch(**data), wanted, 1e-5)
    if make is not sequential:  # its batch normalization differs in training
        np.testing.assert_allclose(model.train_on_batch(**data), wanted, 1e-5)
        history = model.fit(**data, verbose=0).history
        np.testing.assert_allclose(history["loss"][0], wanted, 1e-5)


def test_training_decays_the_kernel_and_keeps_the_state_of_the_optimizer():
    model = functional()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    zeros = np.zeros_like(X)  # no gradient but that of the penalty
    model.fit(zeros, Y, verbose=0)
    before = keras.ops.convert_to_numpy(model.get_layer("body").kernel)
    regularizers.attach(model, L2)
    model.fit(zeros, Y, verbose=0)
    after = keras.ops.convert_to_numpy(model.get_layer("body").kernel)
    np.testing.assert_allclose(after, before * (1 - 0.1 * 2 * 0.5), 1e-5)
    assert int(model.optimizer.iterations) == 2


def test_a_compiled_model_inside_the_model_counts_the_penalty_at_once():
    model = nested()
    base = model.get_layer("base")
    base.compile("sgd", "mse")
    before = base.evaluate(X, np.zeros((8, 3)), verbose=0)
    regularizers.attach(model, L2)
    after = base.evaluate(X, np.zeros((8, 3)), verbose=0)
    np.testing.assert_allclose(after, before + penalty(base), 1e-5)


@pytest.mark.parametrize("make", [sequential, functional, nested])
def test_the_penalty_stays_through_clone_and_file(make, tmp_path):
    model = make()
    regularizers.attach(model, keras.regularizers.L1L2(0.1, 0.2))
    assert len(keras.models.clone_model(model).losses) == 2
    np.testing.assert_allclose(penalty(reloaded(model, tmp_path)), penalty(model), 1e-6)


def test_kernels_of_every_kind_are_reached_and_saved(tmp_path):
    model = zoo()
    report = regularizers.attach(model, L2)
    kinds = ("kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel")
    expected = [w for w in model.trainable_weights if w.name in kinds]
    assert len(report.kernels) == len(expected) == 22
    assert all(weight.regularizer is L2 for weight in expected)
    others = [w for w in model.trainable_weights if w.name not in kinds]
    assert all(weight.regularizer is None for weight in others)
    np.testing.assert_allclose(penalty(model), 0.5 * squares(model, *kinds), 1e-5)
    assert len(keras.models.clone_model(model).losses) == 22
    np.testing.assert_allclose(penalty(reloaded(model, tmp_path)), penalty(model), 1e-5)


def test_kernels_of_a_layer_with_lora_are_reached():
    model = functional()
    model.get_layer("body").enable_lora(2)
    report = regularizers.attach(model, L2, where="body")
    assert report.kernels == ("body/kernel", "body/lora_kernel_a", "body/lora_kernel_b")
    assert report.frozen == ("body/kernel",)
    names = ("lora_kernel_a", "lora_kernel_b")
    np.testing.assert_allclose(penalty(model), 0.5 * squares(model, *names), 1e-5)


def test_the_integer_kernels_of_a_quantized_layer_are_left_alone():
    model = functional()
    model.get_layer("body").quantize("int8")
    assert regularizers.attach(model, L2).kernels == ("head/kernel",)


def test_layers_held_by_a_custom_layer_are_reached():
    model = keras.Sequential([keras.Input((4,)), Block(name="block")])
    assert regularizers.attach(model, L2).kernels == ("block/body/kernel",)
    assert len(model.losses) == 1


def test_layers_beside_the_graph_of_a_functional_model_are_reached():
    model = functional()
    model.beside = layers.Dense(2, name="beside")
    model.beside.build((None, 4))
    if all(weight is not model.beside.kernel for weight in model.weights):
        pytest.skip("this version of Keras does not take it for a part of the model")
    report = regularizers.attach(model, L2, where="beside")
    assert report.kernels == ("beside/kernel",)
    assert model.beside.kernel_regularizer is L2


def test_layers_that_keras_does_not_track_are_left_alone():
    model = keras.Sequential([keras.Input((4,)), Block(name="block")])
    teacher = functional()
    vars(model.layers[0]).update(teacher=teacher, owner=model)
    assert regularizers.attach(model, L2).kernels == ("block/body/kernel",)
    assert not teacher.losses


@pytest.mark.parametrize(
    ("where", "kernels"),
    [
        ("head", ["head/kernel"]),
        ("[hb]*d*", ["head/kernel", "base/body/kernel"]),
        ("base", ["base/body/kernel"]),
        ("base/*", ["base/body/kernel"]),
        ("bo?y", ["base/body/kernel"]),
        (keras.Sequential, ["base/body/kernel"]),
        ((layers.Conv2D, layers.Dense), ["base/body/kernel", "head/kernel"]),
        (lambda layer: layer.name != "body", ["head/kernel"]),
        (lambda layer: layer.units == 3, ["base/body/kernel"]),
    ],
    ids=lambda value: None if callable(value) else str(value),
)
def test_where_selects(where, kernels):
    model = nested()
    report = regularizers.attach(model, L2, where=where)
    assert sorted(report.kernels) == sorted(kernels)
    assert len(model.losses) == len(kernels)


@pytest.mark.parametrize("where", [keras.Model, "whole"])
def test_the_model_itself_is_not_one_of_its_layers(where):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)], name="whole")
    with pytest.raises(ValueError, match="a choice from the layers"):
        regularizers.attach(model, L2, where=where)


@pytest.mark.parametrize("where", ["table", layers.Embedding, lambda _: True])
def test_an_embedding_is_reached_when_selected(where, tmp_path):
    model = zoo()
    assert "table/embeddings" in regularizers.attach(model, L2, where=where).kernels
    table = reloaded(model, tmp_path).get_layer("table").embeddings
    assert table.regularizer is not None


@pytest.mark.parametrize("name", ["attention", "grouped"])
def test_a_whole_attention_layer_is_saved_and_a_part_is_not_made_the_whole(name):
    model = zoo()
    report = regularizers.attach(model, L2, where=name)
    assert len(report.kernels) == 4
    assert len(keras.models.clone_model(model).losses) == 4
    model = zoo()
    regularizers.attach(model, L2, where=f"{name}/query")
    assert len(model.losses) == 1
    assert not keras.models.clone_model(model).losses


def test_attaching_twice_counts_once_and_another_penalty_replaces():
    model = functional()
    regularizers.attach(model, L2)
    once = penalty(model)
    assert regularizers.attach(model, keras.regularizers.L2(0.5)).replaced == {}
    assert len(model.losses) == 2
    np.testing.assert_allclose(penalty(model), once)
    report = regularizers.attach(model, "l1", where="head")
    assert report.replaced == {"head/kernel": "L2(l2=0.5)"}
    assert len(model.losses) == 2
    assert penalty(model) != once


def test_a_shared_layer_counts_once():
    inputs, shared = keras.Input((4,)), layers.Dense(4, name="shared")
    first = keras.Sequential([shared], name="first")
    second = keras.Sequential([shared], name="second")
    model = keras.Model(inputs, second(first(shared(inputs))))
    report = regularizers.attach(model, L2, where="second/*")
    assert len(report.kernels) == len(model.losses) == 1
    np.testing.assert_allclose(report.penalty, penalty(model), 1e-6)


def test_layers_of_the_same_name_count_each():
    model = Subclassed()
    model.head.name = "body"
    model(X)
    report = regularizers.attach(model, L2)
    assert report.kernels == ("body/kernel", "body/kernel")
    np.testing.assert_allclose(report.penalty, penalty(model), 1e-6)


def test_a_frozen_kernel_is_told_and_counts_once_it_trains():
    model = functional()
    model.get_layer("body").trainable = False
    report = regularizers.attach(model, L2)
    assert report.frozen == ("body/kernel",)
    np.testing.assert_allclose(report.penalty, penalty(model), 1e-6)
    model.get_layer("body").trainable = True
    assert len(model.losses) == 2


def test_the_report_reads_well():
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(2, kernel_initializer="ones", name="a")]
    )
    regularizers.attach(model, "l1")
    model.layers[0].trainable = False
    assert str(regularizers.attach(model, L2)) == (
        "L2(l2=0.5) on 1 kernel, adds 0 to the loss\n"
        "  a/kernel, was L1(l1=0.01), frozen"
    )


def test_a_layer_or_a_list_of_choices_selects():
    model = nested()
    head = model.get_layer("head")
    assert regularizers.attach(model, L2, where=head).kernels == ("head/kernel",)
    assert head.kernel.regularizer is L2
    for choices in (["head", "bo*"], [head, model.get_layer("base")]):
        report = regularizers.attach(model, L2, where=choices)
        assert report.kernels == ("base/body/kernel", "head/kernel")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"where": "tail*"}, ValueError, ["'tail*'", "base/body, head."]),
        ({"where": layers.Conv2D}, ValueError, ["Conv2D", "base/body, head."]),
        ({"where": lambda _: False}, ValueError, ["base/body, head."]),
        ({"where": 3}, TypeError, ["a name pattern", "where=3"]),
        ({"where": ("head", 3)}, TypeError, ["a name pattern", "('head', 3)"]),
        ({"where": ["head", "haed"]}, ValueError, ["base/body, head.", "where='haed'"]),
        ({"where": ["head", layers.Dense(1, name="x")]}, ValueError, ["name=x"]),
        ({"regularizer": "l3"}, ValueError, ["Keras name", "'l3'"]),
        ({"regularizer": 0.1}, TypeError, ["Regularizer", "0.1"]),
        ({"regularizer": keras.constraints.NonNeg()}, TypeError, ["`constrain(model"]),
        ({"model": layers.Dense(1)}, TypeError, ["Model"]),
        ({"model": keras.Sequential([layers.Dense(1)])}, ValueError, ["a built model"]),
        ({"model": Subclassed()}, ValueError, ["a built model"]),
    ],
)
def test_a_wrong_argument_is_named(change, error, words):
    arguments = {"model": nested(), "regularizer": L2, **change}
    with pytest.raises(error) as caught:
        regularizers.attach(**arguments)
    assert str(caught.value).startswith(f"`attach({next(iter(change))}=...)` must be ")
    assert all(word in str(caught.value) for word in words)


def test_a_model_without_kernels_is_told():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.BatchNormalization()(inputs))
    with pytest.raises(ValueError, match="none in this model"):
        regularizers.attach(model, L2)


def test_a_penalty_that_cannot_be_computed_changes_nothing():
    inputs = keras.Input((8, 8, 3))
    hidden = layers.Dense(3, name="fits")(inputs)
    model = keras.Model(inputs, layers.Conv2D(2, 3, name="conv")(hidden))
    with pytest.raises(ValueError, match=r"`conv/kernel` of shape \(3, 3, 3, 2\)"):
        regularizers.attach(model, "orthogonal_regularizer")
    assert not model.losses
    assert model.get_layer("fits").kernel_regularizer is None
