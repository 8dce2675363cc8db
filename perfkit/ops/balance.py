"""How tasks, and how modalities, are kept from getting in each other's way."""

from typing import Any

from perfkit._backend import keras_ops as ops


def without_conflicts(products, order) -> Any:
    """How much of each task's gradient is left, or added, without conflicts.

    The gradient of each task, one after the other of the others, is projected onto the
    plane at right angles to theirs, where they point apart. All that this takes are
    inner products.

    Args:
        products: `(tasks, tasks, tasks)`: for each task, the inner products of the
            gradients of all, over the variables that it has.
        order: int32 `(tasks, tasks)`: for each task, which of all comes when.

    Returns:
        `(tasks, tasks)`, a row for each task: its new gradient as a sum of the old ones
        of all.
    """
    tasks = products.shape[0]
    numbers = ops.arange(tasks, dtype="int32")
    shares = ops.eye(tasks, dtype=products.dtype)
    for turn in range(tasks):
        other = order[:, turn]
        picked = ops.cast(other[:, None] == numbers[None, :], products.dtype)
        with_other = ops.sum(products * picked[:, None, :], axis=2)
        length = ops.sum(with_other * picked, axis=1)
        along = ops.sum(with_other * shares, axis=1)
        apart = (along < 0) & (length > 0) & (other != numbers)
        part = ops.where(apart, along / ops.where(length > 0, length, 1.0), 0.0)
        shares = shares - part[:, None] * picked
    return shares


def held_back(scores, alpha) -> Any:
    """Factors of the gradients of modalities, less where one is ahead of the others.

    Args:
        scores: `(modalities,)`, how much of the right class each of them knows.
        alpha: How much the one that is ahead is held back.
    """
    many = scores.shape[0]
    others = (ops.sum(scores) - scores) / (many - 1)
    ratio = scores / ops.maximum(others, 1e-8)
    return ops.where(ratio > 1.0, 1.0 - ops.tanh(alpha * ratio), 1.0)
