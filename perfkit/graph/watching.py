"""Functions around the calls of layers in a model."""

import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Any

_turn = threading.Lock()


@contextlib.contextmanager
def around_calls(layers, function: Callable[..., Any]):
    """Have a function make the calls of layers, also of those inside other layers.

    That holds while the context lasts, and in the thread that entered it: replicas of
    `tf.distribute` are threads that call the same layers. Contexts nest: the function
    of the innermost gets the call that the others make.

    Args:
        layers: Layers, each once.
        function: Function `(place, call, *arguments, **named) -> outputs`. `place` is
            the number of the layer in `layers`. To change nothing, it returns
            `call(*arguments, **named)`.
    """
    thread, watched = threading.get_ident(), []
    try:
        for place, layer in enumerate(layers):
            with _turn:
                name = _called(layer)
                if not isinstance(vars(layer).get(name), _WatchedCall):
                    vars(layer)[name] = _WatchedCall(layer, name)
                call = vars(layer)[name]
                mine = call.functions.setdefault(thread, [])
                mine.append(functools.partial(function, place))
                watched.append(call)
        yield
    finally:
        for call in watched:
            with _turn:
                call.functions[thread].pop()
                if not call.functions[thread]:
                    del call.functions[thread]
                if not call.functions:
                    call.unset()


def _called(layer):
    """What Keras calls of a layer: another method, once it has quantized it."""
    mode = getattr(layer, "quantization_mode", None)
    return "call" if mode is None else "quantized_call"


class _WatchedCall:
    """The `call` of a layer, with functions around it, one for each thread."""

    def __init__(self, layer, name):
        self._layer: Any = layer
        self._name = name
        self._own = vars(layer).get(name)
        self._call = getattr(layer, name)
        self.functions: dict[int, list[Callable[..., Any]]] = {}

    def __call__(self, *arguments, **named):
        call = self._call
        for function in self.functions.get(threading.get_ident(), ()):
            call = functools.partial(function, call)
        return call(*arguments, **named)

    def unset(self):
        if self._own is None:
            del vars(self._layer)[self._name]
        else:
            vars(self._layer)[self._name] = self._own
