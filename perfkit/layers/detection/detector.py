"""A detector of a backbone."""

from perfkit import _check
from perfkit.layers.detection import _levels
from perfkit.layers.detection.bifpn import BiFPN
from perfkit.layers.detection.detection_head import DetectionHead
from perfkit.layers.detection.detector_model import Detector
from perfkit.layers.detection.fcos_head import FCOSHead
from perfkit.layers.detection.fpn import FPN
from perfkit.layers.detection.neck import Neck
from perfkit.layers.detection.pan import PAN
from perfkit.layers.detection.retina_net_head import RetinaNetHead

NECKS = {"bifpn": BiFPN, "fpn": FPN, "pan": PAN}
HEADS = {"fcos": FCOSHead, "retinanet": RetinaNetHead}


def detector(
    backbone,
    classes,
    *,
    neck="fpn",
    head="fcos",
    levels=(8, 16, 32),
    data_format=None,
    **kwargs,
) -> Detector:
    """Put a neck and a head on a backbone, for a model that finds objects.

    The layers of the backbone are shared with it, weights and all; layers behind the
    last level are left out. Images are what the backbone takes.

    Args:
        backbone: A built Functional or Sequential model of images, such as one of
            `keras.applications`; models in it are taken apart.
        classes: How many classes there are. At least 1.
        neck: `"fpn"`, `"pan"` or `"bifpn"`, with their defaults, or a `Neck`.
        head: `"fcos"` or `"retinanet"`, with their defaults, or a `DetectionHead` of
            so many classes.
        levels: Feature maps of the backbone that the neck gets, finest first: strides,
            for the last layer of each, or names or paths of layers. Each stride is
            twice the one before.
        data_format: Where images and maps have their channels, `None` for Keras's own.
        **kwargs: See `Detector` (`bounding_box_format`, `iou`, `score`, `detections`,
            `candidates`, `name`).

    Returns:
        A `Detector` that is not compiled.

    Raises:
        TypeError: If `backbone` is no model, or `neck` or `head` is of another kind.
        ValueError: If an argument is out of bounds, or the backbone has no such maps.

    Example:
        >>> import keras
        >>> backbone = keras.Sequential([keras.Input((64, 64, 3))])
        >>> for filters in (4, 8, 16, 16, 16):
        ...     backbone.add(keras.layers.Conv2D(filters, 3, 2, padding="same"))
        >>> model = detector(backbone, 2, neck=FPN(8), head=FCOSHead(2, depth=1))
        >>> model.strides
        [8, 16, 32]

    Reference: none (standard).
    """
    owner = "detector"
    classes = _check.integer(owner, "classes", classes)
    data_format = _check.data_format(owner, data_format)
    if isinstance(neck, str):
        kind = NECKS[_check.one_of(owner, "neck", neck, NECKS)]
        neck = kind(data_format=data_format)
    _check.instance(owner, "neck", neck, Neck)
    if isinstance(head, str):
        kind = HEADS[_check.one_of(owner, "head", head, HEADS)]
        head = kind(classes, data_format=data_format)
    _check.instance(owner, "head", head, DetectionHead)
    if head.classes != classes:
        _check.fail(owner, "head", f"of {classes} classes", head.classes)
    for name, layer in (("neck", neck), ("head", head)):
        if layer.data_format != data_format:
            _check.fail(owner, name, f"of data_format={data_format!r}", layer)
    known = isinstance(levels, (list, tuple)) and all(
        isinstance(level, (str, int)) and not isinstance(level, bool)
        for level in levels
    )
    if not known or not levels:
        _check.fail(owner, "levels", "a list of strides or names of layers", levels)
    features = _levels.features(backbone, levels, data_format)
    return Detector(features, neck, head, **{"name": "detector", **kwargs})
