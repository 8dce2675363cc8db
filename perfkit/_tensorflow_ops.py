"""The part of `keras.ops` that perfkit uses, for TensorFlow tensors of `tf.data`."""

import functools


class TensorFlowOps:
    """The part of `keras.ops` that perfkit uses, in public TensorFlow.

    Args:
        tensorflow: Function that returns the module, called once it is needed.
    """

    def __init__(self, tensorflow):
        self.table = functools.cache(lambda: _table(tensorflow()))

    def __getattr__(self, name):
        function = self.table().get(name)
        if function is None:
            raise AttributeError(
                f"perfkit's `ops.{name}` is not translated to TensorFlow. Add it to "
                "the table in perfkit/_tensorflow_ops.py."
            )
        return function


def _table(tf):
    def with_constant(function):
        """Let the second operand be a Python number of the first's dtype."""
        return lambda x, y: function(x, tf.cast(y, x.dtype))

    def shape(x):
        dynamic = tf.shape(x)
        return tuple(dynamic[i] if n is None else n for i, n in enumerate(x.shape))

    def fori_loop(lower, upper, body, state):
        def step(k, state):
            return k + 1, body(k, state)

        return tf.while_loop(lambda k, _: k < upper, step, (lower, state))[1]

    return {
        "abs": tf.abs,
        "all": lambda x, axis=None: tf.reduce_all(x, axis),
        "any": lambda x, axis=None: tf.reduce_any(x, axis),
        "arange": lambda stop, dtype: tf.cast(tf.range(stop), dtype),
        "argsort": lambda x, axis=-1: tf.argsort(x, axis, stable=True),
        "bitwise_and": with_constant(tf.bitwise.bitwise_and),
        "bitwise_or": tf.bitwise.bitwise_or,
        "bitwise_xor": with_constant(tf.bitwise.bitwise_xor),
        "cast": tf.cast,
        "clip": tf.clip_by_value,
        "concatenate": tf.concat,
        "convert_to_tensor": lambda x, dtype: tf.convert_to_tensor(x, dtype),
        "cos": tf.cos,
        "cumsum": lambda x, axis: tf.cumsum(x, axis),
        "erfinv": tf.math.erfinv,
        "exp": tf.exp,
        "eye": lambda size, dtype: tf.eye(size, dtype=dtype),
        "floor": tf.floor,
        "fori_loop": fori_loop,
        "isfinite": tf.math.is_finite,
        "left_shift": with_constant(tf.bitwise.left_shift),
        "log": tf.math.log,
        "max": lambda x, axis=None: tf.reduce_max(x, axis),
        "maximum": tf.maximum,
        "mean": lambda x, axis=None: tf.reduce_mean(x, axis),
        "min": lambda x, axis=None: tf.reduce_min(x, axis),
        "minimum": tf.minimum,
        "one_hot": lambda x, size, dtype: tf.one_hot(x, size, dtype=dtype),
        "ones_like": tf.ones_like,
        "pad": tf.pad,
        "power": tf.pow,
        "repeat": tf.repeat,
        "reshape": tf.reshape,
        "right_shift": with_constant(tf.bitwise.right_shift),
        "round": tf.round,
        "segment_sum": tf.math.unsorted_segment_sum,
        "shape": shape,
        "sin": tf.sin,
        "slice": tf.slice,
        "sort": lambda x, axis: tf.sort(x, axis),
        "sqrt": tf.sqrt,
        "stack": tf.stack,
        "sum": lambda x, axis=None: tf.reduce_sum(x, axis),
        "take": lambda x, index, axis: tf.gather(x, index, axis=axis),
        "transpose": tf.transpose,
        "where": tf.where,
        "zeros": tf.zeros,
        "zeros_like": tf.zeros_like,
    }
