"""Kinds of data that are one array, and numbers beside it."""

import types
from collections.abc import Mapping
from typing import Any

from perfkit._backend import dtype_of, ops
from perfkit.augment.modality import (
    Modality,
    as_dtype,
    check_not_ragged,
    check_numbers,
    check_shape,
)
from perfkit.augment.samples import Samples


class Arrays(Modality):
    """Base of the kinds of data that are one array, and integers beside it.

    On the canvas there is an axis of samples, one of channels where the kind knows
    any, float32 unless the kind is `whole`, and int32 beside it.
    """

    one: str  # a sample, in words
    axes: tuple[str, ...]  # of a sample, channels aside
    channels = False  # whether an axis of channels may come last
    whole = False  # whether values are integers, and stay in their dtype
    beside: Mapping[str, int]  # how many of the axes what lies beside has too
    mistaken = types.MappingProxyType({"label": "labels"})

    @property
    def handled(self):
        return (self.main, *self.beside)

    def check(self, name, inputs, mixes):
        self.check_keys(name, inputs)
        for key in self.handled:
            check_not_ragged(name, key, inputs.get(key), f"{self.one_shape}.")
        values = inputs[self.main]
        if getattr(values.shape, "rank", 0) is None:
            raise ValueError(
                f"{name}: {self.main} have an unknown rank. Say it before the layer: "
                "`tf.ensure_shape`."
            )
        shape, ranks = tuple(values.shape), self._ranks()
        if len(shape) not in ranks:
            expected = " or ".join(f"{rank} ({what})" for rank, what in ranks.items())
            raise ValueError(
                f"{name}: {self.main} must have rank {expected}. Received: "
                f"{self.main}.shape={shape}"
            )
        if self.channels and shape[-1] in (1, 2) and len(shape) == len(self.axes) + 1:
            raise ValueError(
                f"{name}: {self.main} of shape {shape} are {self.one} and its "
                f"{shape[-1]} channels, or a batch of almost nothing. Add an axis of "
                f"samples in front."
            )
        (_check_integers if self.whole else check_numbers)(name, self.main, values)
        if mixes:
            self.check_batch(name, inputs)
        samples = () if self._is_one(values) else shape[:1]
        for key, axes in self.beside.items():
            if key in inputs:
                wanted = shape[: len(samples) + axes]
                check_shape(name, key, inputs[key], wanted, self.main)
                _check_integers(name, key, inputs[key])
        if mixes and "labels" in inputs:
            labels = inputs["labels"]
            wanted = (*samples, *[None] * (len(labels.shape) - 1))
            check_shape(name, "labels", labels, wanted, self.main)

    def check_batch(self, name, inputs) -> None:
        """Raise an error where there are no other samples to take anything from."""
        values = inputs[self.main]
        if self._is_one(values):
            raise ValueError(
                f"{name}: mixes the samples of a batch. Received {self.one} of shape "
                f"{tuple(values.shape)}: batch the data first."
            )

    def samples(self, name, inputs):
        values = inputs[self.main]
        return 1 if self._is_one(values) else values.shape[0]

    def _is_one(self, values):
        return len(values.shape) == len(self.axes)

    def _ranks(self):
        rank = len(self.axes)
        axes = ", ".join(self.axes)
        ranks = {rank: self.one, rank + 1: f"a batch: batch, {axes}"}
        if self.channels:
            ranks[rank + 2] = f"with channels: batch, {axes}, channels"
        return ranks

    def lay_out(self, values) -> Any:
        """Kind: turn the axes of a batch to those of the canvas, and back."""
        return values

    def to_canvas(self, inputs):
        single = self._is_one(inputs[self.main])
        parts = {key: x[None] if single else x for key, x in inputs.items()}
        labels = parts.pop("labels", None)
        values = self.lay_out(parts[self.main])
        if self.channels and len(values.shape) == len(self.axes) + 1:
            values = values[..., None]
        values = values if self.whole else ops.cast(values, "float32")
        parts = {key: ops.cast(x, "int32") for key, x in parts.items()}
        return Samples({**parts, self.main: values}, self.main, labels), single

    def from_canvas(self, canvas, layout, inputs, dtype):
        single, outputs = layout, {}
        for key, values in canvas.parts.items():
            if key != self.main or self.whole:
                values = ops.cast(values, dtype_of(inputs[key]))
            else:
                rank = len(inputs[key].shape) + single
                values = values[..., 0] if len(values.shape) > rank else values
                values = self.lay_out(as_dtype(values, dtype))
            outputs[key] = values[0] if single else values
        if canvas.labels is not None:
            outputs["labels"] = canvas.labels
        return outputs


def _check_integers(name, what, value):
    dtype = getattr(value.dtype, "name", value.dtype)  # Keras has no name for strings
    if not dtype.startswith(("int", "uint", "bool")):
        raise TypeError(f"{name}: {what} must be integers. Received: dtype={dtype}")
