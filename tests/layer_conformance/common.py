"""Inputs, layers with weights that tell, and comparisons of the checks."""

import contextlib

import keras
import numpy as np

SAMPLES = 3


def is_shape(x):
    return isinstance(x, tuple) and all(n is None or isinstance(n, int) for n in x)


def for_each_shape(function, shape):
    """The same structure with what a function makes of each shape in it."""
    if is_shape(shape):
        return function(shape)
    if isinstance(shape, dict):
        return {name: for_each_shape(function, one) for name, one in shape.items()}
    return type(shape)(for_each_shape(function, one) for one in shape)


def inputs_of(case, samples=SAMPLES):
    rng = np.random.default_rng(0)

    def drawn(shape):
        return rng.normal(size=(samples, *shape)).astype("float32")

    return for_each_shape(drawn, case.shape)


def placeholders(case, known=True):
    """Symbolic inputs, of any batch; all but the channels of any size if asked for."""

    def one(shape):
        return keras.Input(shape if known else (*(None for _ in shape[:-1]), shape[-1]))

    return for_each_shape(one, case.shape)


def build(kind, case, **more):
    """A layer that is built, with weights that tell places and channels apart."""
    keras.utils.set_random_seed(0)
    layer = kind(**case.made(), **more)
    first = getattr(layer, "data_format", None) == "channels_first"
    x = inputs_of(case)
    layer(transposed(x) if first else x)
    set_weights(layer)
    return layer


def set_weights(layer):
    """Move weights from where they begin, and statistics to other positive values."""
    rng = np.random.default_rng(1)
    trainable = {id(weight) for weight in layer.trainable_weights}
    for weight in layer.weights:
        if not keras.backend.is_float_dtype(weight.dtype):
            continue
        value = numpy(weight)
        if id(weight) in trainable:
            weight.assign(value + rng.normal(0.0, 0.3, value.shape))
        else:
            weight.assign(rng.uniform(0.5, 1.5, value.shape))


@contextlib.contextmanager
def policy(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def numpy(x):
    return np.array(keras.ops.convert_to_numpy(x))


def flat(outputs):
    """Arrays of outputs, of one or of several tensors, in float32."""
    return [numpy(keras.ops.cast(x, "float32")) for x in keras.tree.flatten(outputs)]


def assert_close(ours, theirs, tolerance=1e-5):
    for one, other in zip(flat(ours), flat(theirs), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def transposed(x):
    """Channels first for channels last; vectors stay."""
    return keras.tree.map_structure(
        lambda one: np.moveaxis(one, -1, 1) if np.ndim(one) > 2 else one, x
    )
