"""The candidates of a ranking: functions that make them, and what they take."""

from collections.abc import Mapping

import keras

from perfkit import _check


def makers(owner, candidates) -> dict:
    """Return functions that make the candidates, by their names."""
    if isinstance(candidates, (list, tuple)):
        for each in candidates:
            _check.instance(owner, "candidates", each, keras.Model)
        named = {each.name: each for each in candidates}
        if len(named) < len(candidates):
            names = [each.name for each in candidates]
            _check.fail(owner, "candidates", "models of different names", names)
    else:
        named = _check.instance(owner, "candidates", candidates, Mapping)
    if not named:
        _check.fail(owner, "candidates", "one candidate or more", candidates)
    for each in named.values():
        if not callable(each):
            expected = "models, or functions that make one"
            _check.fail(owner, "candidates", expected, each, TypeError)
    return {str(name): _maker(each) for name, each in named.items()}


def _maker(candidate):
    return (lambda: candidate) if isinstance(candidate, keras.Model) else candidate


def preprocessing(owner, given, names) -> dict:
    """Return functions of a batch by the names of the candidates; `None` is "auto"."""
    if given == "auto":
        given = {}
    if not isinstance(given, Mapping):
        given = dict.fromkeys(names, given)
    for name, function in given.items():
        if name not in names or not callable(function):
            expected = '"auto", a function, or a dict of them by names of candidates'
            _check.fail(owner, "preprocessing", expected, given, TypeError)
    return {name: given.get(name) for name in names}
