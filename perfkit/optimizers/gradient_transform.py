"""The abstract base of what changes gradients on their way to an optimizer."""

from perfkit import _replicas
from perfkit._backend import ops
from perfkit.ops import kernels
from perfkit.ops import variables as names
from perfkit.optimizers.wrapper import Wrapper


class GradientTransform(Wrapper):
    """Abstract: change the gradient of each variable, then apply another optimizer.

    Gradients are those of the whole batch, with `tf.distribute` summed over the
    replicas. A subclass overrides `transform`.

    Args:
        inner_optimizer: What is applied afterwards, clipping included.
        name: See `Wrapper`.
    """

    def transform(self, gradient, variable):
        """Operation: the gradient that the optimizer inside gets for a variable."""
        raise NotImplementedError

    def _transformed(self, gradient, variable):
        return self.transform(ops.cast(gradient, variable.dtype), variable)

    def step(self, gradients, variables):
        gradients, replicas = _replicas.of_all_replicas(gradients)
        changed = [
            None
            if gradient is None
            else self._transformed(gradient, variable) / replicas
            for gradient, variable in zip(gradients, variables, strict=True)
        ]
        self.inner_step(changed, variables)


def units_of(variable) -> tuple[int, ...]:
    """Axes of a variable that number output units, as far as its name tells."""
    return kernels.units_of_path(names.path(variable), len(variable.shape))
