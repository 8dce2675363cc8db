"""A convolution of several kernels, and pooling by attention, in NumPy."""

import keras
import numpy as np
import pytest

from perfkit import layers
from tests.layer_conformance.common import numpy, set_weights

pytestmark = pytest.mark.usefixtures("seeded")


def image(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def exact(variable):
    return numpy(variable).astype("float64")


def relu(x):
    return np.maximum(x, 0.0)


def batch_norm(x, layer):
    deviation = np.sqrt(exact(layer.moving_variance) + 1e-5)
    scaled = (x - exact(layer.moving_mean)) / deviation
    return scaled * exact(layer.gamma) + exact(layer.beta)


def convolved(x, kernel, dilation, groups):
    """Correlation with zeros around, place by place, of each group by itself."""
    size = kernel.shape[0]
    reach = dilation * (size // 2)
    padded = np.pad(x, ((reach, reach), (reach, reach), (0, 0)))
    out = np.zeros((*x.shape[:2], kernel.shape[-1]))
    parts = np.split(np.arange(x.shape[-1]), groups)
    filters = np.split(np.arange(kernel.shape[-1]), groups)
    for i, j in np.ndindex(x.shape[:2]):
        for k, n in np.ndindex(size, size):
            seen = padded[i + dilation * k, j + dilation * n]
            for part, mine in zip(parts, filters, strict=True):
                out[i, j, mine] += seen[part] @ kernel[k, n][:, mine]
    return out


def selected(layer, x, dilations, groups):
    branches = [
        relu(
            batch_norm(convolved(x, exact(branch.kernel), dilation, groups), normalize)
        )
        for branch, normalize, dilation in zip(
            layer.branches, layer.normalizations, dilations, strict=True
        )
    ]
    means = sum(branches).mean((0, 1))
    units = relu(batch_norm(means @ exact(layer.reduce.kernel), layer.normalize))
    scores = np.split(units @ exact(layer.select.kernel), len(branches))
    powers = np.exp(scores)
    weights = powers / powers.sum(0)
    return sum(b * weight for b, weight in zip(branches, weights, strict=True))


@pytest.mark.parametrize(
    ("arguments", "dilations"),
    [
        ({}, (1, 2)),
        ({"kernel_size": (3, 5, 7)}, (1, 2, 3)),
        ({"dilated": False}, (1, 1)),
        ({"groups": 2}, (1, 2)),
    ],
)
def test_selective_kernels_are_the_formulas_of_the_paper(arguments, dilations):
    x = image(2, 6, 7, 4)
    layer = layers.SelectiveKernel(6, least_units=3, **arguments)
    layer(x)
    set_weights(layer)
    groups = arguments.get("groups", 1)
    rows = [selected(layer, row, dilations, groups) for row in x.astype("float64")]
    np.testing.assert_allclose(numpy(layer(x)), rows, rtol=1e-5, atol=1e-5)


def test_strides_leave_out_places_of_kernels_that_are_not_dilated():
    layer = layers.SelectiveKernel(6, dilated=False, strides=2)
    assert tuple(layer(image(2, 6, 7, 4)).shape) == (2, 3, 4, 6)
    assert layer.compute_output_shape((None, 6, 7, 4)) == (None, 3, 4, 6)
    with pytest.raises(ValueError, match="1 where kernels are dilated"):
        layers.SelectiveKernel(6, strides=2)


@pytest.mark.parametrize("size", [(3,), (3, 4), 3, (3, 3)])
def test_kernels_are_different_and_odd(size):
    with pytest.raises(ValueError, match=r"`SelectiveKernel\(kernel_size=...\)`"):
        layers.SelectiveKernel(6, size)


def attended(layer, places, seen):
    """CLIP's pooling of one sample, float64, head by head."""
    positions = exact(layer.positions)
    places = places.reshape(-1, places.shape[-1])
    tokens = np.concatenate([places[seen].mean(0, keepdims=True), places]) + positions
    query, key, value = (
        tokens @ exact(dense.kernel) + (exact(dense.bias) if dense.use_bias else 0.0)
        for dense in (layer.query, layer.key, layer.value)
    )
    counts = np.concatenate([[True], seen])
    parts = []
    for head in np.split(np.arange(tokens.shape[-1]), layer.heads):
        scores = key[:, head] @ query[0, head] / np.sqrt(len(head))
        powers = np.exp(scores) * counts
        parts.append(powers @ value[:, head] / powers.sum())
    project = layer.project
    return np.concatenate(parts) @ exact(project.kernel) + exact(project.bias)


@pytest.mark.parametrize("units", [None, 3])
def test_attention_pooling_is_that_of_clip(units):
    x = image(2, 3, 4, 6)
    layer = layers.AttentionPool2D(2, units=units)
    layer(x)
    set_weights(layer)
    every = np.ones(12, bool)
    rows = [attended(layer, row, every) for row in x.astype("float64")]
    np.testing.assert_allclose(numpy(layer(x)), rows, rtol=1e-5, atol=1e-5)


def test_attention_pooling_leaves_out_what_is_hidden():
    x = image(2, 3, 4, 6)
    seen = np.random.default_rng(1).uniform(size=(2, 3, 4)) < 0.5
    layer = layers.AttentionPool2D(2)
    layer(x)
    set_weights(layer)
    x[~seen] = 0.0  # as the family hands them on; they have positions all the same
    rows = [
        attended(layer, row, mark.ravel())
        for row, mark in zip(x.astype("float64"), seen, strict=True)
    ]
    outputs = numpy(layer(x, mask=seen))
    np.testing.assert_allclose(outputs, rows, rtol=1e-5, atol=1e-5)
    x[~seen] = 50.0
    np.testing.assert_allclose(numpy(layer(x, mask=seen)), outputs, rtol=1e-6)


def test_attention_pooling_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"`AttentionPool2D\(heads=...\)` must be a"):
        layers.AttentionPool2D(4)(image(2, 3, 4, 6))
    with pytest.raises(ValueError, match="of known height and width"):
        layers.AttentionPool2D(2)(keras.Input((None, 4, 6)))
    layer = layers.AttentionPool2D(2)
    layer(image(2, 3, 4, 6))
    with pytest.raises(ValueError, match="incompatible"):
        layer(image(2, 4, 4, 6))
