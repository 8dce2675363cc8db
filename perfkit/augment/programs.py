"""What one layer has compiled: a program for each set of shapes."""

import warnings
from typing import Any

import keras

from perfkit import _backend
from perfkit._backend import dtype_of

_MANY = 16


class Programs:
    """Compiled programs by signature, out of sight of TensorFlow's tracking."""

    def __init__(self):
        self.compiled: dict[Any, Any] = {}

    def of(self, function, variant, inputs, name, one_shape) -> Any:
        """Compile a function for inputs of these shapes, or find what was compiled.

        Args:
            function: Pure function of tensors, `inputs` among them.
            variant: What else the function depends on, hashable.
            inputs: Dict of tensors.
            name: Name of the layer.
            one_shape: What users do to have one shape only.

        Returns:
            The program; `function` itself where a shape is unknown, or where there
            are many programs already, with a warning.
        """
        shapes = [tuple(x.shape) for x in keras.tree.flatten(inputs)]
        if any(None in shape[1:] for shape in shapes):
            return function
        shapes = keras.tree.map_structure(lambda x: (*x.shape, dtype_of(x)), inputs)
        signature = (variant, _backend.engine(), repr(shapes))
        if signature not in self.compiled:
            if len(self.compiled) == _MANY:
                warnings.warn(
                    f"{name} has compiled {_MANY} programs, one for each shape of its "
                    "inputs, and compiles no more: other shapes run uncompiled and "
                    f"slower. {one_shape}. Received: shapes={shapes}",
                    stacklevel=4,
                )
                return function
            self.compiled[signature] = _backend.compiled(function)
        return self.compiled[signature]
