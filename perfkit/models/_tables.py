"""Parameters of the spaces of the builders."""

from typing import Any


def parameters_of(kind, input_shape, task) -> list[dict[str, Any]]:
    """Parameters for one builder and one kind of data; none where nothing fits."""
    images = len(input_shape) == 3
    own = {"cnn": _cnn, "rnn": _rnn, "transformer": _transformer}[kind]
    parameters = own(images, input_shape)
    if not parameters:
        return []
    if task != "labelling":
        poolings = ["average", "max", "concat", "attention"]
        poolings += ["gem"] if kind == "cnn" else []
        parameters.append(_choice("pooling", poolings))
    parameters += [
        _number("dropout", 0.0, 0.5, 0.0),
        _number("drop_path", 0.0, 0.3, 0.0),
        _choice("layer_scale", [None, 0.1, 1e-4]),
    ]
    return parameters


def _cnn(images, _):
    return [
        _ordered("width", [8, 16, 32, 64], 32),
        _integer("depth", 3, 9, 3),
        _integer("stages", 1, 3, 3),
        _ordered("kernel_size", [3, 5, 7], 3),
        _choice("downsampling", ["strides", "blur"] if images else ["strides"]),
        _choice(
            "attention",
            [None, "squeeze_excite", "efficient_channel", "cbam"]
            if images
            else [None, "squeeze_excite"],
        ),
        _choice("activation", ["relu", "gelu", "silu", "mish"]),
        _choice("normalization", ["batch", "layer", "rms", *(["group"] * images)]),
    ]


def _rnn(_images, _):
    return [
        _ordered("width", [32, 64, 128, 256], 64),
        _integer("depth", 1, 4, 1),
        _choice("cell", ["gru", "lstm"]),
        _choice("bidirectional", [True, False]),
        _choice("attention", [None, "squeeze_excite"]),
        _choice("normalization", ["layer", "rms", "none"]),
    ]


def _transformer(images, input_shape):
    positions = ["learned", "none"] if images else ["sinusoidal", "rotary", "none"]
    parameters = [
        _ordered("width", [32, 64, 128, 256], 64),
        _integer("depth", 1, 8, 2),
        _ordered("heads", [1, 2, 4, 8], 4),
        _choice("feed_forward", ["dense", "swiglu", "geglu"]),
        _ordered("expansion", [1.0, 2.0, 4.0], 4.0),
        _choice("activation", ["gelu", "relu", "silu"], feed_forward=["dense"]),
        _choice("position", positions),
        _choice("normalization", ["layer", "rms"]),
    ]
    if images:
        patches = [size for size in (2, 4, 8, 16) if _fits(input_shape, size)]
        if not patches:
            return []
        usual = 4 if 4 in patches else patches[0]
        parameters.insert(3, _ordered("patch_size", patches, usual))
    return parameters


def _fits(input_shape, size):
    height, width, _ = input_shape
    if not height or not width or height % size or width % size:
        return False
    return (height // size) * (width // size) <= 1024


def _choice(name, choices, **when):
    return {
        "name": name,
        "kind": "choice",
        "choices": choices,
        "default": choices[0],
        "when": when,
    }


def _ordered(name, choices, default):
    return {
        "name": name,
        "kind": "ordered",
        "choices": choices,
        "default": default,
        "when": {},
    }


def _integer(name, low, high, default):
    return {**_number(name, low, high, default), "kind": "integer"}


def _number(name, low, high, default):
    return {
        "name": name,
        "kind": "number",
        "low": low,
        "high": high,
        "log": False,
        "default": default,
        "when": {},
    }
