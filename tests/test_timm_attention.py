"""Layers that weigh channels and places against timm with the same weights.

Needs the extra `timm`: pip install 'perfkit[timm]'
"""

import numpy as np
import pytest

from perfkit import layers
from tests import torch_peers
from tests.layer_conformance.common import numpy, set_weights

timm = torch_peers.imported("timm.layers")
cbam_of_timm = torch_peers.imported("timm.layers.cbam")
coordinates_of_timm = torch_peers.imported("timm.layers.coord_attn")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("seeded")

CHANNELS = 16
IMAGE = np.random.default_rng(0).normal(size=(2, 6, 7, CHANNELS)).astype("float32")


def copied(ours, theirs):
    """Give a module of torch the weights of a Keras layer."""
    arrays = {key: numpy(value) for key, value in _arrays(ours)}
    with torch.no_grad():
        for key, parameter in [*theirs.named_parameters(), *theirs.named_buffers()]:
            if key in arrays:
                array = arrays.pop(key)
                assert array.size == parameter.numel()
                value = torch_peers.to_torch(array).reshape(parameter.shape)
                parameter.copy_(value)
            elif not key.endswith("num_batches_tracked"):
                assert key.endswith("bias")  # which ours is without
                parameter.zero_()
    assert not arrays


def _arrays(pairs):
    """Weights of ours by the names of theirs."""
    for inner, name in pairs:
        if hasattr(inner, "moving_mean"):
            yield f"{name}.running_mean", inner.moving_mean
            yield f"{name}.running_var", inner.moving_variance
        if hasattr(inner, "gamma"):
            yield f"{name}.weight", inner.gamma
            yield f"{name}.bias", inner.beta
        else:
            kernel = numpy(inner.kernel)
            yield f"{name}.weight", np.moveaxis(kernel, (-1, -2), (0, 1))
            if inner.use_bias:
                yield f"{name}.bias", inner.bias


def squeeze_excite():
    ours, theirs = layers.SqueezeExcite(4), timm.SEModule(CHANNELS, rd_channels=4)
    return ours, theirs, {"reduce": "fc1", "expand": "fc2"}


def squeeze_excite_of_mobilenet():
    ours = layers.SqueezeExcite(4, gate="hard_sigmoid")
    theirs = timm.SEModule(CHANNELS, rd_channels=4, gate_layer="hard_sigmoid")
    return ours, theirs, {"reduce": "fc1", "expand": "fc2"}


def efficient_channel_attention():
    ours, theirs = layers.EfficientChannelAttention(), timm.EcaModule(CHANNELS)
    return ours, theirs, {"mix": "conv"}


def cbam():
    names = {"reduce": "channel.fc1", "expand": "channel.fc2"}
    names |= {"look": "spatial.conv.conv", "normalize": "spatial.conv.bn"}
    return layers.CBAM(4), cbam_of_timm.CbamModule(CHANNELS, rd_channels=4), names


def coordinate_attention():
    names = {"reduce": "conv1", "normalize": "bn1", "rows": "conv_h"}
    names["columns"] = "conv_w"
    theirs = coordinates_of_timm.CoordAttn(CHANNELS, rd_channels=8)
    return layers.CoordinateAttention(), theirs, names


def global_context(fusion="add"):
    theirs = timm.GlobalContext(
        CHANNELS, rd_channels=4, fuse_add=fusion == "add", fuse_scale=fusion == "scale"
    )
    mlp = f"mlp_{fusion}"
    getattr(theirs, mlp).norm.eps = 1e-5
    names = {"scores": "conv_attn", "reduce": f"{mlp}.fc1", "normalize": f"{mlp}.norm"}
    names["expand"] = f"{mlp}.fc2"
    return layers.GlobalContext(4, fusion=fusion), theirs, names


def global_context_that_scales():
    return global_context("scale")


def non_local():
    theirs = timm.NonLocalAttn(CHANNELS, rd_channels=8)
    theirs.scale = 8**-0.5  # of the channels that are compared, as in the paper's code
    names = {"query": "t", "key": "p", "value": "g", "expand": "z"}
    return layers.NonLocal2D(), theirs, {**names, "normalize": "norm"}


KINDS = [
    squeeze_excite,
    squeeze_excite_of_mobilenet,
    efficient_channel_attention,
    cbam,
    coordinate_attention,
    global_context,
    global_context_that_scales,
    non_local,
]


def assert_same(ours, theirs, image=IMAGE):
    with torch.no_grad():
        wanted = theirs.eval()(torch_peers.channels_first(image))
    if wanted.ndim == 4:
        wanted = torch_peers.channels_last(wanted)
    np.testing.assert_allclose(
        numpy(ours(image)), np.asarray(wanted), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("make", KINDS)
def test_a_layer_is_that_of_timm(make):
    ours, theirs, names = make()
    ours(IMAGE)
    set_weights(ours)
    copied([(getattr(ours, inner), name) for inner, name in names.items()], theirs)
    assert_same(ours, theirs)


@pytest.mark.parametrize(("dilated", "groups"), [(True, 1), (False, 1), (True, 2)])
def test_selective_kernels_are_those_of_timm(dilated, groups):
    ours = layers.SelectiveKernel(8, dilated=dilated, groups=groups, least_units=4)
    ours(IMAGE)
    set_weights(ours)
    theirs = timm.SelectiveKernel(
        CHANNELS,
        8,
        groups=groups,
        rd_channels=4,
        keep_3x3=dilated,
        split_input=False,
    )
    pairs = [(ours.reduce, "attn.fc_reduce"), (ours.normalize, "attn.bn")]
    pairs.append((ours.select, "attn.fc_select"))
    for k in range(2):
        pairs.append((ours.branches[k], f"paths.{k}.conv"))
        pairs.append((ours.normalizations[k], f"paths.{k}.bn"))
    copied(pairs, theirs)
    assert_same(ours, theirs)


def test_attention_pooling_is_that_of_timm():
    ours = layers.AttentionPool2D(4, units=5)
    ours(IMAGE)
    set_weights(ours)
    theirs = timm.AttentionPool2d(
        CHANNELS, (6, 7), out_features=5, num_heads=4, qkv_separate=True
    )
    with torch.no_grad():
        theirs.pos_embed.copy_(torch_peers.to_torch(numpy(ours.positions)))
    kept = theirs.pos_embed
    del theirs.pos_embed
    copied(
        [(ours.query, "q"), (ours.key, "k"), (ours.value, "v"), (ours.project, "proj")],
        theirs,
    )
    theirs.pos_embed = kept
    assert_same(ours, theirs)
    with torch.no_grad():
        theirs.k.bias.fill_(7.0)  # the softmax takes it out: ours has none
    assert_same(ours, theirs)
