"""How many channels stay where several layers share them, and what is said of it."""

import keras
import numpy as np
import pytest

from perfkit import compress
from tests.support import networks

layers = keras.layers


def shrunk(model, **options):
    return compress.shrink(model, **{"round_to": 1, "verbose": False, **options})


def mean_square(true, made):
    return keras.ops.mean(keras.ops.square(true - made))


def filters(model):
    return [layer.filters for layer in model.layers if hasattr(layer, "filters")]


def normalized():
    """Two convolutions in front of batch normalization, all scales of which are 1."""
    parts = [keras.Input((8, 8, 3))]
    for count in (16, 32):
        parts.append(layers.Conv2D(count, 3, use_bias=False))
        parts.append(layers.BatchNormalization())
    return keras.Sequential([*parts, layers.GlobalAveragePooling2D(), layers.Dense(2)])


@pytest.mark.parametrize("scope", ["local", "global", "isomorphic"])
@pytest.mark.parametrize(
    ("of", "expected"), [("channels", [8, 16]), ("parameters", [11, 21])]
)
def test_of_channels_with_equal_scores_each_layer_keeps_the_same_share(
    scope, of, expected
):
    small = shrunk(normalized(), scope=scope, of=of, importance="batch_norm")
    assert filters(small) == expected


def concatenated(count=16):
    """Two layers side by side, added to a third one, which is weak for the first."""
    inputs = keras.Input((4, 4, 3))
    left, right = (layers.Conv2D(count, 1, name=name) for name in ("left", "right"))
    whole = layers.Conv2D(2 * count, 1, name="whole")
    x = layers.Concatenate()([left(inputs), right(inputs)])
    x = layers.Add()([x, whole(inputs)])
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    rising = np.linspace(0.9, 1.1, count)
    left.kernel.assign(np.ones((1, 1, 3, count)) * rising)
    right.kernel.assign(np.ones((1, 1, 3, count)) * rising)
    both = np.concatenate([0.01 * rising, rising])
    whole.kernel.assign(np.ones((1, 1, 3, 2 * count)) * both)
    return model


@pytest.mark.parametrize(
    ("round_to", "expected"), [(1, [1, 16, 17]), (4, [4, 16, 20]), (8, [8, 16, 24])]
)
def test_each_layer_of_a_group_keeps_a_multiple(round_to, expected):
    small = shrunk(concatenated(), round_to=round_to)
    assert filters(small) == expected
    assert small(np.ones((1, 4, 4, 3), "float32")).shape == (1, 2)


def test_the_best_channels_of_each_layer_of_a_group_stay():
    small = shrunk(concatenated())
    left, right, whole = (
        small.get_layer(name).get_weights()[0][0, 0, 0]
        for name in ("left", "right", "whole")
    )
    rising = np.linspace(0.9, 1.1, 16)
    np.testing.assert_allclose(left, [1.1], rtol=1e-6)
    np.testing.assert_allclose(right, rising, rtol=1e-6)
    np.testing.assert_allclose(whole, [0.011, *rising], rtol=1e-6)


# Shares of the whole model


@pytest.mark.parametrize("of", ["parameters", "macs"])
def test_all_of_a_model_is_what_is_there(of):
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(200), layers.Dense(200), layers.Dense(2)]
    )
    assert shrunk(model, keep=1.0, of=of).count_params() == model.count_params()


def test_a_share_needs_sizes_where_it_is_measured():
    model = keras.Sequential(
        [keras.Input((None, None, 3)), layers.Conv2D(16, 3), layers.Conv2D(2, 1)]
    )
    for of in ("macs", "latency"):
        with pytest.raises(ValueError, match=r"`shrink\(of=...\)` must be \"channels"):
            shrunk(model, of=of)
    assert shrunk(model, of="parameters").layers[0].filters < 16


def test_the_share_that_was_reached_is_said(capsys):
    model = networks.plain()
    small = shrunk(model, keep=0.4, of="parameters", verbose=True)
    said = capsys.readouterr().out
    share = small.count_params() / model.count_params()
    assert said.endswith(f"parameters {share:.2f} of the whole model's\n")
    assert "8/8" in said  # the progress bar
    shrunk(model, keep=0.4, of="parameters")
    assert not capsys.readouterr().out


def test_scores_of_taylor_in_two_rounds_need_a_loss_or_training():
    model = networks.plain()
    model.compile("sgd", "mse")
    data = [(networks.images(), np.zeros((4, 5)))]
    with pytest.raises(ValueError, match=r"`shrink\(loss=...\)`.* several rounds"):
        shrunk(model, importance="taylor", data=data, rounds=2)
    shrunk(model, importance="taylor", data=data, rounds=2, loss=mean_square)


def test_a_seed_of_no_use_is_refused():
    with pytest.raises(ValueError, match=r"`shrink\(seed=...\)`"):
        shrunk(networks.plain(), importance="random", seed=-1)


# What is said where nothing can be cut


def test_what_cannot_be_cut_is_said_with_what_was_given():
    with pytest.raises(ValueError, match=r"Received: where='last'"):
        shrunk(networks.plain(), where="last")


def test_a_layer_is_not_cut_without_those_that_go_with_it():
    expected = r"all of the layers.*none of them: stem, project. Received: where='stem'"
    with pytest.raises(ValueError, match=expected):
        shrunk(networks.residual(), where="stem")
    shrunk(networks.residual(), where=["stem", "project"])


@pytest.mark.parametrize("method", ["cluster", "quantize_aware"])
def test_a_model_with_functions_of_its_kernels_is_stripped_first(method):
    model = networks.plain()
    if method == "cluster":
        other = compress.cluster(model, 4, verbose=False)
    else:
        other = compress.quantize_aware(model)
    with pytest.raises(ValueError, match=r"Before, `strip\(model\)` makes plain"):
        shrunk(other)
    shrunk(compress.strip(other))


def test_a_model_of_layers_that_keras_altered_is_refused_with_their_names():
    layer = layers.Dense(16, name="adapted")
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(2)])
    layer.enable_lora(2)
    with pytest.raises(ValueError, match="adapted: it has Keras's LoRA"):
        shrunk(model)
