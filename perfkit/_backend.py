"""The array namespace perfkit is written against, and what depends on the backend.

`ops` is `keras.ops`, except while a layer runs inside a `tf.data` pipeline under
another Keras backend, where it is public TensorFlow, and on the host, where it is
NumPy. This is the only module that imports TensorFlow or JAX, and only once a caller
needs it.
"""

import contextlib
import contextvars
import functools
import importlib
import sys
from typing import Any

import keras
import numpy as np

from perfkit._numpy_ops import NumpyOps
from perfkit._tensorflow_ops import TensorFlowOps


def tensorflow() -> Any:
    """Return the module TensorFlow; an error says what to install."""
    try:
        import tensorflow
    except ImportError as error:
        raise ImportError(
            "This part of perfkit needs TensorFlow. Install it: pip install tensorflow"
        ) from error
    return tensorflow


def tflite_schema() -> Any:
    """Return the module that reads what is written in TFLite files.

    Of private name: nothing public in TensorFlow reads them.
    """
    tensorflow()
    return importlib.import_module("tensorflow.lite.python.schema_py_generated")


def _jax() -> Any:
    import jax

    return jax


# What `ops` acts on, where that is not the Keras backend's tensors.
_foreign: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "perfkit_foreign", default=None
)
_tables = {
    None: keras.ops,
    "tensorflow": TensorFlowOps(tensorflow),
    "numpy": NumpyOps(),
}


class _Ops:
    def __getattr__(self, name) -> Any:
        return getattr(_tables[_foreign.get()], name)


ops = _Ops()
# For code that never runs in another library's pipeline, whatever the scope.
keras_ops: Any = keras.ops


@contextlib.contextmanager
def scope(name):
    """Make `ops` act on "tensorflow" tensors or "numpy" arrays, on every backend."""
    token = _foreign.set(name)
    try:
        yield
    finally:
        _foreign.reset(token)


def as_written(function, *arguments) -> Any:
    """Call a function without AutoGraph.

    `tf.data` and `tf.function` rewrite the functions they trace line by line, which
    takes seconds and fails with a warning where a body is only a docstring. They
    spare Keras and so its layers, but not ours.
    """
    if not _tensorflow_is_loaded() or tensorflow().executing_eagerly():
        return function(*arguments)
    return tensorflow().autograph.experimental.do_not_convert(function)(*arguments)


def engine() -> str:
    """Name of the library whose tensors `ops` acts on."""
    return _foreign.get() or keras.backend.backend()


def dtype_of(x) -> str:
    """Name of a tensor's dtype."""
    return keras.backend.standardize_dtype(x.dtype)


def _tensorflow_is_loaded():
    return sys.modules.get("tensorflow") is not None


def is_foreign(inputs) -> bool:
    """Whether `inputs` are symbolic TensorFlow tensors under another backend."""
    if keras.backend.backend() == "tensorflow" or not _tensorflow_is_loaded():
        return False
    tf = tensorflow()
    return not tf.executing_eagerly() and any(
        tf.is_tensor(x) for x in keras.tree.flatten(inputs)
    )


def in_tf_data() -> bool:
    """Whether a function of a `tf.data` pipeline is being traced.

    TensorFlow has no public question for this; it names such graphs after the
    transformation, `Dataset_map_...`.
    """
    if not _tensorflow_is_loaded():
        return False
    tf = tensorflow()
    if tf.executing_eagerly():
        return False
    graph = tf.compat.v1.get_default_graph()
    while graph is not None:
        if getattr(graph, "name", "").startswith("Dataset_"):
            return True
        graph = getattr(graph, "outer_graph", None)
    return False


def in_graph() -> bool:
    """Whether the caller is tracing a TensorFlow graph that is not for `tf.data`."""
    if engine() != "tensorflow" or tensorflow().executing_eagerly():
        return False
    return not in_tf_data()


# Modules that trace a model to write it to a file.
_EXPORTERS = ("keras.src.export", "tensorflow.python.saved_model", "tensorflow.lite")


def is_exported() -> bool:
    """Whether the caller is being traced to be written to a file.

    Neither Keras nor TensorFlow has a public question for this, so the callers'
    modules are asked for their names.
    """
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_EXPORTERS):
            return True
        frame = frame.f_back
    return False


def outside_graph() -> Any:
    """Leave the graph that TensorFlow is tracing, while variables are made.

    There a variable whose first value is that of another one could not be made.
    """
    if engine() != "tensorflow":
        return contextlib.nullcontext()
    return tensorflow().init_scope()


@contextlib.contextmanager
def unlocked(layer):
    """Let a layer that is built get another layer inside, or lose one.

    An underscore, as Keras locks what a layer holds once it is built, and only its own
    `enable_lora` and `quantize` unlock it.
    """
    was_locked = layer._tracker.locked
    layer._tracker.unlock()
    try:
        yield
    finally:
        if was_locked:
            layer._tracker.lock()


def take_off(layer, name) -> None:
    """Delete the attribute of a layer that holds another layer.

    An underscore, as deleting the attribute leaves the inner layer's weights among
    those of the outer one.
    """
    with unlocked(layer):
        layer._tracker.untrack(getattr(layer, name))
        delattr(layer, name)


def take_off_variable(optimizer, variable) -> None:
    """Have an optimizer forget a variable that was added to it.

    An underscore, as an optimizer has `add_variable` and nothing that undoes it.
    """
    optimizer._untrack_variable(variable)


def rate_of(optimizer) -> Any:
    """What an optimizer takes its learning rate from: a variable or a schedule.

    An underscore, as nothing public leads to it: `optimizer.learning_rate` is the value
    of a schedule at the moment.
    """
    return optimizer._learning_rate


def is_concrete(x) -> bool:
    """Whether a tensor holds values, and does not stand for those of a program."""
    name = engine()
    if name == "tensorflow":
        return hasattr(x, "numpy")
    return name != "jax" or not isinstance(x, _jax().core.Tracer)


def has_value(variable) -> bool:
    """Whether a variable holds a value: on JAX it has none where `fit` broke off.

    An underscore, as to ask for the value there is an error.
    """
    return engine() != "jax" or variable._value is not None


def copies(variables) -> list[Any]:
    """Values of variables or tensors as they are now."""
    return [read(variable) for variable in variables]


def matmul(x, y) -> Any:
    """Multiply matrices in full float32, where the backend lets a caller say so."""
    if engine() == "jax":
        return _jax().numpy.matmul(x, y, precision="highest")
    if engine() == "numpy":
        return np.matmul(x, y)
    return tensorflow().matmul(x, y) if _foreign.get() else keras.ops.matmul(x, y)


def read(variable, dtype=None) -> Any:
    """Value of a variable as it is now.

    Under TensorFlow, converting and casting to the same dtype both return the
    variable itself, which would show what is assigned to it later.
    """
    return keras.ops.cast(keras.ops.copy(variable), dtype or variable.dtype)


def seen(variable) -> Any:
    """Value of a variable as an array to look at until its next step.

    On a CPU it is not copied. Under TensorFlow what `convert_to_tensor` returns is the
    variable, whose array is a copy.
    """
    is_shared = engine() == "tensorflow"  # what `copy` returns, until it is assigned to
    return np.asarray((ops.copy if is_shared else ops.convert_to_tensor)(variable))


def dense(gradient) -> Any:
    """A gradient as a tensor, also that of rows of a table."""
    if engine() == "tensorflow" and isinstance(gradient, tensorflow().IndexedSlices):
        shape = gradient.dense_shape
        return tensorflow().math.unsorted_segment_sum(
            gradient.values, gradient.indices, shape[0]
        )
    return gradient


def index_of(optimizer, variable) -> int:
    """Which of the variables an optimizer was built with this one is.

    An underscore, but what the docstring of `keras.optimizers.Optimizer` tells
    authors of optimizers to use. Replicas of `tf.distribute` pass their own copy of
    a variable, which nothing public leads back.
    """
    return optimizer._get_variable_index(variable)


def drawn(kind, shape, generator) -> Any:
    """Draw float32 numbers, "uniform" within [0, 1) or "normal", in a layer.

    On TensorFlow by Philox, which is asked for by name: where XLA compiles for a CPU,
    what TensorFlow chooses by itself, as Keras lets it, takes ten times as long and
    more.

    Args:
        kind: "uniform" or "normal".
        shape: Shape of the numbers.
        generator: `keras.random.SeedGenerator`.
    """
    if engine() != "tensorflow":
        draw = getattr(keras.random, kind)
        return draw(shape, dtype="float32", seed=generator)
    tf = tensorflow()
    draw = getattr(tf.random, f"stateless_{kind}")
    return draw(shape, generator.next(), alg="philox")


def tf_data_key(seed):
    """Return a function that draws an int32 key of shape `(2,)`, atomically."""
    tf = tensorflow()
    with tf.init_scope():
        generator = tf.random.Generator.from_seed(seed)
    return functools.partial(generator.uniform_full_int, (2,), dtype=tf.int32)


def compiled(function):
    """Compile a pure function of tensors with XLA, once for each static shape."""
    name = engine()
    if name == "tensorflow":
        # TensorFlow counts retraces by code object: layers would share one count, and
        # a few new ones would have it warn. A partial object has none.
        function = functools.partial(function)
        return tensorflow().function(function, jit_compile=True, autograph=False)
    if name == "jax":
        return _jax().jit(function)
    return function


def predicts_by_xla() -> bool:
    """Whether XLA makes predictions fast.

    Not for TensorFlow on a CPU: there a MobileNet takes ten times as long.
    """
    return has_quick_convolutions()


def has_quick_convolutions() -> bool:
    """Whether XLA has quick convolutions of all kinds.

    TensorFlow's on a CPU has none of single channels, nor any with gaps.
    """
    if engine() != "tensorflow":
        return True
    devices = tensorflow().config.list_physical_devices()
    return {device.device_type for device in devices} != {"CPU"}


def predicting(function):
    """Compile a pure function of tensors, as it is fast for predictions."""
    if predicts_by_xla():
        return compiled(function)
    return tensorflow().function(functools.partial(function), autograph=False)


def differentiated(function):
    """Compile the gradients of a pure function by its first argument, a list."""
    if engine() == "jax":
        return _jax().jit(_jax().grad(function))
    tf = tensorflow()

    def gradients(values, *arguments):
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = function(values, *arguments)
        return tape.gradient(loss, values, unconnected_gradients="zero")

    return tf.function(gradients, autograph=False)


def check(flag, message) -> None:
    """Raise `ValueError(message)` if the boolean tensor `flag` is false.

    In a graph it is TensorFlow's `InvalidArgumentError`. XLA cannot raise: inside
    a step compiled by the caller nothing is checked.
    """
    name = engine()
    if name == "tensorflow":
        tf = tensorflow()
        if not tf.executing_eagerly():
            tf.debugging.Assert(flag, [message])
            return
    elif name == "jax" and isinstance(flag, _jax().core.Tracer):
        return
    if not bool(flag):
        raise ValueError(message)


def real_signal(real, imaginary, size) -> Any:
    """Real signals of length `size`, from their spectra along the last axis."""
    name = engine()
    if name == "tensorflow":
        tf = tensorflow()
        return tf.signal.irfft(tf.complex(real, imaginary), [size])
    if name == "numpy":
        return np.fft.irfft(real + 1j * imaginary, size).astype(real.dtype)
    if name == "jax" and not isinstance(size, int):  # only the shape is asked for
        return _jax().numpy.zeros((*real.shape[:-1], size), real.dtype)
    return keras.ops.irfft((real, imaginary), size)


def put_rows(x, rows, values) -> Any:
    """Replace rows of `x`, each named once in int32 `rows`, by `values`."""
    name = engine()
    if name == "tensorflow":
        return tensorflow().tensor_scatter_nd_update(x, rows[:, None], values)
    if name == "jax":
        return x.at[rows].set(values, unique_indices=True)
    if name == "numpy":
        x = x.copy()
        x[rows] = values
        return x
    return keras.ops.scatter_update(x, rows[:, None], values)


def gather_pixels(images, index):
    """Pick whole pixels.

    Args:
        images: `(batch, height, width, channels)`.
        index: int32 `(batch, rows, columns)`, into height x width, in range.

    Returns:
        `(batch, rows, columns, channels)`.
    """
    batch, height, width, channels = ops.shape(images)
    _, rows, columns = ops.shape(index)
    flat = ops.reshape(images, (batch, height * width, channels))
    flat_index = ops.reshape(index, (batch, rows * columns))
    name = engine()
    if name == "tensorflow":
        picked = tensorflow().gather(flat, flat_index, batch_dims=1)
    elif name == "jax":
        jax = _jax()
        row = functools.partial(jax.numpy.take, axis=0, mode="clip")
        picked = jax.vmap(row)(flat, flat_index)
    elif name == "numpy":
        picked = np.take_along_axis(flat, flat_index[:, :, None], axis=1)
    else:
        picked = ops.take_along_axis(flat, flat_index[:, :, None], axis=1)
    return ops.reshape(picked, (batch, rows, columns, channels))
