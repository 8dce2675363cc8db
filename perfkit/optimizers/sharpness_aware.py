"""Gradients from the worst point nearby."""

from typing import Any

import keras

from perfkit import _backend, _check, _replicas
from perfkit._backend import ops
from perfkit._train_step import chain, fail_unattached
from perfkit.ops import gradients as of_gradients
from perfkit.optimizers.wrapper import Wrapper


@keras.saving.register_keras_serializable(package="perfkit")
class SharpnessAware(Wrapper):
    """Take the gradient where the loss is worst within a ball around the weights.

    Weights come to rest where the loss is flat, which generalizes better. Each step
    computes two gradients of the batch and costs about two steps; with `every` only one
    step in so many does. Both see the same dropout; moving statistics and metrics are
    those of the first, so that they move once.

    The second gradient needs a train step: call `perfkit.optimizers.attach(model)`
    after `compile`. In a training loop of your own call `ascend(gradients, variables)`,
    then `apply` with the gradients at the new place.

    The optimizer inside neither accumulates gradients nor is the loss scaled: use
    `mixed_bfloat16`, or with `mixed_float16` compile with `auto_scale_loss=False`,
    which Keras forgets in a saved model, together with what the optimizer holds.

    Args:
        inner_optimizer: What is applied from where the weights were: an optimizer or
            its Keras name.
        rho: Radius of the ball. At least 0; 0.05 suits `adaptive=False`, 0.5 to 2
            `adaptive=True`.
        adaptive: Whether the ball is an ellipsoid, long where weights are large (ASAM),
            so that a rescaled network is trained alike.
        every: Steps from one with two gradients to the next. At least 1; with more
            compile with `steps_per_execution=1`.
        name: Name of the optimizer.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds, if `inner_optimizer` accumulates
            gradients, or, while training, without `attach` or with a scaled loss.

    Example:
        >>> import numpy as np
        >>> from perfkit import optimizers
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.compile(SharpnessAware("sgd"), "mse")
        >>> optimizers.attach(model)
        >>> history = model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)

    Reference: Foret et al., Sharpness-Aware Minimization, 2020, arXiv 2010.01412, and
        Kwon et al., ASAM, 2021, arXiv 2102.11600, with their eta of 0.01. With
        `tf.distribute` the ball is that of the whole batch, in the papers of each
        replica's part.
    """

    level = 2

    def __init__(
        self, inner_optimizer, rho=0.05, *, adaptive=False, every=1, name=None
    ):
        owner = "SharpnessAware"
        super().__init__(inner_optimizer, name=name)
        for inner in chain(self.inner_optimizer):
            if getattr(inner, "gradient_accumulation_steps", None):
                expected = "an optimizer without `gradient_accumulation_steps`"
                _check.fail(owner, "inner_optimizer", expected, inner)
        self.rho = _check.number(owner, "rho", rho, 0.0)
        self.adaptive = _check.boolean(owner, "adaptive", adaptive)
        self.every = _check.integer(owner, "every", every)
        self._phase = "untold"
        self._origin: dict[int, Any] = {}

    @property
    def every_step(self) -> int:
        """Steps from one that is `due` to the next."""
        return self.every

    def ascend(self, gradients, variables):
        """Move variables to the worst point nearby.

        Args:
            gradients: Of the loss where the variables are.
            variables: Some or all that the optimizer trains.
        """
        variables = list(variables)
        self.build(variables)
        self._origin = _by_id(variables, _backend.copies(variables))
        self._go_up(list(gradients), variables)
        self._phase = "down"

    def _go_up(self, gradients, variables):
        gradients, _ = _replicas.of_all_replicas(gradients)
        moving = [
            (ops.cast(gradient, variable.dtype), variable)
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None
        ]
        variables = [variable for _, variable in moving]
        weights = _backend.copies(variables)
        scales: list[Any] = [1.0] * len(weights)
        if self.adaptive:
            scales = [ops.abs(w) + 0.01 for w in weights]
        pairs = zip(moving, scales, strict=True)
        scaled = [gradient * scale for (gradient, _), scale in pairs]
        norm = ops.maximum(of_gradients.global_norm(scaled), 1e-12)
        ends = [
            w + ops.cast(self.rho / norm, g.dtype) * g * scale
            for w, g, scale in zip(weights, scaled, scales, strict=True)
        ]
        _replicas.assign(variables, ends)

    def check_ready(self):
        if self._phase == "untold":
            why = "takes two gradients in a step (in a loop of your own use `ascend`)"
            fail_unattached(self.name, why)

    def step(self, gradients, variables):
        if self._phase == "up":
            self._go_up(gradients, variables)
            return
        if self._origin:
            _replicas.assign(variables, [self._origin[id(v)] for v in variables])
            self._origin, self._phase = {}, "untold"
        self.inner_step(gradients, variables)

    def attached_to(self, model):
        """Refuse a model whose loss is scaled."""
        if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
            raise ValueError(
                f"{self.name} cannot work on a scaled loss: the second gradient may "
                "overflow where the first did not. Compile with "
                "`auto_scale_loss=False`, or use the policy `mixed_bfloat16`."
            )

    def around(self, step):
        """Run a step twice: up to the worst point, and down from where it began."""
        self.attached_to(step.model)
        return self._twice(step) if step.due else self._run(step, "down", {})

    def _run(self, step, phase, origin):
        self._phase, self._origin = phase, origin
        try:
            return step.run()
        finally:
            self._phase, self._origin = "untold", {}

    def _twice(self, step):
        model = step.model
        kept = [*model.non_trainable_variables, *model.metrics_variables]
        before = step.read(kept)
        origin = _by_id(model.trainable_variables, step.read(model.trainable_variables))
        logs = self._run(step, "up", {})
        after = step.read(kept)
        step.write(kept, before)
        self._run(step, "down", origin)
        step.write(kept, after)
        return logs


def _by_id(variables, values):
    pairs = zip(variables, values, strict=True)
    return {id(variable): value for variable, value in pairs}
