"""Linear colour maps `x -> mix x + offset`, one per image.

`mix` is `(batch, channels)` for a map of each channel by itself and
`(batch, channels, channels)` for one that mixes channels; `offset` is
`(batch, channels)`. A last axis of 1 stands for every channel.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from perfkit._backend import matmul, ops

# ITU-R BT.601, as PIL, OpenCV and Keras have it.
LUMA = (0.299, 0.587, 0.114)
# Luma and the two chroma axes of NTSC's YIQ, in which a hue is an angle.
_TO_YIQ = np.array(
    [LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)]
)
_FROM_YIQ = np.linalg.inv(_TO_YIQ)
_SEPIA = np.array([(0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131)])


class ColorMatrix(NamedTuple):
    """A linear colour map per image; see the module."""

    mix: Any
    offset: Any

    @property
    def mixes(self):
        """Whether channels are mixed with each other."""
        return len(self.mix.shape) == 3


def identity(batch):
    """The map that changes nothing."""
    zeros = ops.zeros((batch, 1), "float32")
    return ColorMatrix(zeros + 1.0, zeros)


def gain(scale, offset=0.0):
    """Scale and shift every channel alike; `(batch,)` arrays or numbers."""
    like = offset if isinstance(scale, (int, float)) else scale
    zeros = ops.zeros_like(like)
    return ColorMatrix((scale + zeros)[:, None], (offset + zeros)[:, None])


def contrast(factor, mean):
    """Scale the distance from `mean`, `(batch, channels)`, by `factor`."""
    factor = factor[:, None]
    return ColorMatrix(factor, mean * (1.0 - factor))


def saturation(factor):
    """Scale the distance from the grey of the same luma by `factor`."""
    grey = np.outer(np.ones(3), LUMA)
    return _rgb(grey, (factor, np.eye(3) - grey))


def sepia(strength):
    """Tone colours brown: 0 changes nothing, 1 leaves shades of sepia.

    Reference: W3C, Filter Effects Module Level 1, `sepia()`.
    """
    return _rgb(np.eye(3), (strength, _SEPIA - np.eye(3)))


def gains(rgb):
    """Scale red, green and blue each by itself; `(batch, 3)`."""
    mix = rgb[:, :, None] * ops.eye(3, dtype="float32")
    return ColorMatrix(mix, ops.zeros_like(rgb))


def permutation(order):
    """Take channel `order[k]` for channel k; int32 `(batch, channels)`."""
    mix = ops.one_hot(order, order.shape[1], dtype="float32")
    return ColorMatrix(mix, ops.zeros_like(mix[:, :, 0]))


def replacement(replaced, value):
    """Set channels to a value where `replaced`, `(batch, channels)`, is true."""
    return ColorMatrix(
        ops.where(replaced, 0.0, 1.0), ops.where(replaced, float(value), 0.0)
    )


def from_black(m, black):
    """Let a map of values that count from 0 act on values that count from `black`."""
    return m._replace(offset=m.offset + black * (1.0 - ops.sum(m.mix, axis=2)))


def strength(factor):
    """Scale of colours for Keras's factor: 0 is grey, 0.5 no change, 1 hundredfold."""
    return factor / ops.maximum(1.0 - factor, 0.01)


def hue(turns):
    """Rotate chroma by a fraction of a full turn; luma is kept."""
    angle = turns * (2.0 * math.pi)
    # from_yiq @ rotation @ to_yiq, split by what it multiplies
    luma, in_phase, quadrature = [
        np.outer(_FROM_YIQ[:, k], _TO_YIQ[k]) for k in range(3)
    ]
    crossed = np.outer(_FROM_YIQ[:, 2], _TO_YIQ[1]) - np.outer(
        _FROM_YIQ[:, 1], _TO_YIQ[2]
    )
    cos, sin = ops.cos(angle), ops.sin(angle)
    return _rgb(luma, (cos, in_phase + quadrature), (sin, crossed))


def _rgb(fixed, *terms):
    """A map of RGB: a matrix, plus others times a number per image each."""

    def constant(values):
        return ops.convert_to_tensor(values.astype("float32")[None], "float32")

    mix = constant(fixed)
    for factor, values in terms:
        mix = mix + factor[:, None, None] * constant(values)
    return ColorMatrix(mix, ops.zeros_like(mix[:, :, 0]))


def map_luma(images, change, value_range):
    """Add to RGB a change of luma, a function of it, `(batch, height, width, 1)`.

    Chroma and further channels stay; colours are cut off at `value_range`.
    """
    luma = 0.0
    for k in range(3):
        luma = luma + LUMA[k] * images[..., k : k + 1]
    mapped = images[..., :3] + change(luma)
    mapped = ops.clip(mapped, *value_range)
    if images.shape[-1] == 3:
        return mapped
    return ops.concatenate([mapped, images[..., 3:]], axis=-1)


def spread(m, channels):
    """Give a map the image's channels.

    A map that mixes RGB acts on the first three of more channels, and not at all
    on fewer, which have no colour.
    """
    if not m.mixes:
        zeros = ops.zeros((1, channels), "float32")
        return ColorMatrix(m.mix + zeros, m.offset + zeros)
    if channels == m.mix.shape[-1]:
        return m
    if channels < 3:
        return spread(identity(ops.shape(m.mix)[0]), channels)
    rest = channels - 3
    zeros = ops.zeros_like(m.offset[:, :1])
    beside = ops.zeros((3, rest), "float32")[None] + zeros[:, :, None]
    below = ops.eye(channels, dtype="float32")[None, 3:] + zeros[:, :, None]
    mix = ops.concatenate([ops.concatenate([m.mix, beside], axis=2), below], axis=1)
    padding = ops.zeros((1, rest), "float32") + zeros
    return ColorMatrix(mix, ops.concatenate([m.offset, padding], axis=1))


def select(apply, m):
    """Keep the map where `apply`, `(batch,)`, is true; elsewhere the identity."""
    if m.mixes:
        eye = ops.eye(m.mix.shape[-1], dtype="float32")[None]
        mix = ops.where(apply[:, None, None], m.mix, eye)
    else:
        mix = ops.where(apply[:, None], m.mix, 1.0)
    return ColorMatrix(mix, ops.where(apply[:, None], m.offset, 0.0))


def compose(second, first):
    """Apply `first`, then `second`; both spread over the same channels."""
    offset = apply_to_colors(second, first.offset)
    if not second.mixes and not first.mixes:
        return ColorMatrix(second.mix * first.mix, offset)
    if not second.mixes:
        return ColorMatrix(second.mix[:, :, None] * first.mix, offset)
    if not first.mixes:
        return ColorMatrix(second.mix * first.mix[:, None, :], offset)
    mix = ops.sum(second.mix[:, :, :, None] * first.mix[:, None, :, :], axis=2)
    return ColorMatrix(mix, offset)


def apply_to_colors(m, colors):
    """Map one colour per image, `(batch, channels)`."""
    if m.mixes:
        return ops.sum(m.mix * colors[:, None, :], axis=2) + m.offset
    return m.mix * colors + m.offset


def apply(m, images):
    """Map float32 `(batch, height, width, channels)` images."""
    offset = m.offset[:, None, None, :]
    if not m.mixes:
        return images * m.mix[:, None, None, :] + offset
    mixed = 0.0
    for k in range(m.mix.shape[-1]):
        mixed = mixed + images[..., k : k + 1] * m.mix[:, None, None, :, k]
    return mixed + offset


def apply_to_unfinished(m, images):
    """Map images that XLA has still to compute, say by a resample.

    The sum over channels of `apply` would have it compute them anew for each pair
    of channels; a product of matrices wants them whole. Where they lie in memory,
    the sum is several times as fast.
    """
    if not m.mixes:
        return apply(m, images)
    offset = m.offset[:, None, None, :]
    batch, height, width, channels = ops.shape(images)
    flat = ops.reshape(images, (batch, height * width, channels))
    mixed = matmul(flat, ops.transpose(m.mix, (0, 2, 1)))
    return ops.reshape(mixed, (batch, height, width, channels)) + offset
