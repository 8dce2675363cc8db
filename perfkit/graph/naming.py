"""Names of operations that are to be made."""

import re

import keras


def reserve_names(graph) -> None:
    """Have Keras name new operations otherwise than those of a model.

    It numbers the operations of a process; a model that was loaded may have the names
    that are next, and in one model each may be there but once.

    Args:
        graph: What `calls.read` returned.
    """
    highest: dict[str, int] = {}
    for trail, _, _ in graph.trails():
        kind, _, number = trail[-1].name.rpartition("_")
        if not re.fullmatch(r"\d+", number):
            kind, number = trail[-1].name, "0"
        highest[kind] = max(highest.get(kind, 0), int(number))
    for kind, number in highest.items():
        # Numbers that are very large were not given by Keras.
        while number < 100_000 and keras.backend.get_uid(kind) <= number:
            pass
