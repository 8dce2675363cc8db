"""Prune a model step by step while it is trained."""
# ruff: noqa: ARG002  Keras fixes the arguments of the hooks.

import warnings
from typing import Any

import keras

from perfkit import _check
from perfkit.compress.sparsity import _masked, _scoring
from perfkit.compress.sparsity._choosing import chosen
from perfkit.compress.sparsity._masking import Masking
from perfkit.compress.sparsity._memory import MEMORIES
from perfkit.compress.sparsity._timing import Timing
from perfkit.compress.sparsity.n_of_m import NofM
from perfkit.compress.sparsity.pattern import checked
from perfkit.compress.sparsity.prune_report import PruneReport, report_of
from perfkit.graph import selection
from perfkit.graph.arrays import array


class Pruning(keras.callbacks.Callback):
    """Prune a model step by step while `fit` trains it.

    Every so many training steps, masks are computed anew for the sparsity that the
    schedule gives, which is exact, also where weights are equal. In between, a
    constraint on each kernel puts zeros back after each update, within the compiled
    step. When `fit` ends, the sparsity is the schedule's at the last step. The zeros
    stay from then on, as after `prune`: `strip_pruning` takes the masks off. A warning
    says so if a schedule with an `end_step`, as `CubicSparsity` has, did not come to
    its end.

    It works on any model and under wrappers of optimizers. Inside a model that teaches
    a student, such as `transfer.Distiller`, the student is pruned. Give it after
    callbacks that set weights, such as `EarlyStopping(restore_best_weights=True)`.

    When training goes on later, also by `BackupAndRestore`, the schedule goes on at the
    optimizer's number of steps. `.weights.h5` files have the masks and what is
    remembered of pruned weights. `.keras` files have neither; there the zeros are taken
    for the masks. After a `fit` that broke off, zeros are still kept: call `fit` with
    this callback again, or its `on_train_end()` to finish.

    Zeros make a file smaller once it is compressed, and so a download. They do not make
    a model faster on x86: no runtime for it skips them.

    Args:
        schedule: A sparsity within [0, 1), or a function of the training step that
            returns one: `CubicSparsity(0.8, steps=2000)`, a Keras schedule, or
            `PolynomialDecay` and `ConstantSparsity` of tensorflow-model-optimization.
            It may also return a pair: whether masks are due, and the sparsity.
        where: See `prune`.
        pattern: See `prune`.
        criterion: Which weights are pruned. `"magnitude"`: small ones, for good.
            `"straight_through"`: small ones, but they are trained on out of sight, by
            the gradients of their zeros, and may come back. `"movement"`: those that
            move towards zero, for fine-tuning a pretrained model; their values are
            remembered, and they may come back. None is `"straight_through"` for `NofM`,
            whose masks would hardly change otherwise, else `"magnitude"`.
        scope: See `prune`.
        every: Number of training steps between masks, for a schedule that does not say
            when they are due. At least 1.
        strict: See `prune`. With `"movement"` a frozen kernel cannot be pruned.

    Attributes:
        report: `PruneReport` of the last `fit` that ended, or None.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds; in `fit`, if a selected layer
            cannot be pruned, another `Pruning` of the same `fit` prunes a kernel, too,
            or the schedule gives no sparsity.

    Example:
        >>> import numpy as np
        >>> from perfkit.compress import CubicSparsity
        >>> dense = keras.layers.Dense(5, name="dense")
        >>> model = keras.Sequential([keras.Input((4,)), dense])
        >>> model.compile("sgd", "mse")
        >>> pruning = Pruning(CubicSparsity(0.8, steps=4), every=2)
        >>> x, y = np.ones((8, 4)), np.ones((8, 5))
        >>> history = model.fit(
        ...     x, y, batch_size=2, epochs=2, verbose=0, callbacks=[pruning]
        ... )
        >>> history.history["sparsity"], pruning.report.zeros
        ([0.7, 0.8], 16)

    Reference: Zhu and Gupta, To Prune, or Not to Prune, 2017, arXiv 1710.01878, for
        magnitudes. Zhou et al., Learning N:M Fine-grained Structured Sparse Neural
        Networks From Scratch, 2021, arXiv 2102.04010, for `"straight_through"`, without
        its decay of pruned weights. Sanh et al., Movement Pruning, 2020, arXiv
        2005.07683, the hard kind: scores add up weight times update, where the paper
        has weight times gradient and a rate of its own; with SGD that is the same.
    """

    def __init__(
        self,
        schedule: Any,
        *,
        where=None,
        pattern: Any = "unstructured",
        criterion=None,
        scope="local",
        every=100,
        strict=True,
    ):
        super().__init__()
        owner = type(self).__name__
        self.pattern = checked(owner, pattern)
        self._timing = Timing(owner, schedule, every, self.pattern.limit)
        self.schedule, self.every = schedule, self._timing.every
        selection.check(owner, where)
        self.where = where
        if criterion is None:
            is_rows = isinstance(self.pattern, NofM)
            criterion = "straight_through" if is_rows else "magnitude"
        names = ("magnitude", *MEMORIES)
        self.criterion = _check.one_of(owner, "criterion", criterion, names)
        self.scope = _scoring.checked_scope(owner, scope, self.pattern)
        self.strict = _check.boolean(owner, "strict", strict)
        self.report: PruneReport | None = None
        self._left_out: dict[str, str] = {}
        self._masking: Masking | None = None

    def set_model(self, model):
        # Here, as `fit` makes its step before training begins, and `BackupAndRestore`
        # then reads into what is there.
        super().set_model(model)
        self._trains = False
        owner = type(self).__name__
        kernels, self._left_out = chosen(
            owner,
            getattr(model, "student", model),
            self.where,
            strict=self.strict,
            pattern=self.pattern,
            obstacle=self._obstacle,
        )
        self._masking = Masking(
            owner, model, kernels, self.pattern, self.scope, self.criterion
        )
        _masked.notice(model)

    def _obstacle(self, kernel):
        if self.criterion == "movement" and not kernel.variable.trainable:
            return "it is frozen and does not move"
        return ""

    def on_train_begin(self, logs=None):
        # Only now all callbacks of this `fit` have the model, and those of one that
        # broke off have no say.
        lost = self._now().lost()
        if lost:
            expected = "a choice of kernels that no other `Pruning` of this `fit` has, "
            expected += f"unlike {', '.join(lost)}"
            _check.fail(type(self).__name__, "where", expected, self.where)
        self._trains = True
        self._timing.begin()

    def on_epoch_begin(self, epoch, logs=None):
        self._begun_at = self._steps()

    def on_train_batch_begin(self, batch, logs=None):
        step = self._begun_at + batch
        goes_on = self._timing.is_first and step > 0
        is_due = self._timing.is_due(step)
        if not is_due and not goes_on:
            return
        masking = self._now()
        sparsity = self._timing.sparsity(step)
        if goes_on and not masking.is_masked():
            masking.take_zeros(sparsity)
        if is_due:
            masking.update(sparsity)

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["sparsity"] = self._now().sparsity()

    def on_train_end(self, logs=None):
        masking, step = self._now(), self._steps()
        if masking.is_masked() or self._timing.is_asking(step):
            masking.complete(self._timing.sparsity(step))
        reached, missing = masking.sparsity(), self._timing.missing(step)
        self._leave(masking)
        self.report = report_of(masking.kernels, self._left_out)
        if missing:
            warnings.warn(
                f"`Pruning` was to reach a sparsity of {missing}, but training ended "
                f"at step {step} with {reached:.3g}. Train on with it, or have the "
                "schedule take fewer steps.",
                stacklevel=2,
            )

    def on_test_begin(self, logs=None):
        self._leave_unless_training()

    def on_predict_begin(self, logs=None):
        self._leave_unless_training()

    def _leave_unless_training(self):
        """Be gone again where this was given to `evaluate` or `predict` alone."""
        if self._masking is not None and not self._trains:
            self._leave(self._masking)

    def _leave(self, masking):
        masking.settle()
        self._masking, self._trains = None, False
        _masked.notice(self._trained())

    def _trained(self) -> Any:
        return self.model  # asking for it has JAX give values back

    def _now(self) -> Masking:
        self._trained()
        if self._masking is None:
            raise ValueError("`Pruning` has ended; give it to `fit` to begin anew.")
        return self._masking

    def _steps(self):
        """How many steps the optimizer has done, as schedules count them."""
        variables = self._trained().optimizer.variables
        *_, count = [v for v in variables if v.name == "iteration"]  # the innermost
        return int(array(count))
