"""Optimizers that keep averaged weights beside those they train."""

from typing import Any

from perfkit import _backend


class Averaging:
    """Keep an average of the weights, and put it into the model when asked to.

    While training, the variables of the model hold the weights that gradients are
    taken at. `swap` exchanges them with the averages, before evaluating, predicting
    or saving; the same again goes back, exactly.

    An optimizer says in `exchanged` what is exchanged with what.
    """

    def exchanged(self) -> tuple[list[tuple[Any, Any]], Any]:
        """Optimizer: pairs of a model's variable and ours, and a variable.

        The last is 1 while they are exchanged, else 0. No pairs before `build`.
        """
        raise NotImplementedError

    @property
    def averaged(self) -> bool:
        """Whether the variables of the model hold the averages now."""
        pairs, flag = self.exchanged()
        return bool(pairs) and bool(flag.numpy() > 0)

    def swap(self):
        """Exchange the weights of the model with the averages, or back again.

        Before the optimizer is built there is nothing to exchange.
        """
        pairs, flag = self.exchanged()
        averaged = self.averaged
        for variable, kept in pairs:
            mine, theirs = _backend.read(variable), _backend.read(kept)
            variable.assign(theirs)
            kept.assign(mine)
        if pairs:
            flag.assign(0 if averaged else 1)
