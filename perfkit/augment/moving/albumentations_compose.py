"""Pipelines from Albumentations."""

import sys

from perfkit import _check, augment
from perfkit.augment.base import Augment
from perfkit.augment.moving import albumentations_colors as colors
from perfkit.augment.moving import albumentations_geometry as geometry
from perfkit.augment.moving import albumentations_pixels as pixels
from perfkit.augment.moving import albumentations_sizes as sizes
from perfkit.augment.moving import source
from perfkit.augment.moving.source import Source

_OWNER = "from_albumentations"
_OPERATIONS = {
    **colors.OPERATIONS,
    **geometry.OPERATIONS,
    **pixels.OPERATIONS,
    **sizes.OPERATIONS,
}
# What gives images another size or other units; all images have to get it.
_FOR_ALL = {
    "CenterCrop",
    "LongestMaxSize",
    "Normalize",
    "RandomCrop",
    "RandomResizedCrop",
    "RandomSizedBBoxSafeCrop",
    "Resize",
    "SmallestMaxSize",
    "ToFloat",
}
_REASONS = {
    "LongestMaxSize": "images of a batch have one size. Follow it by `PadIfNeeded` to "
    "that size, which makes a `LetterBox`.",
    "PadIfNeeded": "images are not padded but after `LongestMaxSize`.",
    "SmallestMaxSize": "images of a batch have one size. Follow it by `CenterCrop`, or "
    "use `Resize`.",
    "ToTensorV2": "leave it out. Arrays stay arrays, channels where they are.",
}
_OTHER = "leave it out, or do it outside of the pipeline."
_BOXES = {
    "albumentations": "rel_xyxy",
    "coco": "xywh",
    "pascal_voc": "xyxy",
    "yolo": "rel_center_xywh",
}


class _State:
    """What is known of the images where an operation stands.

    Args:
        value_range: `(low, high)` of the values; `None` where they have no range.
        size: Height and width in pixels; `None` where they are not known.
    """

    def __init__(self, value_range, size):
        self.range, self.size = value_range, size

    def values(self, op):
        """The argument `value_range`."""
        if self.range is None:
            op.refuse("it comes after `Normalize`, where values have no range.")
        return {"value_range": self.range}

    def pixels(self, op, name, *amounts):
        """Height and width, for an argument in pixels that may be none at all."""
        if not any(amounts):
            return 1, 1
        return op.size(name, self.size, amounts)


def from_albumentations(
    compose, *, value_range=(0, 255), image_size=None, seed=None, **kwargs
):
    """Make a `Pipeline` of perfkit from a composition of Albumentations.

    It reads the objects that it is given, of version 2; Albumentations itself need
    not be installed. `docs/moving.md` says what becomes what, and how exactly. The
    pipeline takes batches, and at inference does only what is not random.

    Args:
        compose: A `Compose`, or any other composition or operation. The format of
            the boxes and how much of one has to be visible are taken from
            `bbox_params`.
        value_range: `(low, high)` of the pixel values that come in; of floats,
            Albumentations takes `(0, 1)` for granted.
        image_size: Height and width of the images that come in, in pixels; needed
            by operations that count in pixels, unless a crop or resize is before
            them.
        seed: See `Pipeline`; by default that of `compose`.
        **kwargs: See `Pipeline` (`name`, `dtype`, ...).

    Returns:
        A `Pipeline`.

    Raises:
        ValueError: If an operation or an argument has no equivalent; it says which
            one and why.

    Example: in `docs/moving.md`.

    Reference: Buslaev et al., Albumentations: Fast and Flexible Image Augmentations,
        2018, 1809.06839.
    """
    value_range = _check.value_range(_OWNER, value_range)
    if image_size is not None:
        image_size = _check.whole_numbers(_OWNER, "image_size", image_size, 2, 1, 10**6)
    top = _source(compose, "")
    # Albumentations has no public name for these.
    if getattr(compose, "_additional_targets", None):
        reason = "`additional_targets` are not known. Pass one dict for each image."
        top.refuse(f"{reason} Received: {compose._additional_targets}")
    kwargs = {**_targets(top, getattr(compose, "processors", {})), **kwargs}
    layers = _layers([compose], _State(value_range, image_size), "")
    seed = getattr(compose, "seed", None) if seed is None else seed
    return source.pipeline(layers, seed, kwargs)


def _source(transform, place, forced=False):
    """An operation to be read; an error if it is not one of Albumentations."""
    kind, package = type(transform).__name__, type(transform).__module__.split(".")[0]
    place = f" at {place}" if place else ""
    version = getattr(sys.modules.get(package), "__version__", "of an unknown version")
    version = f", in Albumentations {version} (2.0.8 is known)"
    op = Source(_OWNER, f"`{kind}`{place}", {}, version=version)
    if package != "albumentations":
        op.refuse("it is no operation of Albumentations.")
    op.p = 1.0 if forced else float(transform.p)
    if kind in _OPERATIONS or any(kind in pair for pair in sizes.PAIRS):
        op.values = dict(transform.get_transform_init_args())
        op.values.pop("p", None)
    return op


def _layers(transforms, state, place, forced=False, chosen=False) -> list[Augment]:
    """Layers that do what the operations of a list do, one after the other."""
    layers: list[Augment] = []
    places = [f"{place}transforms[{k}]" for k in range(len(transforms))]
    if not place and len(transforms) == 1:
        places = [""]
    steps = list(zip(transforms, places, strict=True))
    while steps:
        step, *after = steps[:2]
        pair = [type(transform).__name__ for transform, _ in (step, *after)]
        together = sizes.PAIRS.get(tuple(pair))
        if together:
            first, second = (_source(*one) for one in (step, *after))
            _for_all(first, pair[0], chosen)
            layers += first.layers(together(first, second, state))
        else:
            layers += _one(*step, state, forced, chosen)
        del steps[: 2 if together else 1]
    return layers


def _one(transform, place, state, forced, chosen) -> list[Augment]:
    kind, op = type(transform).__name__, _source(transform, place, forced)
    if kind in _COMPOSITIONS:
        inner = f"{place}." if place else ""
        return _COMPOSITIONS[kind](transform, op, state, inner, chosen)
    if kind not in _OPERATIONS:
        op.refuse(_REASONS.get(kind, _OTHER))
    if kind in _FOR_ALL:
        _for_all(op, kind, chosen)
    return op.layers(_OPERATIONS[kind](op, state))


def _for_all(op, kind, chosen):
    if op.p != 1.0 or chosen:
        op.refuse(
            "images of a batch have one size and one range: it has to be applied to "
            f"all of them. Received: p={op.p:g}{', in a choice' if chosen else ''}"
        )


# Compositions.


def _sequence(compose, op, state, place, chosen):
    chosen = chosen or op.p != 1.0
    layers = _layers(compose.transforms, state, f"{place}", False, chosen)
    return _sometimes(layers, op)


def _one_of(compose, op, state, place, chosen):
    return _sometimes([_choice(compose, op, state, place)], op)


def _one_or_other(compose, op, state, place, chosen):
    ends = [compose.transforms[0], compose.transforms[-1]]
    return [_choice(compose, op, state, place, ends, [op.p, 1.0 - op.p])]


def _choice(compose, op, state, place, transforms=None, odds=None):
    transforms = transforms or compose.transforms
    odds = odds or [x.p for x in transforms]
    layers = _each(transforms, state, place, forced=True)
    return op.make(augment.RandomChoice, {"layers": layers, "odds": odds})


def _some_of(compose, op, state, place, chosen):
    layers = _each(compose.transforms, state, place)
    if compose.replace and compose.n > 1:
        op.refuse("operations are not applied twice. Received: replace=True")
    some = op.make(augment.SomeOf, {"layers": layers, "number": compose.n})
    return _sometimes([some], op)


def _random_order(compose, op, state, place, chosen):
    layers = _each(compose.transforms, state, place)
    if compose.n == 1:
        return _sometimes([augment.RandomChoice(layers)], op)
    if compose.replace or compose.n != len(layers):
        op.refuse(
            f"`n` has to be 1, or all {len(layers)} once. Received: n={compose.n}, "
            f"replace={compose.replace}"
        )
    return _sometimes([augment.RandomOrder(layers)], op)


def _each(transforms, state, place, forced=False):
    """One layer for each of several operations."""
    return [
        source.as_one(_one(x, f"{place}transforms[{k}]", state, forced, True))
        for k, x in enumerate(transforms)
    ]


def _sometimes(layers: list[Augment], op: Source) -> list[Augment]:
    if op.p == 1.0 or not layers:
        return layers
    return [augment.RandomApply(layers, rate=op.p)]


_COMPOSITIONS = {
    "Compose": _sequence,
    "OneOf": _one_of,
    "OneOrOther": _one_or_other,
    "RandomOrder": _random_order,
    "ReplayCompose": _sequence,
    "Sequential": _sequence,
    "SomeOf": _some_of,
}


def _targets(top, processors):
    """The pipeline's arguments on boxes and keypoints."""
    settings = {}
    if "bboxes" in processors:
        boxes = Source(_OWNER, "`bbox_params`", vars(processors["bboxes"].params))
        for name in ("min_area", "min_width", "min_height"):
            boxes.neutral(name, 0.0)
        boxes.neutral("max_accept_ratio", None)
        settings["bounding_box_format"] = boxes.one_of("format", _BOXES)
        settings["min_visible"] = boxes.take("min_visibility")
    if "keypoints" in processors:
        points = Source(
            _OWNER, "`keypoint_params`", vars(processors["keypoints"].params)
        )
        points.neutral("format", "xy", "xyz")
    return settings
