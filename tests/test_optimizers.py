"""What optimizers share: arguments, weight decay by name, and their page."""

import inspect
import pathlib
import re

import keras
import numpy as np
import pytest

from perfkit import _backend, losses, optimizers
from perfkit.ops import variables as names
from tests.optimizer_cases import CASES, NOT_OPTIMIZERS
from tests.optimizer_conformance.common import model_with, numpy, train

WRONG = {
    "learning_rate": [-0.1, "fast", None, [0.1]],
    "weight_decay": [-0.1, "some"],
    "no_decay": ["bias", [], [""], [3], None, 1],
    "clipnorm": [0.0, -1.0, "small"],
    "clipvalue": [0.0],
    "global_clipnorm": [0.0],
    "momentum": [1.0, -0.1],
    "trust_coefficient": [0.0],
    "beta_1": [1.0, -0.1, True],
    "beta_2": [1.0, -0.1],
    "beta_3": [1.0, -0.1],
    "epsilon": [0.0, -1.0],
    "initial_distance": [0.0, -1.0],
    "precondition_frequency": [0, 1.5],
    "max_size": [0],
    "warmup_steps": [-1, 0.5],
    "step_power": [-1.0],
    "lr_power": [-1.0],
}
OURS = [kind for kind, case in CASES.items() if case.decays]


def arguments_of(kind):
    for cls in kind.__mro__:
        if cls.__module__.startswith("perfkit.optimizers"):
            yield from inspect.signature(cls.__init__).parameters


@pytest.mark.parametrize("kind", OURS)
def test_wrong_arguments_raise_and_are_named(kind):
    checked = set(arguments_of(kind)) - {"self", "args", "kwargs"}
    assert checked <= set(WRONG)
    for name in checked:
        for value in WRONG[name]:
            with pytest.raises((ValueError, TypeError), match=rf"\({name}=\.\.\.\)"):
                kind(**{name: value})


@pytest.mark.parametrize("kind", OURS)
def test_none_decays_nothing_and_whole_rates_are_taken(kind):
    assert kind(weight_decay=None).get_config()["weight_decay"] is None
    assert float(kind(1).learning_rate) == 1.0


def test_keras_own_way_of_leaving_variables_out_says_what_to_write():
    with pytest.raises(ValueError, match="no_decay"):
        optimizers.LAMB().exclude_from_weight_decay(var_names=["bias"])


def test_k12_what_keras_leaves_out_is_decayed_after_a_reload_and_ours_is_not():
    def after_a_step(optimizer):
        restored = type(optimizer).from_config(optimizer.get_config())
        bias = keras.Variable([1.0], name="bias")
        restored.apply([keras.ops.zeros(1)], [bias])
        return float(bias.numpy()[0])

    theirs = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    theirs.exclude_from_weight_decay(var_names=["bias"])
    assert after_a_step(theirs) < 1.0
    ours = optimizers.RAdam(0.1, weight_decay=0.5, no_decay=["bias"])
    assert after_a_step(ours) == 1.0


def layer_variables():
    """Paths and shapes of the variables of layers that have unusual ones."""
    inputs = keras.Input((4, 6))
    x = keras.layers.MultiHeadAttention(2, 3, name="attention")(inputs, inputs)
    x = keras.layers.LayerNormalization(axis=(1, 2), name="norm")(x)
    x = keras.layers.PReLU(name="activation")(x)
    x = keras.layers.GRU(2, name="gru")(x)
    return keras.Model(inputs, keras.layers.Dense(1, name="head")(x))


def test_biases_and_scales_are_known_by_name_where_their_rank_does_not_tell():
    variables = layer_variables().trainable_variables
    spared = {v.path for v in variables if names.is_bias_or_scale(v)}
    kept = {v.path for v in variables} - spared
    assert {path.rpartition("/")[2] for path in kept} == {"kernel", "recurrent_kernel"}
    assert {v.path for v in variables if v.name == "kernel"} <= kept
    ranks = {v.path: len(v.shape) for v in variables}
    assert sum(ranks[path] > 1 for path in spared) >= 6


def sequential():
    return keras.Sequential([keras.Input((3,)), *blocks()])


def functional():
    outputs = inputs = keras.Input((3,))
    for layer in blocks():
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def blocks():
    return [keras.layers.Dense(2, name="enc"), keras.layers.Dense(1, name="head")]


@pytest.mark.parametrize("make", [sequential, functional])
@pytest.mark.parametrize("pattern", ["enc", "enc/*", "e?c/kernel", "*/kernel", "kern*"])
def test_a_pattern_matches_the_same_in_every_kind_of_model(make, pattern):
    variables = make().trainable_variables
    hits = [names.matches(pattern, v) for v in variables]
    expected = {
        "enc": [True, True, False, False],
        "enc/*": [True, True, False, False],
        "e?c/kernel": [True, False, False, False],
    }
    assert hits == expected.get(pattern, [True, False, True, False])


@pytest.mark.parametrize("pattern", ["en", "kernel/enc", "ENC", "enc/"])
def test_a_pattern_that_matches_nothing_is_an_error_at_build(pattern):
    optimizer = optimizers.LAMB(no_decay=["head/*", pattern])
    with pytest.raises(ValueError, match=f"head/kernel.*Received: no_decay='{pattern}"):
        optimizer.build(functional().trainable_variables)


def test_variables_of_tensorflow_have_names_for_paths():
    class Variable:
        name, shape = "block/kernel:0", (2, 2)

    assert names.path(Variable()) == "block/kernel"
    assert names.matches("block/*", Variable())


def test_rows_of_an_embedding_are_updated():
    table = keras.layers.Embedding(5, 2, embeddings_initializer="ones")
    model = keras.Sequential([keras.Input((2,), dtype="int32"), table])
    model.compile(optimizers.RAdam(0.1), "mse", jit_compile=True)
    model.fit(np.array([[1, 1], [3, 1]]), np.zeros((2, 2, 2)), verbose=0)
    moved = (table.get_weights()[0] != 1.0).all(axis=1)
    assert moved.tolist() == [False, True, False, True, False]


def test_variables_of_half_precision_are_updated_in_full():
    variable = keras.Variable([1.0, 2.0], dtype="float16")
    gradient = keras.ops.convert_to_tensor([0.5, 0.25], dtype="float16")
    optimizers.AdaBelief(0.125).apply([gradient], [variable])
    expected = keras.Variable([1.0, 2.0])
    full = keras.ops.convert_to_tensor([0.5, 0.25])
    optimizers.AdaBelief(0.125).apply([full], [expected])
    np.testing.assert_allclose(variable.numpy(), expected.numpy(), rtol=1e-3)


def test_a_value_that_was_read_stays_as_it_was():
    """Also that of a variable of TensorFlow, which `cast` returns as it is."""
    variable = keras.Variable([1.0])
    values = [_backend.read(handle) for handle in (variable, variable.value)]
    variable.assign([2.0])
    assert [float(keras.ops.convert_to_numpy(x)[0]) for x in values] == [1.0, 1.0]


def test_a_variable_without_gradient_is_left_alone():
    first, second = keras.Variable([1.0]), keras.Variable([1.0])
    optimizer = optimizers.LAMB(0.1)
    optimizer.build([first, second])
    optimizer.apply([keras.ops.ones(1)], [second])
    assert float(first.numpy()[0]) == 1.0
    assert float(second.numpy()[0]) < 1.0


def test_averages_that_keras_keeps_are_of_our_weights():
    optimizer = optimizers.LAMB(0.1, use_ema=True, ema_momentum=0.5)
    model = train(model_with(optimizer, jit_compile=True), 2)
    plain = train(model_with(optimizers.LAMB(0.1), jit_compile=True), 2)
    ours, theirs = numpy(model.weights), numpy(plain.weights)
    assert any((x != y).any() for x, y in zip(ours, theirs, strict=True))


def test_the_page_has_every_optimizer_in_its_table():
    page = pathlib.Path(__file__).parent.parent / "docs" / "optimizers.md"
    rows = re.findall(r"^\| (`.+?) \|", page.read_text(), re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    kinds = {kind for _, kind in inspect.getmembers(optimizers, inspect.isclass)}
    assert named == {kind.__name__ for kind in kinds - NOT_OPTIMIZERS}


@pytest.mark.parametrize(
    "kind", [optimizers.WeightAverage, optimizers.SharpnessAware, optimizers.Lookahead]
)
def test_a_model_with_more_to_train_asks_for_a_new_optimizer(kind):
    model = model_with(kind("adam"))
    model.get_layer("encoder").trainable = False
    optimizer = kind("adam")
    model.compile(optimizer, "mse")
    optimizers.attach(model)
    train(model, 1)
    model.get_layer("encoder").trainable = True
    model.compile(optimizer, "mse")
    with pytest.raises(ValueError, match=r"new optimizer.*encoder/kernel, .*/bias\."):
        train(model, 1)  # also where it stays attached


def test_a_name_that_is_none_of_kerass_is_told():
    with pytest.raises(ValueError, match=r"such as `perfkit.optimizers.LAMB.*lamb"):
        optimizers.Lookahead("lamb")


@pytest.mark.parametrize("kind", [optimizers.WeightAverage, optimizers.Accumulate])
def test_a_model_that_is_not_built_is_told(kind):
    model = keras.Sequential([keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    arguments = {"micro_steps": 2} if kind is optimizers.Accumulate else {}
    model.compile(kind("sgd", **arguments), "mse")
    with pytest.raises(ValueError, match=r"attach\(model=...\)` must be a built m"):
        optimizers.attach(model)


def test_two_passes_of_a_network_that_is_built_are_built():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model = losses.TwoPasses(network)
    inner = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizers.SharpnessAware("sgd"), losses.RDrop(inner))
    optimizers.attach(model)
    before = numpy(network.weights)
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    assert not np.array_equal(before[0], numpy(network.weights)[0])


@pytest.mark.parametrize("kind", [optimizers.WeightAverage, optimizers.Accumulate])
def test_a_loaded_model_that_is_not_attached_is_told(kind, tmp_path):
    """Whatever Keras does when a step fails."""
    norm, dense = keras.layers.BatchNormalization(), keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((3,)), norm, dense])
    arguments = {"micro_steps": 2} if kind is optimizers.Accumulate else {}
    model.compile(kind("sgd", **arguments), "mse")
    optimizers.attach(model)
    train(model, 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"moving statistics.* call `perfkit\.opt"):
        train(loaded, 2)


@pytest.mark.skipif(_backend.engine() == "jax", reason="there the weights are gone")
@pytest.mark.parametrize("around", [False, True])
def test_attaching_after_the_error_that_asks_for_it_is_enough(around):
    optimizer = optimizers.SharpnessAware(keras.optimizers.AdamW(0.1))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizers.WeightAverage(optimizer) if around else optimizer, "mse")
    with pytest.raises(ValueError, match="two gradients in a step"):
        train(model, 1)
    before = numpy(model.weights)
    optimizers.attach(model)
    train(model, 1)
    assert not np.array_equal(before[0], numpy(model.weights)[0])


@pytest.mark.slow
@pytest.mark.skipif(_backend.engine() == "jax", reason="Keras cannot do it there")
def test_averages_of_what_was_frozen_since_stay():
    model = model_with(optimizers.WeightAverage("sgd"))
    train(model, 2)
    model.get_layer("encoder").trainable = False
    model.compile(model.optimizer, "mse")
    before = numpy(model.optimizer.averages)
    train(model, 2)
    moved = [
        not np.array_equal(x, y)
        for x, y in zip(before, numpy(model.optimizer.averages), strict=True)
    ]
    assert moved == [False, False, True, True]


@pytest.mark.skipif(_backend.engine() != "jax", reason="elsewhere Keras can do it")
def test_fewer_variables_to_train_ask_for_a_new_optimizer():
    model = model_with(optimizers.WeightAverage("sgd"))
    train(model, 2)
    model.get_layer("encoder").trainable = False
    model.compile(model.optimizer, "mse")
    with pytest.raises(ValueError, match="Keras cannot leave out on JAX"):
        train(model, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype", ["bfloat16", pytest.param("float64", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "kind", [kind for kind in CASES if not CASES[kind].decays], ids=lambda k: k.__name__
)
def test_wrappers_serve_variables_of_every_precision(kind, dtype):
    if dtype == "float64" and _backend.engine() == "jax":
        pytest.skip("JAX has none by default")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        model = model_with(CASES[kind].make(CASES[kind].rate), run_eagerly=False)
        train(model, 4)
        weights = numpy(model.weights)
    finally:
        keras.config.set_dtype_policy(policy)
    assert all(np.isfinite(w.astype("float64")).all() for w in weights)
    assert {w.dtype.name for w in weights} == {dtype}
