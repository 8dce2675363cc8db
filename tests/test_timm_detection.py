"""Overlaps and losses of detectors against torchvision."""

import keras
import numpy as np
import pytest

from perfkit._backend import differentiated
from perfkit.losses import CIoU, FocalCrossentropy, GIoU
from perfkit.ops.detection import anchors, coding, focal, overlaps
from tests import torch_peers

torch = pytest.importorskip("torch")
vision = torch_peers.imported("torchvision")

DRAW = np.random.default_rng(0)


def boxes_of(count):
    low = DRAW.uniform(0, 50, (count, 2))
    high = low + DRAW.uniform(1, 40, (count, 2))
    return np.concatenate([low, high], axis=-1).astype("float32")


TRUE, PREDICTED = boxes_of(40), boxes_of(40)
PREDICTED[:10] = TRUE[:10] + DRAW.normal(0.0, 1.0, (10, 4))
LOGITS = (4.0 * DRAW.normal(size=(40, 5))).astype("float32")
SHARES = DRAW.integers(0, 2, (40, 5)).astype("float32")


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def slope_of(function, predicted):
    """The gradient of a sum by what is predicted, here."""
    slope = differentiated(lambda x: keras.ops.sum(function(x[0])))
    return numpy(slope([keras.ops.convert_to_tensor(predicted)])[0])


def theirs(function, predicted):
    """Values, and the gradient of their sum, of torch."""
    x = torch.tensor(predicted, requires_grad=True)
    values = function(x)
    values.sum().backward()
    return values.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize(
    ("loss", "name"),
    [(GIoU, "generalized_box_iou_loss"), (CIoU, "complete_box_iou_loss")],
)
def test_losses_of_boxes_and_their_slopes_are_those_of_torchvision(loss, name):
    function = getattr(vision.ops, name)
    ours = loss(reduction=None)
    values, slope = theirs(lambda x: function(x, torch.tensor(TRUE)), PREDICTED)
    np.testing.assert_allclose(numpy(ours(TRUE, PREDICTED)), values, atol=1e-5)
    found = slope_of(lambda x: ours(TRUE, x), PREDICTED)
    np.testing.assert_allclose(found, slope, atol=1e-5)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (None, 1.5), (0.6, 0.0)])
def test_the_focal_loss_and_its_slope_are_those_of_torchvision(alpha, gamma):
    weight = -1 if alpha is None else alpha

    def function(x):
        return vision.ops.sigmoid_focal_loss(x, torch.tensor(SHARES), weight, gamma)

    values, slope = theirs(function, LOGITS)
    found = numpy(focal.focal(SHARES, LOGITS, alpha, gamma))
    np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-6)
    found = slope_of(lambda x: focal.focal(SHARES, x, alpha, gamma), LOGITS)
    np.testing.assert_allclose(found, slope, atol=1e-5)
    loss = FocalCrossentropy(alpha, gamma, from_logits=True, reduction="sum")
    assert float(loss(SHARES, LOGITS)) == pytest.approx(values.sum(), rel=1e-5)


def test_overlaps_of_all_with_all_are_those_of_torchvision():
    expected = vision.ops.box_iou(torch.tensor(TRUE), torch.tensor(PREDICTED))
    found = numpy(overlaps.iou(TRUE[None], PREDICTED[None]))[0]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_shifts_of_anchors_are_those_of_torchvision():
    coder = vision.models.detection._utils.BoxCoder((1.0, 1.0, 1.0, 1.0))
    encoded = coder.encode_single(torch.tensor(TRUE), torch.tensor(PREDICTED))
    found = numpy(coding.encode(TRUE, PREDICTED))
    np.testing.assert_allclose(found, encoded.numpy(), atol=1e-5)
    deltas = (3.0 * DRAW.normal(size=(40, 4))).astype("float32")
    decoded = coder.decode_single(torch.tensor(deltas), torch.tensor(TRUE))
    found = numpy(coding.decode(deltas, TRUE))
    np.testing.assert_allclose(found, decoded.numpy(), rtol=1e-4, atol=1e-3)


def test_sides_of_anchors_are_those_of_torchvision():
    scales = (4.0, 4.0 * 2 ** (1 / 3), 4.0 * 2 ** (2 / 3))
    found = anchors.anchors(8, 8, (8,), scales, (0.5, 1.0, 2.0))
    made = vision.models.detection.anchor_utils.AnchorGenerator()
    expected = made.generate_anchors([8 * s for s in scales], [0.5, 1.0, 2.0])
    # They round to whole pixels.
    np.testing.assert_allclose(found - 4.0, expected.numpy(), atol=0.5)
