"""A layer that computes with a function of its kernel."""

from typing import Any

import keras

from perfkit import _check
from perfkit.graph import kernels
from perfkit.graph.substituting import call_with


class KernelTransform(keras.layers.Layer):
    """Change the kernel that a layer computes with; an abstract base.

    A subclass implements `call(kernel, axes)`, which returns a kernel of the same
    shape. `axes` are the axes that number the output units. `build(input_shape, axes)`
    may make weights of its own, where `input_shape` is the shape of the kernel, and
    `begin(kernel, axes)` may set these from the first values of the kernel. All of it
    is in float32.

    Args:
        **kwargs: See `keras.layers.Layer`.

    Shape:
        The kernel, of any shape; the same shape out.

    Example:
        >>> class Halved(KernelTransform):
        ...     def call(self, kernel, axes):
        ...         return kernel / 2.0
        >>> dense = keras.layers.Dense(1, kernel_initializer="ones")
        >>> half = Reparameterized(dense, [Halved()])
        >>> float(half(keras.ops.ones((1, 4)))[0, 0])
        2.0

    Reference: none (standard).
    """

    def __init__(self, **kwargs):
        # Kernels are rounded and clustered as they are kept, not in half precision.
        kwargs["dtype"] = "float32"
        super().__init__(autocast=False, **kwargs)

    def build(self, input_shape=None, axes=()):
        """Make weights of the transform."""

    def begin(self, kernel, axes) -> None:
        """Set weights of the transform from an array, the kernel's first values."""


@keras.saving.register_keras_serializable(package="perfkit")
class Reparameterized(keras.layers.Wrapper):
    """Wrap a layer so that it computes with a function of its kernel.

    The layer inside keeps its kernel, and that is what learns: gradients go back
    through the transforms. `strip(model)` gives plain layers back, with kernels as the
    transforms made them.

    Args:
        layer: A layer with one kernel, such as a dense layer or a convolution.
        transforms: `KernelTransform` objects, which act one after the other.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        As the layer takes and returns it.

    Raises:
        TypeError: If `layer` is no layer, or a transform is no `KernelTransform`.
        ValueError: When it is built, if the layer has no kernel, or several.

    Example:
        >>> from perfkit.compress import QuantizedKernel
        >>> dense = keras.layers.Dense(1, use_bias=False)
        >>> layer = Reparameterized(dense, [QuantizedKernel(bits=2)])
        >>> layer.build((None, 3))
        >>> dense.set_weights([keras.ops.array([[1.0], [0.4], [-0.8]])])
        >>> keras.ops.convert_to_numpy(layer.kernel)[:, 0].tolist()
        [1.0, 0.0, -1.0]

    Reference: none (standard).
    """

    def __init__(self, layer, transforms, **kwargs):
        _check.instance("Reparameterized", "layer", layer, keras.Layer)
        kwargs["dtype"] = layer.variable_dtype  # the layer inside casts for itself
        super().__init__(layer, autocast=False, **kwargs)
        self.transforms = [_transform(one) for one in transforms]
        self.supports_masking = layer.supports_masking

    def build(self, input_shape=None):
        super().build(input_shape)
        for transform in self.transforms:
            if not transform.built:
                transform.build(tuple(self.variable.shape), self.axes)

    @property
    def variable(self) -> Any:
        """The kernel of the layer inside, as it learns."""
        found = kernels.own_kernels(self.layer)
        if len(found) != 1:
            names = [kernel.name for kernel in found]
            expected = f"one with one kernel; {self.layer.name} has {names}"
            _check.fail("Reparameterized", "layer", expected, self.layer)
        return found[0]

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of the kernel that number the output units."""
        return kernels.units(self.layer, self.variable.name)

    @property
    def kernel(self) -> Any:
        """What the layer computes with."""
        return self.kernel_before()

    def kernel_before(self, *left) -> Any:
        """Return the kernel as all transforms but those in `left` make it."""
        value: Any = keras.ops.convert_to_tensor(self.variable)
        for transform in self.transforms:
            if all(transform is not one for one in left):
                value = transform(value, axes=self.axes)
        return value

    def call(self, inputs, **kwargs):
        values = [(self.variable, self.kernel)]
        return call_with(self, self.layer, values, lambda: self.layer(inputs, **kwargs))

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def compute_output_spec(self, *args, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs)

    def get_config(self):
        transforms = map(keras.saving.serialize_keras_object, self.transforms)
        return {**super().get_config(), "transforms": list(transforms)}


def _transform(value):
    if isinstance(value, dict):
        value = keras.saving.deserialize_keras_object(value)
    return _check.instance("Reparameterized", "transforms", value, KernelTransform)
