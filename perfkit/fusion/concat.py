"""Modalities side by side."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.fusion import _presence
from perfkit.fusion.fusion import SEQUENCES, in_order
from perfkit.fusion.projecting import Projecting


@keras.saving.register_keras_serializable(package="perfkit")
class Concat(Projecting):
    """Join the channels of the modalities, or one's steps behind the other's.

    An absent modality is zeros. Along the steps, masks are joined too; absent ones have
    none, and a `keras.layers.Masking` behind the layer hides their steps.

    Args:
        units: Channels to which each modality is projected first, or `None`: as they
            are, and for steps those of the widest.
        axis: -1 for channels, or 1 for steps.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, ..., channels)` each, alike but for the channels; the sum of the
        channels out. With `axis=1`, `(batch, steps, channels)` each, or
        `(batch, channels)`, which is one step; the sum of the steps out.

    Raises:
        ValueError: If an argument is out of bounds, or shapes do not fit.

    Example:
        >>> import numpy as np
        >>> image, text = np.array([[1.0, 2.0]]), np.array([[3.0]])
        >>> joined = Concat()([image, text], present=np.array([[True, False]]))
        >>> keras.ops.convert_to_numpy(joined).tolist()
        [[1.0, 2.0, 0.0]]

    Reference: none (standard).
    """

    def __init__(self, units=None, *, axis=-1, **kwargs):
        super().__init__(units, **kwargs)
        if axis not in (-1, 1):
            _check.fail("Concat", "axis", "-1 for channels, or 1 for steps", axis)
        self.axis = axis

    def build_of(self, shapes):
        if self.axis == 1 and not all(len(shape) in SEQUENCES for shape in shapes):
            expected = "tensors " + " or ".join(SEQUENCES.values())
            _check.fail("Concat", "inputs", expected, shapes)
        self.shape_of(shapes)
        if self.axis == 1 or self.units is not None:
            super().build_of(shapes)
        else:
            self.projections = []

    def fuse(self, parts, seen):
        parts = self.projected(parts, seen)
        if self.axis == -1:
            return ops.concatenate(parts, axis=-1)
        parts = [_sequence(x) for x in parts]
        steps = [seen.hide_steps(number, x) for number, x in enumerate(parts)]
        return ops.concatenate(steps, axis=1)

    def compute_mask(self, inputs, previous_mask=None):
        if self.axis == -1 or previous_mask is None:
            return None
        parts = [_sequence(x) for x in self.listed(inputs)]
        masks = in_order(previous_mask)
        fitting = zip(masks, self.listed(inputs), strict=True)
        masks = [mask if len(x.shape) == 3 else None for mask, x in fitting]
        return _presence.joined(masks, parts)

    def shape_of(self, shapes):
        if self.axis == -1:
            self.require_alike(shapes)
            widths = [self.units or shape[-1] for shape in shapes]
            return (*shapes[0][:-1], sum(widths))
        steps = [shape[1] if len(shape) == 3 else 1 for shape in shapes]
        total = None if None in steps else sum(steps)
        return (shapes[0][0], total, self.width(shapes))


def _sequence(x):
    return x if len(x.shape) == 3 else x[:, None, :]
