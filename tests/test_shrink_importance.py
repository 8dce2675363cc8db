"""Which channels a smaller model keeps."""

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.ops import importance
from tests.support import networks

layers = keras.layers


def scored(kernel, importance, **options):
    """Which of 8 channels of a dense layer half stay."""
    model = keras.Sequential(
        [keras.Input((kernel.shape[0],)), layers.Dense(8), layers.Dense(2)]
    )
    model.layers[0].set_weights([kernel, np.arange(8.0)])
    small = compress.shrink(
        model, importance=importance, round_to=1, verbose=False, **options
    )
    return small.layers[0].get_weights()[1].astype(int).tolist()


def test_norms_say_which_channels_stay():
    kernel = np.zeros((4, 8))
    kernel[0] = [8, 1, 7, 2, 6, 3, 5, 4]
    kernel[1:, 1] = 2.5  # sums to 8.5, with a norm of 4.4
    assert scored(kernel, "l1") == [0, 1, 2, 4]
    assert scored(kernel, "l2") == [0, 2, 4, 6]


def test_the_geometric_median_goes_first():
    places = np.array([0.0, 10.0, 4.9, 5.0, 5.1, 5.2, -3.0, 20.0])
    kernel = np.stack([places, np.ones(8)])
    distances = np.abs(places[:, None] - places).sum(axis=1)
    expected = sorted(np.argsort(distances)[4:].tolist())
    assert scored(kernel, "geometric_median") == expected


def test_a_function_of_ones_own_scores():
    kernel = np.ones((3, 8))
    assert scored(kernel, lambda weights: np.arange(len(weights)) % 2) == [1, 3, 5, 7]
    with pytest.raises(ValueError, match="a finite score for each of 8 channels"):
        scored(kernel, lambda weights: np.ones(3))


def test_random_follows_its_seed():
    kernel = np.ones((3, 8))
    kept = [scored(kernel, "random", seed=seed) for seed in (0, 0, 1)]
    assert kept[0] == kept[1] != kept[2]


def test_scales_of_batch_normalization_say_which_channels_stay():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Conv2D(4, 1),
            layers.BatchNormalization(),
            layers.Conv2D(2, 1),
        ]
    )
    model.layers[1].gamma.assign([0.1, -3.0, 0.5, 2.0])
    small = compress.shrink(model, importance="batch_norm", round_to=1, verbose=False)
    assert small.layers[1].get_weights()[0].tolist() == [-3.0, 2.0]
    with pytest.raises(ValueError, match="go through no BatchNormalization"):
        compress.shrink(networks.gated(), importance="batch_norm", verbose=False)


def test_taylor_is_what_the_loss_changes_to_first_order():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(6), layers.Dense(1)])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 5)), rng.normal(size=(20, 1))
    kernel, bias, last, end = model.get_weights()
    error = (x @ kernel + bias) @ last + end - y
    gradient = x.T @ (2.0 / len(x) * error * last.T)
    scores = (kernel * gradient).sum(axis=0) ** 2
    expected = np.sort(np.argsort(scores)[3:])
    small = compress.shrink(
        model,
        importance="taylor",
        data=[(x, y)],
        loss=lambda true, made: keras.ops.square(made - true),
        round_to=1,
        verbose=False,
    )
    np.testing.assert_array_equal(small.get_weights()[0], kernel[:, expected])
    model.compile("sgd", "mse")
    again = compress.shrink(
        model, importance="taylor", data=[(x, y)], round_to=1, verbose=False
    )
    np.testing.assert_array_equal(again.get_weights()[0], kernel[:, expected])


def test_the_best_of_all_layers_stay_under_a_global_scope():
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4), layers.Dense(4), layers.Dense(1)]
    )
    model.layers[0].kernel.assign([[1.0, 1.0, 1.0, 0.1], [0.0] * 4])
    other = np.zeros((4, 4))
    other[0] = [10.0, 0.1, 0.1, 0.1]
    model.layers[1].kernel.assign(other)
    small = compress.shrink(model, scope="global", round_to=1, verbose=False)
    assert [layer.units for layer in small.layers] == [3, 1, 1]


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        ("local", [2, 2, 2, 2]),
        ("isomorphic", [1, 3, 1, 3]),
        ("global", [3, 3, 1, 1]),
    ],
)
def test_a_scope_says_which_layers_are_compared(scope, kept):
    # Scores are norms over their mean in the layer: of a layer with one large channel
    # this one alone is above the channels of a layer where they are all alike.
    norms = {
        "conv": [1.02, 1.01, 1.0, 0.1],
        "other": [10.0, 10.0, 10.0, 0.1],
        "dense": [10.0, 0.1, 0.1, 0.1],
        "more": [1.02, 1.01, 0.99, 0.98],
    }
    model = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            layers.Conv2D(4, 1, name="conv"),
            layers.Conv2D(4, 1, name="other"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="dense"),
            layers.Dense(4, name="more"),
            layers.Dense(2),
        ]
    )
    for name, scales in norms.items():
        kernel = np.zeros(model.get_layer(name).kernel.shape)
        kernel[..., 0, :] = scales
        model.get_layer(name).kernel.assign(kernel)
    small = compress.shrink(model, scope=scope, round_to=1, verbose=False)
    assert [small.get_layer(name).get_weights()[1].size for name in norms] == kept


def test_lamp_scores_are_compared_as_they_are():
    weights = np.array([[3.0], [1.0], [2.0]])
    np.testing.assert_allclose(importance.lamp(weights), [9 / 9, 1 / 14, 4 / 13])
    # 1/4, 1/3, 1/2, 1 in the first layer, 0.03, 0.03, 11/31, 1 in the second. Over
    # their means 11/31 would be above 1/2.
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(4), layers.Dense(4), layers.Dense(1)]
    )
    model.layers[0].kernel.assign([[1.0] * 4])
    kernel = np.zeros((4, 4))
    kernel[0] = np.sqrt([20.0, 11.0, 1.0, 1.0])
    model.layers[1].kernel.assign(kernel)
    options = {"importance": "lamp", "scope": "global", "round_to": 1}
    small = compress.shrink(model, keep=3 / 8, verbose=False, **options)
    assert [layer.units for layer in small.layers] == [2, 1, 1]
