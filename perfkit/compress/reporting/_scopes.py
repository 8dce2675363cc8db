"""Which layer of a Keras model makes which tensor of a TFLite file.

A tensor is named after the operations that made it, and these after the layers, as in
`model/relu_1/Relu;model/conv_1/convolution`. TensorFlow numbers what has the same name,
so `conv_1` may be the layer `conv_1` or the layer `conv`.
"""

import re
from collections.abc import Sequence

Scope = tuple[str, ...]


def layers_of(names: Sequence[str], paths: Sequence[str]) -> list[list[str]]:
    """Return the paths of the layers that each tensor is named after, in their order.

    It is the output of the last one, or inside of it. A layer is left out where a
    number leaves open which one is meant.

    Args:
        names: Of all tensors of a file, weights too.
        paths: Of the layers of the model, from the first to the last.
    """
    order = {path: place for place, path in enumerate(paths)}
    scopes = [[_scope(part) for part in name.split(";")] for name in names]
    known = _known({scope for parts in scopes for scope in parts}, paths)
    layers = [{known[scope] for scope in parts if scope in known} for parts in scopes]
    return [sorted(of, key=order.__getitem__) for of in layers]


def _scope(part) -> Scope:
    """Return the scope of an operation: its name without itself and the model."""
    return tuple(part.split("/")[1:-1])


def _known(scopes, paths) -> dict[Scope, str]:
    """Return the path of the layer of each scope, where only one is possible."""
    heads: dict[Scope, Scope] = {}  # up to the name of the layer; the rest is inside it
    options: dict[Scope, set[str]] = {}
    for scope in scopes:
        plain = [(name, re.sub(r"_\d+$", "", name)) for name in scope]
        ends = [(path.count("/"), _end(plain, path), path) for path in paths]
        inside = [each for each in ends if each[1]]
        if inside:
            depth, end, _ = max(inside)
            heads[scope] = scope[:end]
            of = {path for level, _, path in inside if level == depth}
            options.setdefault(scope[:end], set()).update(of)
    options = _settled(options)
    pairs = [(scope, options[head]) for scope, head in heads.items()]
    return {scope: next(iter(of)) for scope, of in pairs if len(of) == 1}


def _end(scope, path) -> int:
    """Where in a scope the names of a path end, one after the other; 0 if not there."""
    left = path.split("/")
    for place, either in enumerate(scope, 1):
        if left[0] in either:
            del left[0]
        if not left:
            return place
    return 0


def _settled(options):
    """Leave out of each scope's options the layers that surely are another scope."""
    while True:
        sure = {next(iter(of)) for of in options.values() if len(of) == 1}
        fewer = {s: of if len(of) == 1 else of - sure for s, of in options.items()}
        if fewer == options:
            return fewer
        options = fewer
