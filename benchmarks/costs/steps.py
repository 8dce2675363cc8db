"""A compiled step of a layer, forward and backward, and what it needs."""

import time

import keras
import numpy as np

from benchmarks.sides import temporaries_in_tensorflow


class Step:
    """Gradients of the sum of a layer's squared outputs.

    By the inputs and all that is trained, while training; statistics and seeds move
    on. Squares have the outputs be made, and be kept for the way back.

    Args:
        layer: A layer that is not built.
        shape: Shape of one sample.
        batch: Samples.
    """

    def __init__(self, layer, shape, batch):
        inputs = keras.Input(shape, batch)
        self._model = keras.Model(inputs, layer(inputs))
        rng = np.random.default_rng(0)
        self.inputs = rng.normal(size=(batch, *shape)).astype("float32")
        self.parameters = sum(
            int(np.prod(v.shape)) for v in self._model.trainable_variables
        )
        backend = keras.backend.backend()
        prepare = {"tensorflow": self._in_tensorflow, "jax": self._in_jax}[backend]
        self._run, self.temporary_bytes = prepare()
        self.gradients()

    def gradients(self):
        """Gradient by the inputs, then by what is trained; waits for all of them."""
        return self._run()

    def milliseconds(self, steps):
        """Of a step, the mean of some in a row."""
        began = time.perf_counter()
        for _ in range(steps):
            self._run()
        return 1000 * (time.perf_counter() - began) / steps

    def _in_tensorflow(self):
        import tensorflow as tf

        model, x = self._model, tf.constant(self.inputs)
        variables = [v.value for v in model.trainable_variables]

        @tf.function(autograph=False, jit_compile=True)
        def step(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = energy(model(x, training=True))
            return value, tape.gradient(
                value,
                [x, *variables],
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )

        def run():
            value, gradients = step(x)
            float(value)  # one value waits for all
            return gradients

        return run, temporaries_in_tensorflow(step, x)

    def _in_jax(self):
        import jax

        model, x = self._model, jax.numpy.asarray(self.inputs)
        trained = [v.value for v in model.trainable_variables]
        others = [v.value for v in model.non_trainable_variables]

        def objective(x, trained, others):
            outputs, others = model.stateless_call(trained, others, x, training=True)
            return energy(outputs), others

        gradient = jax.grad(objective, argnums=(0, 1), has_aux=True)
        compiled = jax.jit(gradient).lower(x, trained, others).compile()

        def run():
            nonlocal others
            found, others = compiled(x, trained, others)
            jax.block_until_ready((found, others))
            return [found[0], *found[1]]

        return run, compiled.memory_analysis().temp_size_in_bytes


def energy(outputs):
    """Sum of the squares of all outputs."""
    return sum(keras.ops.sum(keras.ops.square(x)) for x in keras.tree.flatten(outputs))
