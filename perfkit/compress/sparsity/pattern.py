"""What a sparsity pattern is, and the names of those that have one."""

import re
from typing import Any, ClassVar

from perfkit import _check
from perfkit.graph.kernels import Kernel
from perfkit.ops import sparsity as masks


class Pattern:
    """Abstract: which weights are pruned together."""

    # Whether groups of different kernels can be compared, for `scope="global"`.
    comparable: ClassVar[bool] = True

    @property
    def sparsity(self) -> float:
        """The sparsity where none is given."""
        return 0.5

    @property
    def limit(self) -> float:
        """The highest sparsity that it can have."""
        return 1.0

    def obstacle(self, kernel: Kernel) -> str:
        """Operation: why a kernel cannot be pruned so; empty if it can."""
        del kernel
        return ""

    def magnitudes(self, value) -> Any:
        """Operation: scores of the weights of an array by their magnitudes."""
        return masks.in_order_of_magnitude(value)

    def groups(self, scores) -> Any:
        """Operation: the score of each group of weights that go or stay together."""
        return scores

    def spread(self, mask, shape) -> Any:
        """Operation: the mask of the weights from that of the groups."""
        del shape
        return mask

    def mask(self, scores, kernel: Kernel, sparsity) -> Any:
        """Return the mask of one kernel, true where a weight stays."""
        del kernel
        groups = self.groups(scores)
        stay = masks.staying(groups.size, sparsity)
        return self.spread(masks.largest(groups, stay), scores.shape)


def checked(owner, pattern) -> Pattern:
    """Return the pattern that an argument means."""
    from perfkit.compress.sparsity.n_of_m import NofM
    from perfkit.compress.sparsity.unstructured import Unstructured

    if isinstance(pattern, Pattern):
        return pattern
    numbers = re.fullmatch(r"(\d+):(\d+)", pattern) if isinstance(pattern, str) else ()
    if numbers:
        n, m = int(numbers[1]), int(numbers[2])
        if not 1 <= n < m <= 32:
            expected = "'n:m', where n of m weights stay: n from 1 to m - 1, m to 32"
            _check.fail(owner, "pattern", expected, pattern)
        return NofM(n, m)
    if pattern == "unstructured":
        return Unstructured()
    expected = "'unstructured', '2:4' or the like, or a pattern such as `Block((4, 1))`"
    return _check.fail(owner, "pattern", expected, pattern)


def checked_sparsity(owner, sparsity, pattern) -> float:
    """Return the sparsity, checked for what the pattern can do."""
    if sparsity is None:
        return pattern.sparsity
    value = _check.below_one(owner, "sparsity", sparsity)
    if value > pattern.limit:
        expected = f"at most {pattern.limit:g} with {pattern}"
        _check.fail(owner, "sparsity", expected, sparsity)
    return value
