"""One side of a comparison: a function of images, compiled or not, and its figures."""

import keras


class TensorFlow:
    """One side of the comparison under TensorFlow."""

    def __init__(self, call, images):
        import tensorflow as tf

        self._function = tf.function(call, autograph=False)
        self._images = tf.constant(images)
        self._jitted = tf.function(call, autograph=False, jit_compile=True)

    def run(self):
        # Reading one value waits for all.
        return float(self._function(self._images)[0, 0, 0, 0])

    def stablehlo_lines(self):
        """Length of the program before it is optimized, or `None` if there is none."""
        import tensorflow as tf

        try:
            text = self._jitted.experimental_get_compiler_ir(self._images)("stablehlo")
        except (tf.errors.InvalidArgumentError, ValueError, TypeError):
            return None
        # Where each statement comes from stands on lines of its own.
        return sum(not line.startswith("#loc") for line in text.splitlines())

    def temporary_bytes(self):
        """Temporaries of the program compiled by XLA, or `None` where there is none."""
        return temporaries_in_tensorflow(self._jitted, self._images)


class Jax:
    """One side of the comparison under JAX."""

    def __init__(self, call, images, layers):
        import jax

        variables = [v for layer in layers for v in layer.variables]

        def function(values, images):
            mapping = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping) as scope:
                outputs = call(images)
            return [scope.get_current_value(v) for v in variables], outputs

        self._function = jax.jit(function)
        self._values = [v.value for v in variables]
        abstract = isinstance(images, jax.ShapeDtypeStruct)  # only to compile for
        self._images = images if abstract else jax.numpy.asarray(images)

    def run(self):
        self._values, outputs = self._function(self._values, self._images)
        return float(outputs[0, 0, 0, 0])

    def stablehlo_lines(self):
        """Length of the program before it is optimized."""
        lowered = self._function.lower(self._values, self._images)
        return len(lowered.as_text().splitlines())

    def temporary_bytes(self):
        """Temporaries of the compiled program."""
        compiled = self._function.lower(self._values, self._images).compile()
        return compiled.memory_analysis().temp_size_in_bytes


def temporaries_in_tensorflow(function, *arguments):
    """Bytes that a function needs besides what goes in and comes out.

    `None` where XLA does not compile it.
    """
    import tensorflow as tf
    from tensorflow.compiler.xla.service import hlo_pb2

    try:
        ir = function.experimental_get_compiler_ir(*arguments)
        serialized = ir(stage="optimized_hlo_proto_serialized")
    except (tf.errors.InvalidArgumentError, ValueError, TypeError):
        return None
    proto = hlo_pb2.HloProto.FromString(serialized)
    return sum(
        allocation.size
        for allocation in proto.buffer_assignment.buffer_allocations
        if not allocation.is_entry_computation_parameter
        and not allocation.maybe_live_out
        and not allocation.is_constant
        and not allocation.is_thread_local
    )


def prepare(call, images, layers):
    """The side of the Keras backend in use."""
    if keras.backend.backend() == "jax":
        return Jax(call, images, layers)
    return TensorFlow(call, images)
