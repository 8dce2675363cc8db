"""Layers against timm and torchvision with the same weights.

Needs the extra `timm`: pip install 'perfkit[timm]'
"""

import numpy as np
import pytest

from perfkit import layers
from tests import torch_peers
from tests.layer_conformance.common import numpy, set_weights

timm = torch_peers.imported("timm.layers")
grn_of_timm = torch_peers.imported("timm.layers.grn")
frn_of_timm = torch_peers.imported("timm.layers.filter_response_norm")
deeplab = torch_peers.imported("torchvision.models.segmentation.deeplabv3")
torch = pytest.importorskip("torch")

IMAGE = np.random.default_rng(0).normal(size=(2, 8, 6, 6)).astype("float32")
STEPS = np.random.default_rng(1).normal(size=(2, 5, 4)).astype("float32")


def built(layer, x):
    layer(x)
    set_weights(layer)
    return layer


def put(parameter, weight):
    array = numpy(weight)
    if array.ndim == 4:  # a kernel of a convolution
        array = np.moveaxis(array, (-1, -2), (0, 1))
    elif array.ndim == 2:
        array = array.T
    with torch.no_grad():
        parameter.copy_(torch_peers.to_torch(array).reshape(parameter.shape))


def of_torch(module, x):
    with torch.no_grad():
        return module.eval()(x)


def assert_close(ours, theirs):
    np.testing.assert_allclose(numpy(ours), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [3, 5])
def test_blur_pool(size):
    theirs = of_torch(timm.BlurPool2d(6, size), torch_peers.channels_first(IMAGE))
    assert_close(layers.BlurPool(size)(IMAGE), torch_peers.channels_last(theirs))


def test_global_response_normalization():
    ours = built(layers.GlobalResponseNormalization(), IMAGE)
    theirs = grn_of_timm.GlobalResponseNorm(6, channels_last=True)
    put(theirs.weight, ours.gamma)
    put(theirs.bias, ours.beta)
    assert_close(ours(IMAGE), of_torch(theirs, torch_peers.to_torch(IMAGE)))


def test_filter_response_normalization_and_its_unit():
    normalization = built(layers.FilterResponseNormalization(epsilon=1e-5), IMAGE)
    unit = built(layers.ThresholdedLinearUnit(), IMAGE)
    theirs = frn_of_timm.FilterResponseNormTlu2d(6)
    put(theirs.weight, normalization.gamma)
    put(theirs.bias, normalization.beta)
    put(theirs.tau, unit.threshold)
    wanted = of_torch(theirs, torch_peers.channels_first(IMAGE))
    assert_close(unit(normalization(IMAGE)), torch_peers.channels_last(wanted))


@pytest.mark.parametrize(
    ("kind", "activation"),
    [(layers.SwiGLU, torch.nn.SiLU), (layers.GEGLU, torch.nn.GELU)],
)
def test_gated_dense_layers(kind, activation):
    ours = built(kind(7), STEPS)
    theirs = timm.GluMlp(4, 14, act_layer=activation, gate_last=False)
    for inner, other in ((ours.expand, theirs.fc1), (ours.reduce, theirs.fc2)):
        put(other.weight, inner.kernel)
        put(other.bias, inner.bias)
    assert_close(ours(STEPS), of_torch(theirs, torch_peers.to_torch(STEPS)))


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotary_embedding(interleaved):
    speeds = 10000.0 ** (-torch.arange(0, 4, 2) / 4.0)
    angles = torch.arange(5.0)[:, None] * speeds
    if interleaved:
        angles = angles.repeat_interleave(2, -1)
    else:
        angles = torch.cat([angles, angles], -1)
    wanted = timm.apply_rot_embed(
        torch_peers.to_torch(STEPS), angles.sin(), angles.cos(), half=not interleaved
    )
    assert_close(layers.RotaryEmbedding(interleaved=interleaved)(STEPS), wanted)


def test_aspp():
    ours = built(layers.ASPP(16, (1, 2)), IMAGE)
    theirs = deeplab.ASPP(6, [1, 2], 16)
    pairs = [
        (ours.near, theirs.convs[0]),
        *zip(ours.far, theirs.convs[1:], strict=False),
    ]
    pairs += [(ours.whole, list(theirs.convs[-1])[1:]), (ours.project, theirs.project)]
    for (convolution, normalization), module in pairs:
        put(module[0].weight, convolution.kernel)
        put(module[1].weight, normalization.gamma)
        put(module[1].bias, normalization.beta)
        put(module[1].running_mean, normalization.moving_mean)
        put(module[1].running_var, normalization.moving_variance)
    wanted = of_torch(theirs, torch_peers.channels_first(IMAGE))
    assert_close(ours(IMAGE), torch_peers.channels_last(wanted))


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_spp(pooling):
    pool = {
        "max": torch.nn.functional.adaptive_max_pool2d,
        "average": torch.nn.functional.adaptive_avg_pool2d,
    }[pooling]
    x = torch_peers.channels_first(IMAGE)
    grids = [torch_peers.channels_last(pool(x, bins)) for bins in (1, 2, 4)]
    wanted = np.concatenate([grid.reshape(2, -1) for grid in grids], axis=-1)
    assert_close(layers.SPP(pooling=pooling)(IMAGE), wanted)
