"""What was drawn for a sample, in words."""

import numpy as np

from perfkit.augment.bank import OPERATIONS
from perfkit.augment.combination import Combination
from perfkit.augment.policy import PolicyAugment

_WORD = 2**16  # integers from here on are bits that noise is made from
_WITHOUT_AMOUNT = ("invert", "auto_contrast", "equalize")
_SHARES = 3


def caption(layer, params, sample) -> str:
    """The parameters of one of the samples, in a line; of a choice, what was chosen."""
    if params is None:
        return ""
    if isinstance(layer, Combination):
        return _of_layers(layer, params, sample)
    own = {name: values[sample].item() for name, values in params.items()}
    applied = own.pop("applied", None)
    if applied is False:
        return "not applied"
    told = []
    if isinstance(layer, PolicyAugment):
        for slot in range(sum(name.startswith("operation_") for name in own)):
            name = OPERATIONS[own.pop(f"operation_{slot}")]
            value = own.pop(f"value_{slot}")
            if name != "identity":
                told.append(_named(name, name in _WITHOUT_AMOUNT or value))
    told += [
        _named(name, value)
        for name, value in own.items()
        if not (isinstance(value, int) and abs(value) >= _WORD)
    ]
    return ", ".join(told) or ("applied" if applied else "")


def _named(name, value):
    name = name.replace("_", " ")
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name} {value:.0f}" if abs(value) >= 1000 else f"{name} {value:.3g}"


def _of_layers(layer, params, sample):
    every = isinstance(params, list)  # one after the other, nothing is chosen
    parts = params if every else params["layers"]
    told = []
    for number in _turn(params, sample, len(parts)):
        inner = caption(layer.layers[number], parts[number], sample)
        name = type(layer.layers[number]).__name__.removeprefix("Random")
        if isinstance(layer.layers[number], Combination):
            name = ""
        if inner or not every:
            told.append(f"{name} {inner}".strip())
    return "; ".join(told) if told or every else "not applied"


def _turn(params, sample, many):
    """Numbers of the layers that a sample goes through, in order."""
    if isinstance(params, list):
        return range(many)
    drawn = {name: params[name][sample] for name in params if name != "layers"}
    if "choice" in drawn:
        return [int(drawn["choice"])]
    if "applied" in drawn:
        return range(many) if drawn["applied"] else []
    if "place_0" in drawn:
        return sorted(range(many), key=lambda number: drawn[f"place_{number}"])
    return [number for number in range(many) if drawn.get(f"applied_{number}", True)]


def class_name(label, names) -> str:
    """A class in words: its name if it has one, else its number."""
    label = int(label)
    if isinstance(names, dict):
        return str(names.get(label, label))
    return str(names[label] if 0 <= label < len(names) else label)


def label_text(label, names) -> str:
    """A label in words: of several classes, those with the greatest shares."""
    label = np.asarray(label)
    if label.dtype.kind not in "biuf":
        return str(label) if label.ndim == 0 else ""
    if label.size == 1:
        value = label.item()
        whole = label.dtype.kind in "biu"
        return class_name(value, names) if whole else f"{value:.3g}"
    if label.ndim > 1 or label.min() < 0:
        return ""
    order = np.argsort(-label, kind="stable")[:_SHARES]
    shares = [(class_name(k, names), label[k]) for k in order if label[k] >= 0.005]
    return ", ".join(
        name if share >= 0.995 else f"{name} {share:.2f}" for name, share in shares
    )
