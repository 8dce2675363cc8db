"""Adam in the eigenbasis of Shampoo."""

import math
from typing import Any

import keras

from perfkit import _check
from perfkit._backend import matmul, ops
from perfkit.ops import moments
from perfkit.optimizers._rule import Rule


@keras.saving.register_keras_serializable(package="perfkit")
class SOAP(Rule):
    """Take steps of Adam in the directions in which gradients vary the most.

    For each matrix it keeps the mean of `G G'` and of `G' G` and, now and then,
    turns Adam's axes towards their eigenvectors. Kernels of convolutions are
    matrices of `(inputs, filters)`; vectors are left to Adam. The first step only
    looks at the gradients: weights stay as they are.

    Args:
        learning_rate: At least 0; a number, a schedule or a function.
        beta_1: Forgetting of the mean of gradients. Within [0, 1).
        beta_2: Forgetting of the means of squares and of products. Within [0, 1).
        epsilon: Added to the root of the mean of squares. Above 0.
        weight_decay: Decoupled weight decay, multiplied by the rate, or `None`. At
            least 0.
        precondition_frequency: After how many steps axes are turned. At least 1.
        max_size: A longer side of a matrix keeps its axes; a side takes twice its
            square in memory. At least 1.
        **kwargs: `no_decay=True` spares biases and normalization from weight decay,
            a list of patterns what they match; and those of
            `keras.optimizers.Optimizer`: `clipnorm`, `name`, ...

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> weights = keras.Variable([[2.0, 0.0], [0.0, 1.0]])
        >>> optimizer = SOAP(0.5, weight_decay=0.0)
        >>> for _ in range(2):
        ...     optimizer.apply([1.0 * weights], [weights])
        >>> [round(float(weight), 2) for weight in weights.numpy().ravel()]
        [1.5, 0.0, 0.0, 0.5]

    Reference: Vyas et al., SOAP: Improving and Stabilizing Shampoo using Adam, 2024,
        arXiv 2409.11321, algorithms 3 and 4. The first step is left out as in the
        authors' code: its gradient is diagonal in its own basis, where Adam would
        divide rounding errors by themselves.
    """

    slots = ("mean", "square")

    def __init__(
        self,
        learning_rate=0.003,
        beta_1=0.95,
        beta_2=0.95,
        epsilon=1e-8,
        weight_decay=0.01,
        precondition_frequency=10,
        max_size=10000,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.beta_1 = _check.below_one("SOAP", "beta_1", beta_1)
        self.beta_2 = _check.below_one("SOAP", "beta_2", beta_2)
        self.epsilon = _check.positive("SOAP", "epsilon", epsilon)
        self.precondition_frequency = _check.integer(
            "SOAP", "precondition_frequency", precondition_frequency
        )
        self.max_size = _check.integer("SOAP", "max_size", max_size)

    def make_slots(self, variable):
        slots = super().make_slots(variable)
        if len(variable.shape) > 1:
            for side, size in enumerate(_as_matrix(variable.shape)):
                if size <= self.max_size:
                    for name in (f"product_{side}", f"basis_{side}"):
                        slots[name] = self.add_variable((size, size), name=name)
        return slots

    def step(self, gradient, weights, slots, now):
        shape = tuple(gradient.shape)
        matrix = _as_matrix(shape) if len(shape) > 1 else shape
        first = now.count < 1.5
        flat = ops.reshape(gradient, matrix)
        sides = [side for side in (0, 1) if f"basis_{side}" in slots]
        kept = {}
        products = {}
        bases = {}
        for side in sides:
            product: Any = matmul(flat, ops.transpose(flat))
            if side == 1:
                product = matmul(ops.transpose(flat), flat)
            old = slots[f"product_{side}"]
            products[side] = moments.mean(old, product, self.beta_2)
            bases[side] = self._begun(product, slots[f"basis_{side}"], first)

        def turned(x, back=False):
            x = ops.reshape(x, matrix)
            for side, basis in bases.items():
                out = basis if back else ops.transpose(basis)
                x = matmul(out, x) if side == 0 else matmul(x, ops.transpose(out))
            return ops.reshape(x, shape)

        mean = moments.mean(slots["mean"], gradient, self.beta_1)
        square = ops.square(turned(gradient))
        square = moments.mean(slots["square"], square, self.beta_2)
        count = ops.maximum(now.count - 1.0, 1.0)
        length = ops.sqrt(moments.unbiased(square, self.beta_2, count))
        direction = turned(moments.unbiased(mean, self.beta_1, count))
        direction = turned(direction / (length + self.epsilon), back=True)
        moved = weights - now.rate * (direction + now.decay * weights)

        due = ops.equal(ops.mod(now.count, self.precondition_frequency), 0.0)
        for side in sides:
            kept[f"product_{side}"] = products[side]
            kept[f"basis_{side}"] = self._improved(products[side], bases[side], due)
        kept["mean"] = ops.where(first, slots["mean"], mean)
        kept["square"] = ops.where(first, slots["square"], square)
        return ops.where(first, weights, moved), kept

    def _begun(self, product, basis, first) -> Any:
        """Eigenvectors at the first step, by falling eigenvalue."""
        return ops.cond(
            first, lambda: ops.flip(ops.eigh(product)[1], axis=1), lambda: basis
        )

    def _improved(self, product, basis, due) -> Any:
        """One step of orthogonal iteration, which keeps that order."""
        return ops.cond(due, lambda: ops.qr(matmul(product, basis))[0], lambda: basis)


def _as_matrix(shape):
    return math.prod(shape[:-1]), shape[-1]
