"""Colour stages on the host: for bytes, one table in place of many maps."""

from typing import Any, NamedTuple

import numpy as np

from perfkit.ops.host import colors, look_up

BYTES = (0.0, 255.0)
_ONE = 1.0 + 1e-5
_LEVELS = np.arange(256, dtype="float32")[None, None, :, None]


class Tones(NamedTuple):
    """A stage that maps each value by itself, in any way.

    Attributes:
        function: From float32 NHWC images, and `params`, to new ones.
        params: Dict of arrays `(images, 1, 1, 1)`.
        chosen: Booleans `(images,)`, those to be changed; `None` stands for all.
        value_range: `(low, high)` of the results.
    """

    function: Any
    params: dict[str, Any]
    chosen: Any
    value_range: tuple[float, float]

    mixes = False

    def joins(self, value_range):
        """Whether a linear map after it could be one with it."""
        return False

    def apply(self, values):
        """New values of NHWC images, which are one or as many as there are."""
        new = self.function(values, self.params)
        if self.chosen is None:
            return new
        return np.where(self.chosen[:, None, None, None], new, values)

    def part(self, k):
        """The stage of one image of the batch."""
        return self._replace(
            params={name: x[k : k + 1] for name, x in self.params.items()},
            chosen=None if self.chosen is None else self.chosen[k : k + 1],
        )


def colored(images, stages, whole, exact=False):
    """Images sent through stages; as they are, if there are none.

    Args:
        images: NHWC, of any dtype.
        stages: `Tones`, or stages of a canvas.
        whole: Whether results are bytes, else they are float32.
        exact: Whether each byte must be rounded to the right side.
    """
    steps = _steps(images, stages, whole, exact)
    if not steps:
        return images
    out = np.empty(images.shape, "uint8" if whole else "float32")
    for k, image in enumerate(images):
        for step in steps[:-1]:
            image = step(image, k, None)
        result = steps[-1](image, k, out[k])
        if result.dtype != out.dtype and whole:
            result = colors.whole(result)
        if result.base is not out:
            out[k] = result
    return out


def _steps(images, stages, whole, exact):
    """What is to be done to each image: functions of it, its number and a target."""
    bends = [isinstance(stage, Tones) for stage in stages[1:]] + [exact]
    steps, tones = [], []
    bytes_now = images.dtype == np.uint8
    for stage, bend in zip(stages, bends, strict=False):
        if bytes_now and not stage.mixes:
            tones.append(stage)
            continue
        if tones:
            bytes_now = tones[-1].value_range == BYTES
            steps.append(_toned(tones, images.shape[-1], bytes_now))
            tones = []
        bytes_now = bytes_now and _keeps_bytes(stage)
        steps.append(_on_bytes(stage, bend) if bytes_now else _on_floats(stage))
    if tones:
        steps.append(_toned(tones, images.shape[-1], whole))
    return steps


def _keeps_bytes(stage):
    """Whether results are cut off as bytes are, or cannot leave their range."""
    mix, offset = stage.map
    if stage.bounds is not None:
        return stage.value_range == BYTES
    return bool(
        (mix >= 0.0).all() and (mix.sum(axis=-1) <= _ONE).all() and not offset.any()
    )


def _toned(stages, channels, whole):
    """One look-up for all stages, or a linear map where that is all."""
    first = stages[0]
    if len(stages) == 1 and not isinstance(first, Tones):
        if not whole:
            return _on_floats(first)
        if first.bounds is None or first.value_range == BYTES:
            return _on_bytes(first)
    values = _LEVELS
    if isinstance(stages[0], Tones):
        values = np.broadcast_to(values, (1, 1, 256, channels))
    for stage in stages:
        values = stage.apply(values)
    tables = values[:, 0]
    tables = colors.whole(tables) if whole else tables.astype("float32", copy=False)

    def step(image, k, out):
        if out is None:
            out = np.empty(image.shape, tables.dtype)
        look_up.look_up(image, tables[_row(tables, k)], out)
        return out

    return step


def _on_bytes(stage, exact=False):
    """A linear map whose results are cut off as bytes are."""
    matrices = colors.matrices(*stage.map)
    same = colors.equals(matrices, 1.0)
    inverse = colors.equals(matrices, -1.0, BYTES[1])

    def step(image, k, out):
        row = _row(matrices, k)
        if same[row]:
            return image
        if inverse[row]:
            return colors.inverted(image, out)
        if exact:
            return colors.whole(colors.mixed(_floats(image), matrices[row]))
        return colors.mixed(image, matrices[row], out)

    return step


def _on_floats(stage):
    """Any stage, of images of any dtype."""
    if isinstance(stage, Tones):
        return lambda image, k, _: stage.part(k).apply(_floats(image)[None])[0]
    matrices = colors.matrices(*stage.map)

    def step(image, k, out):
        image = colors.mixed(_floats(image), matrices[_row(matrices, k)], out)
        if stage.bounds is not None:
            low, high = [edge[_row(edge, k), 0] for edge in stage.bounds]
            image = np.clip(image, low, high, out=image)
        return image

    return step


def _floats(image):
    return image.astype("float32", copy=False)


def _row(array, k):
    """Row of image `k`, where one row may stand for all."""
    return k if len(array) > 1 else 0
