"""Which axes of a kernel number its output units."""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit.graph import kernels as graph
from perfkit.graph.trails import children
from perfkit.ops import kernels

LAYERS = {
    "dense": (lambda: layers.Dense(5), (4,)),
    "einsum": (lambda: layers.EinsumDense("ab,bcd->adc", (5, 2)), (4,)),
    "conv1d": (lambda: layers.Conv1D(5, 3), (6, 4)),
    "conv2d": (lambda: layers.Conv2D(5, 3), (6, 6, 4)),
    "conv3d": (lambda: layers.Conv3D(5, 2), (4, 4, 4, 3)),
    "depthwise1d": (lambda: layers.DepthwiseConv1D(3, depth_multiplier=2), (6, 4)),
    "depthwise": (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 6, 4)),
    "transposed1d": (lambda: layers.Conv1DTranspose(5, 3), (6, 4)),
    "transposed": (lambda: layers.Conv2DTranspose(5, 3), (6, 6, 4)),
    "transposed3d": (lambda: layers.Conv3DTranspose(5, 2), (3, 3, 3, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_unit_is_what_makes_one_output_channel(name):
    """Emptying one unit empties one output channel and leaves the others."""
    make, shape = LAYERS[name]
    layer = make()
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    before = keras.ops.convert_to_numpy(layer(x))
    units = graph.units(layer, "kernel")
    assert kernels.units_of_path(layer.kernel.path, len(shape)) == units or (
        name == "einsum"
    )
    kernel = keras.ops.convert_to_numpy(layer.kernel).copy()
    axes = sorted(axis % kernel.ndim for axis in units)
    index = [slice(None)] * kernel.ndim
    for axis in axes:
        index[axis] = 1
    kernel[tuple(index)] = 0.0
    layer.kernel.assign(kernel)
    after = keras.ops.convert_to_numpy(layer(x))
    channels = 2 if name == "einsum" else 1
    changed = (before != after).any(axis=tuple(range(before.ndim - channels)))
    assert changed.sum() == 1
    assert (after[..., changed] == 0).all()
    count = np.prod([kernel.shape[axis] for axis in axes])
    assert count == changed.size
    matrix = kernels.matrix(kernel, units)
    assert tuple(matrix.shape) == (kernel.size // count, count)
    assert kernels.unit_size(kernel, units) == kernel.size // count


@pytest.mark.parametrize(
    ("path", "rank", "units"),
    [
        ("model/dense/kernel", 2, (-1,)),
        ("model/lstm/lstm_cell/recurrent_kernel", 2, (-1,)),
        ("net/depthwise_conv2d_3/kernel", 4, (-2, -1)),
        ("net/separable_conv2d/depthwise_kernel", 4, (-2, -1)),
        ("net/separable_conv2d/pointwise_kernel", 4, (-1,)),
        ("conv2d_transpose_1/kernel", 4, (-2,)),
        ("conv2d_transpose_1/bias", 1, (-1,)),
        ("depthwise_conv2d/bias", 1, (-1,)),
        ("embedding/embeddings", 2, (0,)),
        ("multi_head_attention/query/kernel", 3, (-2, -1)),
        ("multi_head_attention/attention_output/kernel", 3, (-1,)),
        ("kernel", 2, (-1,)),
    ],
)
def test_units_are_guessed_from_the_names_of_keras(path, rank, units):
    assert kernels.units_of_path(path, rank) == units


def test_paths_of_attention_are_those_that_are_guessed():
    layer = layers.MultiHeadAttention(2, 3)
    layer.build((None, 4, 5), (None, 4, 5))
    for inner in children(layer):
        for weight in graph.own_kernels(inner):
            guessed = kernels.units_of_path(weight.path, len(weight.shape))
            assert guessed == graph.units(inner, weight.name)


def test_units_are_those_of_grouped_and_plain_sums():
    assert kernels.units_of_einsum("abc,cd->abd") == (-1,)
    assert kernels.units_of_einsum("abc, cde -> abde") == (-2, -1)
    assert kernels.units_of_einsum("...gi,gio->...go") == (-3, -1)


def test_an_axis_that_a_kernel_has_not_is_told():
    with pytest.raises(ValueError, match="no axis"):
        kernels.norms(np.ones((2, 2)), (2,))
