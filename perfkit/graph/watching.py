"""Standing around the calls of the layers in a model."""

import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Any

_turn = threading.Lock()


@contextlib.contextmanager
def around_calls(layers, function: Callable[..., Any]):
    """Have a function make the calls of layers, also of those inside other layers.

    Only while the context lasts, and in the thread that entered it: replicas of
    `tf.distribute` are threads that call the same layers. Contexts nest: the function
    of the innermost gets the call that the others make.

    Args:
        layers: Layers, each once.
        function: Function `(place, call, *arguments, **named) -> outputs`. `place` is
            where the layer stands in `layers`; plainly it returns
            `call(*arguments, **named)`.
    """
    thread, watched = threading.get_ident(), []
    try:
        for place, layer in enumerate(layers):
            with _turn:
                if not isinstance(vars(layer).get("call"), _WatchedCall):
                    vars(layer)["call"] = _WatchedCall(layer)
                mine = layer.call.functions.setdefault(thread, [])
                mine.append(functools.partial(function, place))
                watched.append(layer.call)
        yield
    finally:
        for call in watched:
            with _turn:
                call.functions[thread].pop()
                if not call.functions[thread]:
                    del call.functions[thread]
                if not call.functions:
                    call.unset()


class _WatchedCall:
    """The `call` of a layer, with functions around it, one for each thread."""

    def __init__(self, layer):
        self._layer: Any = layer
        self._own = vars(layer).get("call")
        self._call = layer.call
        self.functions: dict[int, list[Callable[..., Any]]] = {}

    def __call__(self, *arguments, **named):
        call = self._call
        for function in self.functions.get(threading.get_ident(), ()):
            call = functools.partial(function, call)
        return call(*arguments, **named)

    def unset(self):
        if self._own is None:
            del vars(self._layer)["call"]
        else:
            vars(self._layer)["call"] = self._own
