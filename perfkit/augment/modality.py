"""What kind of data a layer augments: which keys it handles, and how they lie."""

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from perfkit._backend import dtype_of, ops


class Modality:
    """Base of the kinds of data: checks, and the way to a canvas and back."""

    main: str  # what an array alone stands for
    mistaken: Mapping[str, str]  # keys that other libraries use
    one_shape: str  # how to bring data to few shapes

    @property
    def handled(self) -> tuple[str, ...]:
        """Kind: the keys that a program may read or change, but for labels."""
        raise NotImplementedError

    def check_batch(self, name, inputs) -> None:
        """Kind: raise an error where a batch has no other samples to take from."""
        raise NotImplementedError

    def check(self, name, inputs, mixes) -> None:
        """Kind: raise an error that names the layer if inputs cannot be augmented."""
        raise NotImplementedError

    def to_canvas(self, inputs) -> tuple[Any, Any]:
        """Kind: lay inputs out for operations, and say what undoes it."""
        raise NotImplementedError

    def from_canvas(self, canvas, layout, inputs, dtype) -> dict[str, Any]:
        """Kind: lay everything out as `inputs` came, what is augmented in `dtype`."""
        raise NotImplementedError

    def samples(self, name, inputs) -> int:
        """Kind: number of samples of checked inputs of NumPy arrays, at least one."""
        raise NotImplementedError

    def undo(self, layer, outputs, params, size, fills) -> tuple[Any, Any]:
        """Kind: the way back of outputs, and how much of each place was seen."""
        raise ValueError(f"{layer.name}: of {self.main} there is no way back.")

    def check_call(self, name, inputs, training) -> None:
        """Raise an error where a layer is called as if it took `(inputs, labels)`."""
        flag = training is None or isinstance(training, (bool, int, np.bool_))
        if isinstance(inputs, tuple) or not flag:
            raise TypeError(
                f"{name}: takes {self.main}, or a dict with '{self.main}'. To augment "
                f"the {self.main} of pairs, `dataset.map(lambda {self.main}, labels: "
                f"(layer({self.main}), labels))`."
            )

    def check_keys(self, name, inputs) -> None:
        """Raise an error where a dict lacks the main key."""
        if self.main not in inputs:
            raise ValueError(
                f"{name}: a dict of inputs needs the key '{self.main}'. Received the "
                f"keys: {sorted(inputs)}"
            )

    def as_arrays(self, inputs) -> dict[str, Any]:
        """Turn what a layer may handle into NumPy arrays; `None` counts as absent."""
        arrays = {}
        for key, value in inputs.items():
            if key in self.mistaken:
                warnings.warn(
                    f"The input {key!r} passes by untouched. Is it "
                    f"{self.mistaken[key]!r}?",
                    stacklevel=5,
                )
            if key not in (*self.handled, "labels"):
                arrays[key] = value
            elif value is not None:
                arrays[key] = self._arrays(value)
        return arrays

    def _arrays(self, value):
        return _array(value)

    def split(self, inputs, mixes):
        """Separate what the program handles from what passes by."""
        handled = (*self.handled, "labels") if mixes else self.handled
        program = {key: inputs[key] for key in handled if key in inputs}
        aside = {key: value for key, value in inputs.items() if key not in handled}
        return program, aside

    def join(self, outputs, aside):
        """Put back what passed by."""
        return {**aside, **outputs}


def check_shape(name, what, value, wanted, beside):
    """Raise an error unless a shape agrees with that of the data it lies beside."""
    shape = tuple(value.shape)
    if len(shape) != len(wanted) or any(
        None not in (n, expected) and n != expected
        for n, expected in zip(shape, wanted, strict=True)
    ):
        text = str(tuple(wanted)).replace("None", "any")
        raise ValueError(
            f"{name}: {what} beside these {beside} must have shape {text}. Received: "
            f"shape={shape}"
        )


def check_numbers(name, what, value):
    """Raise an error unless a tensor holds integers or floats."""
    dtype = getattr(value.dtype, "name", value.dtype)  # Keras has no name for strings
    if not dtype.startswith(("int", "uint", "float", "bfloat")):
        raise TypeError(
            f"{name}: {what} must be integers or floats. Received: dtype={dtype}"
        )


def as_dtype(x, dtype):
    """Cast a tensor; integers are rounded, and cut off at the ends of their range."""
    if dtype_of(x) == dtype:
        return x
    if "int" in dtype:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        x = ops.clip(ops.round(ops.cast(x, "float32")), float(low), float(high))
    return ops.cast(x, dtype)


def check_not_ragged(name, what, values, remedy):
    """Raise an error where a tensor is ragged."""
    if any(hasattr(x, "row_splits") for x in keras.tree.flatten(values)):
        raise TypeError(f"{name}: '{what}' is a ragged tensor. {remedy}")


def _array(x):
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return x
    try:
        return np.asarray(x)
    except ValueError as error:
        raise ValueError(
            "Samples of different sizes cannot be one batch. Call `layer.on_host` on "
            "each, `np.stack` what has one size then, and pad boxes with the label -1."
        ) from error
