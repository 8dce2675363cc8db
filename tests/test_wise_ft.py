"""Weights between those before fine-tuning and those after it."""

import keras
import numpy as np
import pytest

from perfkit import transfer
from tests import teaching

SPECIAL = [-0.0, np.inf, np.nan, 1e-38]


def backbone():
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(4, name="stem"),
            keras.layers.BatchNormalization(name="norm"),
        ],
        name="backbone",
    )


def network(classes=2, dtype=None):
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(classes, name=f"head{classes}", dtype=dtype)
    return keras.Model(inputs, outputs(backbone()(inputs)))


def drawn(model, seed):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
@pytest.mark.parametrize("snapshot", [True, False])
def test_weights_lie_between(share, snapshot):
    before, after = drawn(network(), 0), drawn(network(), 1)
    starts, ends = before.get_weights(), after.get_weights()
    between = transfer.wise_ft(starts if snapshot else before, after, share)
    for start, end, found in zip(starts, ends, between.get_weights(), strict=True):
        wanted = (1 - share) * start.astype("float64") + share * end.astype("float64")
        np.testing.assert_array_equal(found, wanted.astype("float32"))
    assert type(between) is type(after)
    assert not between.compiled
    for now, end in zip(after.get_weights(), ends, strict=True):
        np.testing.assert_array_equal(now, end)


@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_ends_are_there_bit_for_bit(share, dtype):
    before = drawn(network(4, dtype=dtype), 0)
    after = drawn(network(4, dtype=dtype), 1)
    for model in (before, after):
        model.weights[-1].assign(np.array(SPECIAL))
    found = transfer.wise_ft(before, after, share)
    for ours, theirs in zip(found.weights, (before, after)[share].weights, strict=True):
        one, two = [keras.ops.convert_to_numpy(weight) for weight in (ours, theirs)]
        assert one.dtype == two.dtype
        assert one.tobytes() == two.tobytes()


def test_half_way_is_rounded_once():
    before, after = drawn(network(dtype="float16"), 0), drawn(network(), 1)
    after = drawn(network(dtype="float16"), 1)
    found = transfer.wise_ft(before, after).weights[-2]
    ends = [np.float64(model.weights[-2]) for model in (before, after)]
    wanted = np.mean(ends, axis=0).astype("float16")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), wanted)


def test_models_of_one_architecture_need_no_names_in_common():
    """Keras numbers the names of layers, so that they never are the same."""

    def made(value):
        dense = [keras.layers.Dense(4, kernel_initializer="zeros") for _ in range(2)]
        model = keras.Sequential([keras.Input((4,)), *dense])
        model.set_weights([np.full(w.shape, value) for w in model.get_weights()])
        return model

    between = transfer.wise_ft(made(1.0), made(3.0))
    assert all((weight == 2.0).all() for weight in between.get_weights())


@pytest.mark.parametrize("of", ["other head", "backbone", "copy of the backbone"])
def test_another_head_stays_that_of_the_fine_tuned_one(of):
    after = drawn(network(3), 1)
    if of == "other head":
        before = drawn(network(2), 0)
    else:
        before = drawn(backbone(), 0)
        if of == "copy of the backbone":  # with no model around its layers
            before = keras.Model(before.inputs, before.outputs)
    starts, ends = before.get_weights(), after.get_weights()
    found = transfer.wise_ft(before, after, 0.5).get_weights()
    for k in range(6):
        np.testing.assert_allclose(found[k], (starts[k] + ends[k]) / 2, rtol=1e-6)
    for ours, theirs in zip(found[6:], ends[6:], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_model_between_can_be_saved(tmp_path):
    between = transfer.wise_ft(drawn(network(), 0), drawn(network(), 1))
    between.save(tmp_path / "between.keras")
    loaded = keras.models.load_model(tmp_path / "between.keras")
    x = np.ones((2, 4), "float32")
    found = keras.ops.convert_to_numpy(loaded(x))
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(between(x)), rtol=1e-6)


def test_what_does_not_fit_is_named():
    after = network()
    starts = after.get_weights()
    with pytest.raises(ValueError, match="as many arrays as `after` has weights, 8"):
        transfer.wise_ft(starts[:-1], after)
    starts[0] = starts[0][:3]
    with pytest.raises(
        ValueError, match=r"number 0 is .*stem/kernel of shape \(4, 4\)"
    ):
        transfer.wise_ft(starts, after)
    wide = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, name="stem")])
    with pytest.raises(ValueError, match=r"where stem/kernel, of shape \(4, 4\) in"):
        transfer.wise_ft(wide, after)
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="other")])
    with pytest.raises(ValueError, match="with some of the layers of `after`"):
        transfer.wise_ft(other, after)
    inputs = keras.Input((4,))
    twice = keras.Model(inputs, backbone()(backbone_named("second")(inputs)))
    with pytest.raises(ValueError, match="tell which weight is stem/kernel"):
        transfer.wise_ft(keras.Model(*ends_of(backbone())), twice)
    for wrong in (-0.1, 1.1, "half", None):
        with pytest.raises(ValueError, match=r"`wise_ft\(share=...\)` must be"):
            transfer.wise_ft(after, after, wrong)
    with pytest.raises(TypeError, match=r"`wise_ft\(before=...\)` must be"):
        transfer.wise_ft("before", after)
    with pytest.raises(TypeError, match=r"`wise_ft\(after=...\)` must be"):
        transfer.wise_ft(after, after.get_weights())


def backbone_named(name):
    model = backbone()
    return keras.Sequential([keras.Input((4,)), *model.layers], name=name)


def ends_of(model):
    return model.inputs, model.outputs


def test_both_models_can_be_fitted_afterwards():
    after = teaching.network(dropout=0.5)
    between = transfer.wise_ft(after.get_weights(), after)
    for model in (between, after):
        before = teaching.values(model)
        teaching.fit(model, epochs=1)
        assert not teaching.same(teaching.values(model), before)


def test_models_with_adapters_are_to_be_merged_first():
    after = drawn(network(), 1)
    transfer.adapt(after, transfer.LoRA(2))
    with pytest.raises(ValueError, match=r"after=...\).*`merge` them"):
        transfer.wise_ft(network(), after)
    with pytest.raises(ValueError, match=r"before=...\).*`merge` them"):
        transfer.wise_ft(after, network())
