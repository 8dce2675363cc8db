"""Blur in built models, against SciPy."""

import keras
import numpy as np
import pytest
import scipy.ndimage
from keras import layers

from perfkit import surgery
from tests import surgery_models as models
from tests.layer_conformance.common import numpy

BINOMIAL = {3: [0.25, 0.5, 0.25], 5: [0.0625, 0.25, 0.375, 0.25, 0.0625]}


def image(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def blurred(x, size=3):
    for axis in (1, 2):
        x = scipy.ndimage.correlate1d(x, BINOMIAL[size], axis=axis, mode="mirror")
    return x


def convolved(x, kernel, padding="same"):
    """A convolution of every place, with zeros around."""
    rows, columns = kernel.shape[:2]
    if padding == "same":
        around = [((n - 1) // 2, n // 2) for n in (rows, columns)]
        x = np.pad(x, ((0, 0), *around, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (rows, columns), (1, 2))
    return np.einsum("bhwcij,ijco->bhwo", windows, kernel)


@pytest.mark.parametrize(
    ("places", "kernel", "strides", "padding"),
    [
        ((8, 7), 3, 2, "same"),
        ((8, 8), (4, 5), 2, "same"),
        ((9, 10), 3, 3, "same"),
        ((8, 7), 3, 2, "valid"),
        ((9, 9), 7, 4, "same"),
    ],
)
def test_the_places_that_strides_keep_are_blurred(places, kernel, strides, padding):
    conv = layers.Conv2D(2, kernel, strides, padding=padding, name="conv")
    norm, relu = layers.BatchNormalization(name="norm"), layers.ReLU(name="relu")
    parts = [keras.Input((*places, 3)), conv, norm, relu]
    model = models.moved(keras.Sequential(parts))
    new, changed = surgery.blur_pool(model)
    assert [change.path for change in changed.changes] == ["conv_blur"]
    assert new.output_shape == model.output_shape
    x = image(2, *places, 3)
    w, bias = (numpy(weight) for weight in conv.weights)
    gamma, beta, mean, variance = (numpy(weight) for weight in norm.weights)
    full = convolved(x, w, padding) + bias
    full = (full - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    full = np.maximum(full, 0.0)
    plain = numpy(model(x))
    rows, columns = plain.shape[1:3]
    (first,) = [
        (i, j)
        for i in range(strides)
        for j in range(strides)
        if full[:, i::strides, j::strides].shape == plain.shape
        and np.allclose(full[:, i::strides, j::strides], plain, atol=1e-5)
    ]
    wanted = blurred(full[:, first[0] :, first[1] :])
    wanted = wanted[:, ::strides, ::strides][:, :rows, :columns]
    np.testing.assert_allclose(numpy(new(x)), wanted, atol=1e-5)


def test_a_maximum_is_blurred_right_behind():
    parts = [keras.Input((8, 8, 2)), layers.MaxPooling2D(2, name="most"), layers.ReLU()]
    new, changed = surgery.blur_pool(keras.Sequential(parts), size=5)
    assert [layer.name for layer in new.layers[:2]] == ["most", "most_blur"]
    assert str(changed).endswith("BlurPool for strides of 2 at most")
    x = image(2, 8, 8, 2)
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), (1, 2))
    wanted = blurred(windows.max((-2, -1)), 5)[:, ::2, ::2]
    np.testing.assert_allclose(numpy(new(x)), np.maximum(wanted, 0.0), atol=1e-5)


def test_a_convolution_of_one_place_is_blurred_in_front_if_it_is_selected():
    short = layers.Conv2D(4, 1, 2, name="short")
    model = keras.Sequential([keras.Input((8, 8, 2)), short, layers.ReLU()])
    with pytest.raises(ValueError, match="short: sees one place; select it"):
        surgery.blur_pool(model)
    new, _ = surgery.blur_pool(model, where="short")
    assert [layer.name for layer in new.layers[1:3]] == ["short_blur", "short"]
    x = image(2, 8, 8, 2)
    w, bias = (numpy(weight) for weight in short.weights)
    wanted = np.maximum(blurred(x)[:, ::2, ::2] @ w[0, 0] + bias, 0.0)
    np.testing.assert_allclose(numpy(new(x)), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("behind", "where"),
    [
        ([layers.ReLU], 2),
        ([layers.BatchNormalization, layers.ReLU], 3),
        ([layers.BatchNormalization, layers.PReLU], 1),  # it has weights for places
        ([lambda: layers.PReLU(shared_axes=[1, 2])], 2),
        ([lambda: layers.Dropout(0.5), layers.ReLU], 1),
        ([layers.Flatten], 1),
        ([], 1),
    ],
)
def test_the_blur_lies_behind_the_activation_that_follows(behind, where):
    conv = layers.DepthwiseConv2D(3, 2, use_bias=False, name="conv")
    made = [make() for make in behind]
    model = keras.Sequential([keras.Input((9, 9, 3)), conv, *made])
    new, _ = surgery.blur_pool(model)
    kinds = [type(layer).__name__ for layer in new.layers if "Input" not in layer.name]
    kinds = [kind for kind in kinds if kind != "InputLayer"]
    assert kinds.index("BlurPool") == where
    assert new.output_shape == model.output_shape


def test_an_activation_that_others_take_the_place_of_stays_behind_the_blur():
    """What also takes the features before the activation has to see them smaller."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, 2, padding="same", name="conv")(inputs)
    outputs = layers.Add()([x, layers.ReLU(name="relu")(x)])
    new, _ = surgery.blur_pool(keras.Model(inputs, outputs))
    names = [layer.name for layer in new.layers]
    assert names.index("conv_blur") < names.index("relu")


def test_sizes_may_be_unknown():
    inputs = keras.Input((None, None, 3))
    conv = layers.Conv2D(4, 3, 2, padding="same", activation="relu", name="conv")
    model = keras.Model(inputs, conv(inputs))
    new, _ = surgery.blur_pool(model)
    x = image(2, 9, 7, 3)
    w, bias = (numpy(weight) for weight in conv.weights)
    wanted = blurred(np.maximum(convolved(x, w) + bias, 0.0))[:, ::2, ::2]
    np.testing.assert_allclose(numpy(new(x)), wanted, atol=1e-5)


def test_what_is_left_as_it_is_is_said():
    inputs, twice = keras.Input((16, 16, 3)), layers.Conv2D(3, 3, 2, padding="same")
    twice.name = "twice"
    x = layers.Conv2D(3, 3, (2, 1), padding="same", name="uneven")(twice(inputs))
    x = layers.MaxPooling2D(1, 2, name="skips")(twice(x))
    x = layers.Conv2D(3, 2, 2, padding="same", name="usual")(x)
    _, changed = surgery.blur_pool(keras.Model(inputs, x))
    assert [change.place for change in changed.changes] == ["usual"]
    assert dict(changed.skipped) == {
        "twice": "is called more than once",
        "uneven": "has other strides along rows than along columns, (2, 1)",
        "skips": "is no maximum, as it sees one place",
    }


def test_the_filter_has_bounds_and_a_slice_of_the_depth_is_refused():
    with pytest.raises(ValueError, match=r"blur_pool\(size=...\).*within \[2, 7\]"):
        surgery.blur_pool(models.network(), size=1)
    with pytest.raises(ValueError, match=r"blur_pool\(where=...\).*no slice"):
        surgery.blur_pool(models.network(), where=slice(0, 0.5))


def shift_change(model, images):
    """How much a shift by one place changes what an image's pooled features are."""
    kept, moved = numpy(model(images[:, :-1, :-1])), numpy(model(images[:, 1:, 1:]))
    return np.linalg.norm(kept - moved, axis=-1) / np.linalg.norm(kept, axis=-1)


def test_a_shift_changes_less_behind_blur():
    keras.utils.set_random_seed(0)
    parts = [keras.Input((32, 32, 3))]
    for filters in (8, 16, 16):
        parts.append(layers.Conv2D(filters, 3, 2, padding="same", activation="relu"))
    model = keras.Sequential([*parts, layers.GlobalAveragePooling2D()])
    new, _ = surgery.blur_pool(model)
    images = np.random.default_rng(0).normal(size=(16, 33, 33, 3)).astype("float32")
    images = scipy.ndimage.gaussian_filter(images, (0, 1, 1, 0))
    before, after = shift_change(model, images), shift_change(new, images)
    assert after.mean() < 0.6 * before.mean()
