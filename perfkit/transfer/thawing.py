"""The family of callbacks that have more and more of a model learn."""
# ruff: noqa: ARG002  Keras fixes the arguments of the hooks.

from typing import Any

import keras

from perfkit import _check
from perfkit._train_step import chain
from perfkit.optimizers import LayerwiseRates
from perfkit.transfer import _stages


class Thawing(keras.callbacks.Callback):
    """Abstract: set the rates of the stages of a model at the begin of each epoch.

    The optimizer is a `perfkit.optimizers.LayerwiseRates`, or has one inside; the rest
    of the model stays as it was compiled, so that nothing is compiled again. What has
    a rate of 0 stays exactly as it is. Gradients are computed for it all the same, and
    the slots of the optimizer follow them, so an epoch takes as long as one of the
    whole model. Rates depend on the number of the epoch alone: `initial_epoch` of `fit`
    goes on where another run stopped. When `fit` ends, the rates stay as they are.

    The stages that learn are in the logs of each epoch as `stages`.

    Args:
        stages: See `discriminative_rates`.
        batch_norm: `"frozen"` for a model whose batch normalization in front of the
            head is frozen, see `freeze`; the callback makes sure. `"train"` where it
            learns from the first epoch on, also in stages that do not.
        verbose: Whether to print what begins to learn.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds; in `fit`, if the optimizer has no
            rates for single layers, a stage selects nothing or nothing that could
            learn, or batch normalization would learn.
    """

    def __init__(self, *, stages, batch_norm="frozen", verbose=False):
        super().__init__()
        owner = type(self).__name__
        if not isinstance(stages, (list, tuple)):
            stages = _check.integer(owner, "stages", stages, 2)
        self.stages = stages
        self.batch_norm = _check.one_of(
            owner, "batch_norm", batch_norm, ("frozen", "train")
        )
        self.verbose = _check.boolean(owner, "verbose", verbose)
        self._found: list[_stages.Stage] = []
        self._shown: list[float] = []

    def factors(self, epoch, count) -> list[float]:
        """Operation: the factor of each of so many stages in an epoch."""
        raise NotImplementedError

    def on_train_begin(self, logs=None):
        owner, model = type(self).__name__, self._trained()
        self._rates(model.optimizer)
        # Of a model that is taught, it is the student that learns.
        network = getattr(model, "student", model)
        self._found = _stages.stages(owner, network, self.stages)
        for stage in self._found:
            if not stage.variables:
                expected = "stages of which something is trainable, not "
                expected += f"{stage.name}; call `unfreeze` before `compile`"
                _check.fail(owner, "stages", expected, self.stages)
        if self.batch_norm == "train":
            return
        body, _ = _stages.body_and_last(network)
        learning = [
            one.path
            for one in body
            if isinstance(one.layer, keras.layers.BatchNormalization)
            and one.layer.trainable
        ]
        if learning:
            expected = (
                "'train' where batch normalization learns, as it does in "
                f"{len(learning)} layers ({learning[0]}, ...), or "
                "`transfer.unfreeze(model)` is to be called before `compile`"
            )
            _check.fail(owner, "batch_norm", expected, self.batch_norm)

    def on_epoch_begin(self, epoch, logs=None):
        model = self._trained()
        rates: Any = self._rates(model.optimizer)
        if not rates.built:
            rates.build(model.trainable_variables)
        factors = self.factors(epoch, len(self._found))
        rates.set_each(
            (variable, factor)
            for stage, factor in zip(self._found, factors, strict=True)
            for variable in stage.variables
        )
        if self.verbose and factors != self._shown:
            for stage, factor in zip(self._found, factors, strict=True):
                print(f"epoch {epoch + 1}: {stage.name} at {factor:.3g} of the rate")
        self._shown = factors

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            factors = self.factors(epoch, len(self._found))
            logs["stages"] = sum(factor > 0 for factor in factors)

    def _trained(self) -> Any:
        return self.model  # asking for it has JAX give values back

    def _rates(self, optimizer):
        for one in chain(optimizer):
            if isinstance(one, LayerwiseRates):
                return one
        raise ValueError(
            f"`{type(self).__name__}` needs an optimizer with rates for single layers: "
            "`perfkit.optimizers.LayerwiseRates(optimizer, {'*': 1.0})`. Received: "
            f"{type(optimizer).__name__}"
        )
