"""Inputs of every kind, and helpers that the checks share.

They are of one size, whatever the kind: under JAX an eager operation is compiled once
for each shape.
"""

import copy

import numpy as np

from perfkit import augment
from tests.conformance.common import to_numpy

_rng = np.random.default_rng(0)
_LENGTHS = {
    "waveforms": np.array([24, 19, 15, 12], "int32"),
    "spectrograms": np.array([24, 21, 15, 12], "int32"),
    "token_ids": np.array([20, 24, 15, 12], "int32"),
}
SPECIAL = [0, 1, 2]


def _tokens():
    lengths = _LENGTHS["token_ids"][:, None]
    place = np.arange(24)[None]
    ids = _rng.integers(5, 30, (4, 24))
    ids = np.where(place == 0, 1, np.where(place == lengths - 1, 2, ids))
    real = place < lengths
    return {
        "token_ids": np.where(real, ids, 0).astype("int32"),
        "attention_mask": real.astype("int32"),
        "token_type_ids": (real & (place > 8)).astype("int32"),
        "token_labels": np.where(real, ids % 7, -1).astype("int32"),
    }


KINDS = {
    "waveforms": {
        "waveforms": _rng.normal(0, 1, (4, 24)).astype("float32"),
        "lengths": _LENGTHS["waveforms"],
    },
    "spectrograms": {
        "spectrograms": _rng.uniform(1, 2, (4, 24, 8)).astype("float32"),
        "lengths": _LENGTHS["spectrograms"],
    },
    "token_ids": _tokens(),
    "features": {"features": _rng.normal(0, 1, (4, 24)).astype("float32")},
}
LABELS = np.array([0, 2, 1, 2], "int32")


def main_of(layer):
    return layer.modality.main


def parts(layer):
    """A layer, and the layers that it is made of."""
    inner = [part for one in getattr(layer, "layers", []) for part in parts(one)]
    return [layer, *inner]


def borrows(layer):
    """Whether samples depend on others of the batch."""
    return layer.mixes or any(getattr(part, "borrows", False) for part in parts(layer))


def full_inputs(layer, **others):
    return copy.deepcopy({**KINDS[main_of(layer)], "labels": LABELS, **others})


def values_of(layer, inputs=None, **kwargs):
    """What a layer makes of the main input, as NumPy."""
    inputs = full_inputs(layer) if inputs is None else inputs
    return to_numpy(layer(inputs, **kwargs)[main_of(layer)])


def is_alike(ours, theirs):
    return ours.shape == theirs.shape and np.allclose(ours, theirs, atol=1e-4)


def for_kinds(*mains):
    """Say which kinds of data a check is for; without it, for all."""

    def mark(check):
        check.kinds = mains
        return check

    return mark


def is_typical(op):
    """One operation of each family, and all that tests define."""
    return not op.__module__.startswith("perfkit.") or op in {
        augment.AudioNoise,
        augment.RowCutMix,
        augment.SpanMasking,
        augment.TimeStretch,
        augment.TokenDeletion,
    }


def is_no_mixture(op):
    """All but the ways to choose layers, whose programs are those of the layers."""
    return has_rate(op) or op is augment.Pipeline


def slow_unless(condition):
    """Say for which operations a check is in the default run."""

    def mark(check):
        check.slow_unless = condition
        return check

    return mark


def has_rate(op):
    return issubclass(op, augment.Operation)
