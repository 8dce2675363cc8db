"""Which variables of a model a name pattern means, and which of them are decayed.

The path of a variable begins with the name of the model in a Sequential model and
with that of the layer in a Functional one, `sequential/encoder/kernel` and
`encoder/kernel`. So a pattern may match any stretch of the path.
"""

import fnmatch

from perfkit import _check

# The last word of the names that Keras's layers give to what shifts or scales.
_NOT_WEIGHTS = ("alpha", "beta", "bias", "gamma", "offset", "scale", "shift")


def path(variable) -> str:
    """Path of a variable in its model; of a TensorFlow variable, its name."""
    return getattr(variable, "path", None) or variable.name.partition(":")[0]


def stretches(variable) -> list[str]:
    """Names that mean a variable, such as `encoder`, `encoder/kernel`, `kernel`."""
    parts = path(variable).split("/")
    ends = range(1, len(parts) + 1)
    return ["/".join(parts[start:end]) for end in ends for start in range(end)]


def matches(pattern, variable) -> bool:
    """Whether a shell-style pattern (`*`, `?`, `[ab]`) matches a stretch of a path."""
    return any(fnmatch.fnmatchcase(name, pattern) for name in stretches(variable))


def matched(owner, name, patterns, variables) -> list[bool]:
    """Whether one of `patterns` matches, for each variable.

    Args:
        owner: Whose argument the patterns are, for the error.
        name: The name of that argument.
        patterns: Shell-style patterns.
        variables: The variables of a model.

    Raises:
        ValueError: If a pattern matches none of the variables.
    """
    for pattern in patterns:
        if not any(matches(pattern, variable) for variable in variables):
            paths = [path(variable) for variable in variables]
            more = f" and {len(paths) - 12} more" if len(paths) > 12 else ""
            expected = "patterns that each match some stretch of the path of a "
            expected += f"variable, of {', '.join(paths[:12])}{more}"
            _check.fail(owner, name, expected, pattern)
    return [any(matches(p, variable) for p in patterns) for variable in variables]


def is_bias_or_scale(variable) -> bool:
    """Whether a variable shifts or scales, by its rank or by its name."""
    word = path(variable).rpartition("/")[2].rpartition("_")[2]
    return len(variable.shape) <= 1 or word in _NOT_WEIGHTS


def no_decay_choice(owner, value) -> bool | list[str]:
    """Check that the argument `no_decay` is a boolean or a list of patterns."""
    if isinstance(value, bool):
        return value
    patterns = list(value) if isinstance(value, (list, tuple)) else []
    if not patterns or not all(isinstance(p, str) and p for p in patterns):
        expected = "True, False or a list of name patterns"
        _check.fail(owner, "no_decay", expected, value)
    return patterns


def decayed(owner, no_decay, variables) -> list[bool]:
    """Whether weight decay is for a variable, for each of them.

    Args:
        owner: Whose argument `no_decay` is, for the error.
        no_decay: False to decay all; True to leave out biases and the scales and
            shifts of normalization; or the patterns of those to leave out.
        variables: The variables of a model.

    Raises:
        ValueError: If a pattern matches none of the variables.
    """
    if isinstance(no_decay, bool):
        return [not (no_decay and is_bias_or_scale(v)) for v in variables]
    return [not hit for hit in matched(owner, "no_decay", no_decay, variables)]
