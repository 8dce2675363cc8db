"""Which layers of a model learn."""

import dataclasses
import math

import keras

from perfkit import _check
from perfkit.graph import trainable
from perfkit.graph.owners import owners
from perfkit.transfer import _stages
from perfkit.transfer.adapters import _tuned
from perfkit.transfer.recalibrate_batch_norm import recalibrate_batch_norm

_BATCH_NORM = ("frozen", "train", "recalibrate")


@dataclasses.dataclass(frozen=True, eq=False)
class Frozen:
    """What learns in a model and what does not; it can be printed.

    Attributes:
        frozen: Paths of the layers that do not.
        learning: Paths of the layers that do.
        frozen_parameters: How many numbers stay.
        learning_parameters: How many are trained.
        batch_norm: What was asked for batch normalization.
        batch_norms: How many such layers there are in front of the head.
    """

    frozen: list[str]
    learning: list[str]
    frozen_parameters: int
    learning_parameters: int
    batch_norm: str
    batch_norms: int

    def __str__(self):
        lines = [
            _line("frozen", self.frozen, self.frozen_parameters),
            _line("learns", self.learning, self.learning_parameters),
        ]
        how = {
            "frozen": "in inference mode, as they came",
            "train": "learn, their statistics too",
            "recalibrate": "in inference mode, with statistics of the data",
        }
        if self.batch_norms:
            lines.append(
                f"batch normalization: {self.batch_norms} layers {how[self.batch_norm]}"
            )
        return "\n".join(lines)


def freeze(model, until=None, *, batch_norm="frozen", data=None) -> Frozen:
    """Keep the layers of a model from learning, from its inputs to a layer.

    Call it before `compile`. Where layers are to learn later on, use `GradualUnfreeze`
    instead, which needs no other `compile`.

    Args:
        model: A built `keras.Model`.
        until: The last layer that is frozen: its name or path, a pattern for them, a
            layer, its class or a function, as `where` in `regularizers.attach`; of
            several, the last. `None` for all in front of the head, which begins at the
            layer of the model that is named `head`; without one, for all.
        batch_norm: What batch normalization does in front of the head, frozen or not.
            `"frozen"`: it stays in inference mode, and nothing of it moves. `"train"`:
            it learns, also in the part that is frozen. `"recalibrate"`: as frozen, with
            moving statistics that are first computed from `data`.
        data: For `"recalibrate"`: batches of inputs, see `recalibrate_batch_norm`.

    Returns:
        A `Frozen`, which says what learns.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is none of its choices, or `until` selects nothing.

    Example:
        >>> layers = [keras.layers.Dense(2, name=name) for name in ("a", "b", "head")]
        >>> model = keras.Sequential([keras.Input((3,)), *layers])
        >>> print(freeze(model, "a"))
        frozen: 8 parameters in 1 layer, a
        learns: 12 parameters in 2 layers, b ... head

    Reference: none (standard). In Keras 3.15 `training=False` at the call does not keep
        batch normalization of a nested model in inference mode once it is trainable.
    """
    owner = "freeze"
    body, head = _parts(owner, model, batch_norm, _BATCH_NORM)
    if until is None:
        chosen = body
    else:
        every = [*body, *head]
        last = _stages.last_selected(owner, "until", every, until)
        chosen = every[: last + 1]
    if (batch_norm == "recalibrate") != (data is not None):
        _check.fail(owner, "data", "given for batch_norm='recalibrate' alone", data)
    if batch_norm == "recalibrate":
        recalibrate_batch_norm(model, data)
    trainable.warn_of_compiled(model)
    for one in chosen:
        trainable.switch_alone(one.layer, False)
    return _settled(model, body, batch_norm)


def unfreeze(model, since=None, *, batch_norm="frozen") -> Frozen:
    """Have the layers of a model learn, from a layer to its outputs.

    Call it before `compile`. `backbone.trainable = True` would also have its batch
    normalization go over to the statistics of each batch; here that is asked for.

    Args:
        model: A built `keras.Model`.
        since: The first layer that learns, as `until` in `freeze`; of several, the
            first. `None` for all.
        batch_norm: `"frozen"` or `"train"`, as in `freeze`; for layers from `since` on.

    Returns:
        A `Frozen`, which says what learns.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is none of its choices, or `since` selects nothing.

    Example:
        >>> layers = [keras.layers.Dense(2, name=name) for name in ("a", "b", "head")]
        >>> model = keras.Sequential([keras.Input((3,)), *layers])
        >>> model.trainable = False
        >>> print(unfreeze(model, "b"))
        frozen: 8 parameters in 1 layer, a
        learns: 12 parameters in 2 layers, b ... head

    Reference: none (standard).
    """
    owner = "unfreeze"
    if batch_norm == "recalibrate":
        expected = "'frozen' or 'train'; `recalibrate_batch_norm` does the rest"
        _check.fail(owner, "batch_norm", expected, batch_norm)
    body, head = _parts(owner, model, batch_norm, ("frozen", "train"))
    every = [*body, *head]
    first = 0 if since is None else _stages.first_selected(owner, "since", every, since)
    trainable.warn_of_compiled(model)
    above = {id(layer) for one in every[first:] for layer in one.trail}
    before = [
        (layer, flag or id(layer) in above, weights)
        for layer, flag, weights in trainable.flags(model)
    ]
    trainable.put_back(before)
    for one in every[first:]:
        trainable.switch_alone(one.layer, True)
    return _settled(model, body[first:], batch_norm)


def _parts(owner, model, batch_norm, choices):
    _check.instance(owner, "model", model, keras.Model)
    _check.one_of(owner, "batch_norm", batch_norm, choices)
    _check.built(owner, "model", model)
    if _tuned.has_adapters(model):
        expected = "a model without adapters, of which `adapt(train=...)` says what "
        expected += "learns; `merge` or `unload` them first"
        _check.fail(owner, "model", expected, model.name)
    return _stages.body_and_head(model)


def _settled(model, body, batch_norm) -> Frozen:
    norms = [x for x in body if isinstance(x.layer, keras.layers.BatchNormalization)]
    for one in norms:
        trainable.switch_alone(one.layer, batch_norm == "train")
    learning = {id(weight) for weight in model.trainable_weights}
    parts: tuple[list[str], list[str]] = [], []
    for one in owners(model):
        parts[bool(learning & set(map(id, one.weights)))].append(one.path)
    size = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    every = sum(math.prod(weight.shape) for weight in model.weights)
    return Frozen(*parts, every - size, size, batch_norm, len(norms))


def _line(title, paths, parameters):
    names = paths[0] if len(paths) == 1 else " ... ".join([*paths[:1], *paths[-1:]])
    layers = f"{len(paths)} layer{'s' * (len(paths) != 1)}"
    return f"{title}: {parameters:,} parameters in {layers}{', ' * bool(paths)}{names}"
