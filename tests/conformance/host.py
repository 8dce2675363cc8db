"""The host engine: NumPy and OpenCV make of the same draws what the device makes."""

import keras
import numpy as np
from scipy import ndimage

from tests.conformance.common import applies_to, draws, of_the_base, to_numpy

_EDGE = 3  # pixels at the borders, where OpenCV rounds places to 1/32 pixel


def _photographs():
    noise = np.random.default_rng(7).normal(size=(6, 40, 48, 3))
    smooth = ndimage.gaussian_filter(noise, (0, 3, 3, 0))
    return (128 + 110 * smooth / np.abs(smooth).max()).astype("uint8")


PHOTOGRAPHS = _photographs()


def _inputs():
    corners = np.array([[12.0, 10.0, 30.0, 28.0], [20.0, 4.0, 36.0, 20.0]], "float32")
    masks = np.zeros((*PHOTOGRAPHS.shape[:3], 1), "int32")
    for number, (left, top, right, bottom) in enumerate(corners.astype(int), 1):
        masks[:, top:bottom, left:right] = number
    return {
        "images": PHOTOGRAPHS,
        "segmentation_masks": masks,
        "labels": np.arange(6, dtype="int32") % 3,
        "bounding_boxes": {
            "boxes": np.repeat(corners[None], 6, axis=0),
            "labels": np.ones((6, 2), "int32"),
        },
        "keypoints": np.repeat(corners[None, :, :2], 6, axis=0),
    }


def check_host_equals_device(make):
    layer = make()
    params = layer.sample(6, seed=5)
    device, host = layer.apply(_inputs(), params), layer.on_host(_inputs(), params)
    keras.tree.assert_same_structure(device, host)
    images = to_numpy(device.pop("images"))
    ours = host.pop("images")
    assert isinstance(ours, np.ndarray)
    assert (ours.shape, ours.dtype) == (images.shape, images.dtype)
    level = max(np.ptp(images), 1e-6) / 255
    inner = (slice(None), slice(_EDGE, -_EDGE), slice(_EDGE, -_EDGE))
    difference = np.abs(ours.astype("float32") - images)[inner] / level
    assert difference.mean() < 1.0
    assert np.quantile(difference, 0.999) < 3.0
    ours = host.pop("segmentation_masks")
    masks = to_numpy(device.pop("segmentation_masks"))
    assert (ours.shape, ours.dtype) == (masks.shape, masks.dtype)
    assert np.isclose(ours, masks, atol=0.01).mean() > 0.98
    for our, their in zip(
        keras.tree.flatten(host), keras.tree.flatten(device), strict=True
    ):
        assert np.allclose(our, to_numpy(their), atol=0.01)


@of_the_base
@applies_to(draws)
def check_host_draws_by_number(make):
    """Samples are drawn for one by one, whatever they are batched with."""
    if make().mixes:
        return
    whole = make().on_host(PHOTOGRAPHS)
    layer = make()
    parts = [layer.on_host(PHOTOGRAPHS[k : k + 2]) for k in (0, 2, 4)]
    assert np.array_equal(np.concatenate(parts), whole)
    layer = make()
    alone = [layer.on_host(image) for image in PHOTOGRAPHS]
    assert np.array_equal(np.stack(alone), whole)
    assert not np.array_equal(make(seed=2).on_host(PHOTOGRAPHS), whole)
