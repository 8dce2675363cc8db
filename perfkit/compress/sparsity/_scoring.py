"""From scores of several kernels to their masks."""

from typing import Any

import numpy as np

from perfkit import _check
from perfkit.ops import sparsity as ops

SCOPES = ("local", "global")


def checked_scope(owner, scope, pattern) -> str:
    """Check the argument `scope`, for a pattern."""
    _check.one_of(owner, "scope", scope, SCOPES)
    if scope == "global" and not pattern.comparable:
        expected = f"'local' with {pattern}, whose groups all have as many zeros"
        _check.fail(owner, "scope", expected, scope)
    return scope


def masks(kernels, scores, sparsity, pattern, scope) -> list[Any]:
    """Return the mask of each kernel, true where a weight stays."""
    if scope == "local":
        pairs = zip(scores, kernels, strict=True)
        return [pattern.mask(score, kernel, sparsity) for score, kernel in pairs]
    groups = [pattern.groups(score) for score in scores]
    stay = ops.staying(sum(group.size for group in groups), sparsity)
    pairs = zip(ops.largest_of_all(groups, stay), scores, strict=True)
    return [pattern.spread(mask, score.shape) for mask, score in pairs]


def share_of_zeros(scores, pattern) -> float:
    """Return the share of groups that are zero, of scores that are magnitudes."""
    groups = [pattern.groups(score) for score in scores]
    return 1.0 - sum(map(np.count_nonzero, groups)) / sum(x.size for x in groups)
