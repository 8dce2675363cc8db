"""Variables and gradients where `tf.distribute` trains several replicas together.

Without it, and on other backends, all of this is for one replica.
"""

from typing import Any

import keras

from perfkit import _backend
from perfkit._backend import engine, ops, tensorflow


def replica() -> Any:
    """Number of the replica that `tf.distribute` runs the caller on, or 0."""
    if engine() != "tensorflow":
        return 0
    context = tensorflow().distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group


def _context():
    """TensorFlow's context where several replicas train together, or None."""
    if engine() != "tensorflow":
        return None
    context = tensorflow().distribute.get_replica_context()
    alone = context is None or context.num_replicas_in_sync == 1
    return None if alone else context


def replicas() -> int:
    """How many replicas of `tf.distribute` train together."""
    context = _context()
    return 1 if context is None else context.num_replicas_in_sync


def strategy() -> Any:
    """The strategy of `tf.distribute` that the caller runs under, or None."""
    if engine() != "tensorflow":
        return None
    return tensorflow().distribute.get_strategy()


def on_replicas(strategy, function) -> None:
    """Call a function on every replica of a strategy."""
    if strategy is None or strategy.num_replicas_in_sync == 1:
        function()
    else:
        strategy.run(function)


def mean_of_replicas(values) -> list[Any]:
    """Floats averaged over the replicas."""
    context = _context()
    if context is None:
        return values
    return context.all_reduce(tensorflow().distribute.ReduceOp.MEAN, values)


def gathered(value) -> Any:
    """A number of each replica, as a vector."""
    context = _context()
    if context is None:
        return ops.reshape(value, (1,))
    return context.all_gather(ops.reshape(value, (1,)), axis=0)


def of_all_replicas(gradients) -> tuple[list[Any], int]:
    """Dense gradients, summed over the replicas, and the number of these.

    None stays None.
    """
    present = [_backend.dense(g) for g in gradients if g is not None]
    context, replicas = _context(), 1
    if context is not None:
        present = context.all_reduce(tensorflow().distribute.ReduceOp.SUM, present)
        replicas = context.num_replicas_in_sync
    summed = iter(present)
    return [None if g is None else next(summed) for g in gradients], replicas


def assign(variables, values) -> None:
    """Give variables values, which are the same on all replicas."""
    context = _context()
    if context is None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(ops.cast(value, variable.dtype))
        return

    def update(strategy, *values):
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(
                variable.value,
                lambda variable, value: variable.assign(value),
                args=(value,),
                group=False,
            )

    casts = [ops.cast(x, v.dtype) for v, x in zip(variables, values, strict=True)]
    context.merge_call(update, args=casts)


def apply_if(flag, optimizer, gradients, variables) -> None:
    """Have an optimizer apply gradients if the boolean tensor `flag` is true."""
    changed = [*optimizer.variables, *variables]
    if _context() is not None:  # replicas cannot meet within a condition
        before = _backend.copies(changed)
        optimizer.apply(gradients, variables)
        after = _backend.copies(changed)
        pairs = zip(after, before, strict=True)
        assign(changed, [ops.where(flag, new, old) for new, old in pairs])
    elif engine() == "jax":

        def applied():
            mapping = list(zip(changed, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping) as scope:
                optimizer.apply(gradients, variables)
            return [scope.get_current_value(variable) for variable in changed]

        values = _backend.copies(changed)
        assign(changed, ops.cond(flag, applied, lambda: values))
    else:
        ops.cond(flag, lambda: optimizer.apply(gradients, variables), lambda: None)
