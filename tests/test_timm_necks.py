"""Pyramids and heads against torchvision with the same weights.

Needs the extra `timm`: pip install 'perfkit[timm]'
"""

import functools

import numpy as np
import pytest

from perfkit import layers
from tests import torch_peers
from tests.layer_conformance.common import numpy, set_weights

pyramid_of_torchvision = torch_peers.imported("torchvision.ops.feature_pyramid_network")
retinanet = torch_peers.imported("torchvision.models.detection.retinanet")
torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
# Rows and columns are odd: Keras and torch pad even ones otherwise before a stride.
MAPS = [
    RNG.normal(size=(2, rows, columns, channels)).astype("float32")
    for rows, columns, channels in ((17, 33, 3), (9, 17, 5), (5, 9, 4))
]


def put(module, convolution):
    with torch.no_grad():
        kernel = np.moveaxis(numpy(convolution.kernel), (-1, -2), (0, 1))
        module.weight.copy_(torch_peers.to_torch(kernel))
        module.bias.copy_(torch_peers.to_torch(numpy(convolution.bias)))


def assert_close(ours, theirs):
    np.testing.assert_allclose(numpy(ours), theirs, rtol=1e-5, atol=1e-5)


def test_feature_pyramid():
    ours = layers.FPN(6, extra_levels=2)
    ours(MAPS)
    set_weights(ours)
    theirs = pyramid_of_torchvision.FeaturePyramidNetwork(
        [3, 5, 4], 6, pyramid_of_torchvision.LastLevelP6P7(6, 6)
    )
    pairs = [*zip(theirs.inner_blocks, ours.lateral, strict=True)]
    pairs += [*zip(theirs.layer_blocks, ours.smooth, strict=True)]
    for block, convolution in pairs:
        put(block[0], convolution.convolve)
    put(theirs.extra_blocks.p6, ours.extra[0].convolve)
    put(theirs.extra_blocks.p7, ours.extra[1].convolve)
    maps = {str(k): torch_peers.channels_first(x) for k, x in enumerate(MAPS)}
    with torch.no_grad():
        wanted = theirs.eval()(maps)
    for one, other in zip(ours(MAPS), wanted.values(), strict=True):
        assert_close(one, torch_peers.channels_last(other))


def heads():
    ours = layers.RetinaNetHead(3, depth=2, ratios=(0.5, 1.0), scales=(4.0, 5.0, 6.0))
    maps = [x[..., :1].repeat(16, axis=-1) * RNG.normal(size=16) for x in MAPS]
    maps = [x.astype("float32") for x in maps]
    ours(maps)
    set_weights(ours)
    norm = functools.partial(torch.nn.GroupNorm, 2)
    theirs = retinanet.RetinaNetHead(16, 6, 3, norm_layer=norm)
    pairs = [
        (theirs.classification_head, ours.towers[0], "cls_logits", ours.classify),
        (theirs.regression_head, ours.towers[1], "bbox_reg", ours.locate),
    ]
    for head, tower, name, last in pairs:
        head.conv = head.conv[:2]
        for block, step in zip(head.conv, tower.steps, strict=True):
            with torch.no_grad():
                kernel = np.moveaxis(numpy(step.convolve.kernel), (-1, -2), (0, 1))
                block[0].weight.copy_(torch_peers.to_torch(kernel))
                block[1].weight.copy_(torch_peers.to_torch(numpy(step.normalize.gamma)))
                block[1].bias.copy_(torch_peers.to_torch(numpy(step.normalize.beta)))
        put(getattr(head, name), last.convolve)
    return ours, theirs.eval(), maps


def test_predictions_of_anchors():
    ours, theirs, maps = heads()
    with torch.no_grad():
        wanted = theirs([torch_peers.channels_first(x) for x in maps])
    made = ours(maps)
    assert_close(made["classes"], wanted["cls_logits"].numpy())
    assert_close(made["boxes"], wanted["bbox_regression"].numpy())


@pytest.mark.parametrize("seed", range(3))
def test_costs_of_anchors(seed):
    rng = np.random.default_rng(seed)
    head = layers.RetinaNetHead(3, box_loss="giou")
    size, strides = (40, 48), [8, 16]
    anchors = head._anchors(size, strides)
    # Near anchors, since of anchors that are as good torchvision forces all.
    boxes = anchors[rng.choice(len(anchors), 4, replace=False)][None]
    boxes = boxes + rng.uniform(-1, 1, (1, 4, 4)).astype("float32")
    labels = np.array([[0, 2, 1, -1]], "int32")
    predictions = {
        "classes": rng.normal(size=(1, len(anchors), 3)).astype("float32"),
        "boxes": rng.normal(0, 0.3, (1, len(anchors), 4)).astype("float32"),
    }
    made = head.costs(predictions, boxes, labels, size, strides)

    utils = torch_peers.imported("torchvision.models.detection._utils")
    box_iou = torch_peers.imported("torchvision.ops.boxes").box_iou
    there = {
        "boxes": torch.tensor(boxes[0, :3]),
        "labels": torch.tensor(labels[0, :3], dtype=torch.int64),
    }
    matcher = utils.Matcher(0.5, 0.4, allow_low_quality_matches=True)
    matched = matcher(box_iou(there["boxes"], torch.tensor(anchors)))
    theirs = retinanet.RetinaNetHead(8, 9, 3)
    theirs.regression_head._loss_type = "giou"
    wanted = theirs.compute_loss(
        [there],
        {
            "cls_logits": torch.tensor(predictions["classes"]),
            "bbox_regression": torch.tensor(predictions["boxes"]),
        },
        [torch.tensor(anchors)],
        [matched],
    )
    assert_close(made["class_loss"], wanted["classification"].numpy())
    assert_close(made["box_loss"], wanted["bbox_regression"].numpy())
