"""Layers that were changed in place for fine-tuning, and how they are saved.

Two kinds of layers become of a class of ours, a subclass of their own: those that own a
kernel with an adapter, which use another kernel than their own; and those that Keras
makes from a config, such as attention, with layers inside of which only a part learns.
Keras would make them without adapters and with all trainable; their config says both.
"""

import contextlib
import functools
import warnings
from collections.abc import Iterator
from typing import Any

import keras

from perfkit import _backend
from perfkit.graph.owners import own_weights
from perfkit.graph.substituting import call_with
from perfkit.graph.tracing import retrace
from perfkit.graph.trails import children, trails
from perfkit.transfer.adapters import _learning, _low_rank, _thin
from perfkit.transfer.adapters._low_rank import LowRank


# So registered, it serves files that are loaded before any layer is tuned.
@keras.saving.register_keras_serializable(package="perfkit")
class Tuned:
    """Mixin, placed before the class that the layer had."""

    plain: type  # the class that the layer had
    is_adapted = True  # it computes with other kernels than its own

    def __call__(self, *args, **kwargs):
        outputs = _super(self).__call__(*args, **kwargs)
        if vars(self).get("_pending"):  # all inner layers are built by now
            with _backend.outside_graph():
                _restore(self, vars(self).pop("_pending"))
        return outputs

    def call(self, *args, **kwargs):
        call, adapters = _super(self).call, adapters_in(self)
        if not adapters:
            return call(*args, **kwargs)
        thin = _thin.path(self.plain)
        if thin:
            kwargs.pop("training", None)  # all the same to these
            return thin(self, adapters[0], *args, **kwargs)
        values = [(v, adapter.kernel(v)) for v, adapter in adapted_kernels(self)]
        return call_with(self, self, values, lambda: call(*args, **kwargs))

    def get_config(self):
        layers = numbered(self)
        numbers = {id(layer): number for number, layer in enumerate(layers)}
        own: Any = self
        learning = {id(weight) for weight in own.trainable_weights}
        adapters = [
            {
                "layer": numbers[id(layer)],
                "place": adapter.place,
                "method": keras.saving.serialize_keras_object(adapter.method),
            }
            for layer in layers
            for adapter in adapters_in(layer)
        ]
        with _as_plain(self):
            config: Any = keras.saving.serialize_keras_object(self)
        config.pop("compile_config", None)
        return {
            "layer": config,
            "adapters": adapters,
            "learning": [n for n, v in enumerate(own.weights) if id(v) in learning],
        }

    @classmethod
    def from_config(cls, config):
        with warnings.catch_warnings():
            # Layers inside that wait for their first call are waited for below.
            warnings.filterwarnings("ignore", r"`build\(\)` was called on layer")
            layer = keras.saving.deserialize_keras_object(config["layer"])
        tune(layer)
        if all(inner.built for inner in numbered(layer)):
            _restore(layer, config)
        else:
            vars(layer)["_pending"] = config
        return layer


def tune(layer) -> None:
    """Have a layer use its adapters, and save them and what learns in it."""
    if not isinstance(layer, Tuned):
        layer.__class__ = _tuned_class(type(layer))


def to_plain(model) -> None:
    """Give layers back the class that they had, without adapters, and what learnt.

    A model in which nothing was changed stays as it is.
    """
    layers = numbered(model)
    tuned = any(isinstance(layer, Tuned) for layer in layers)
    if not tuned and not _learning.is_noted(model):
        return
    for layer in layers:
        for adapter in adapters_in(layer):
            _backend.take_off(layer, adapter.name)
        if isinstance(layer, Tuned):
            layer.__class__ = layer.plain
    _learning.restore(model)
    for layer in layers:
        if isinstance(layer, keras.Model):
            retrace(layer)


def adapt(layer, method, place, number=0) -> LowRank:
    """Give a layer an adapter of the kernel at a place among its own weights."""
    adapter = _low_rank.put(layer, method, place, number)
    tune(layer)
    return adapter


def settle(model, learning) -> None:
    """Have only these variables of a model learn, and have files of it say so.

    Args:
        model: The model, or a layer.
        learning: Ids of the variables.
    """
    frozen = _learning.only(model, learning)
    for holder in holders(model):
        ids = {id(weight) for weight in holder.weights}
        mixed = ids & frozen and ids & learning
        if mixed or any(map(adapters_in, numbered(holder))):
            tune(holder)


def numbered(model) -> list[Any]:
    """Return the layers in a model or layer, itself the first, without adapters.

    Their order is that in which they were made; names need not be the same again.
    """
    found = {id(trail[-1]): trail[-1] for trail in trails(model)}
    return [layer for layer in found.values() if not isinstance(layer, LowRank)]


def has_adapters(model) -> bool:
    """Whether a kernel in a model has an adapter."""
    return any(map(adapters_in, numbered(model)))


def adapters_in(layer) -> list[LowRank]:
    """Return the adapters of the kernels that a layer owns itself."""
    return [child for child in children(layer) if isinstance(child, LowRank)]


def adapted_kernels(layer) -> list[tuple[Any, LowRank]]:
    """Return the kernels of a layer that have an adapter, and these."""
    own, adapters = own_weights(layer), adapters_in(layer)
    return [(own[adapter.place], adapter) for adapter in adapters]


def holders(model) -> Iterator[Any]:
    """Yield the outermost layers of which a file has a config, not what is inside."""
    if _lists_layers(model):
        for layer in {id(child): child for child in model.layers}.values():
            yield from holders(layer)
    else:
        yield model


def _lists_layers(layer) -> bool:
    """Whether the config of a layer is that of a model with those of its layers."""
    if not isinstance(layer, (keras.Function, keras.Sequential)):
        return False
    own = type(layer)
    return _is_of_keras(own.get_config) and _is_of_keras(own.__init__)


def _is_of_keras(method) -> bool:
    return method.__module__.startswith("keras.")


def _restore(holder, config):
    layers = numbered(holder)
    for record in config["adapters"]:
        layer = layers[record["layer"]]
        if hasattr(layer, _low_rank.attribute(record["place"])):
            continue  # it has a config of its own within that of the holder
        method = keras.saving.deserialize_keras_object(record["method"])
        adapt(layer, method, record["place"])
    weights = holder.weights
    _learning.only(holder, {id(weights[number]) for number in config["learning"]})


@functools.cache
def _tuned_class(plain) -> type:
    # Named as the plain one, as this goes into the paths in files of weights.
    members = {"plain": plain, "__module__": __name__, "__doc__": plain.__doc__}
    if issubclass(plain, (keras.Function, keras.Sequential)) and _is_of_keras(
        plain.call
    ):
        members["call"] = plain.call  # by which others know it for a graph of layers
    made = type(plain.__name__, (Tuned, plain), members)
    # All have the same name here, as `from_config` is the same for all.
    return keras.saving.register_keras_serializable("perfkit", "Tuned")(made)


@contextlib.contextmanager
def _as_plain(layer):
    tuned = layer.__class__
    layer.__class__ = tuned.plain
    try:
        yield
    finally:
        layer.__class__ = tuned


def _super(layer) -> Any:
    """A layer as of the class that it had."""
    return super(Tuned, layer)
