"""Which layers of a backbone make the feature maps of a pyramid."""

import keras

from perfkit import _check
from perfkit.graph import calls, trainable
from perfkit.graph.inlining import inlined

_OWNER = "detector"
_SIZE = 256  # rows and columns that stand for those of a backbone that takes any


def features(backbone, levels, data_format) -> keras.Model:
    """Return a model of the same layers that makes the maps of some levels, in a list.

    Args:
        backbone: A built Functional or Sequential model of images.
        levels: For each map its stride, for the last layer that makes such maps, or a
            name or path of a layer.
        data_format: Where the maps have their channels.
    """
    graph = calls.read(_OWNER, backbone)
    before = trainable.flags(graph.model)
    made = {}

    def make(path, call, *arguments, **named):
        outputs = call.operation(*arguments, **named)
        for tensor in keras.tree.flatten(outputs):
            if len(tensor.shape) == 4:
                made[path] = tensor
        return outputs

    flat = inlined(graph, make)
    strides = _strides(flat, made, data_format)
    tensors = [made[_found(level, made, strides)] for level in levels]
    model = keras.Model(flat.input, tensors, name=backbone.name)
    trainable.put_back(before)
    return model


def strides_of(inputs, maps, data_format) -> list[int | None]:
    """Pixels from one place to the next of maps, by their shapes.

    None for a map that has other sizes than a whole stride makes.
    """
    axes = (2, 3) if data_format == "channels_first" else (1, 2)
    size = [inputs[axis] for axis in axes]
    return [_stride(size, [shape[axis] for axis in axes]) for shape in maps]


def _stride(size, places):
    if None in places or 0 in places:
        return None
    for power in range(12):
        stride = 2**power
        if all(-(-n // stride) == m for n, m in zip(size, places, strict=True)):
            return stride
    return None


def known_size(shape, data_format):
    """Shape of the inputs, with a size where it is left open."""
    first = data_format == "channels_first"
    places = shape[2:] if first else shape[1:-1]
    if None not in places:
        return tuple(shape)
    return (None, shape[1], _SIZE, _SIZE) if first else (None, _SIZE, _SIZE, shape[-1])


def _strides(flat, made, data_format):
    """The stride of each layer, by its path."""
    shape = tuple(flat.inputs[0].shape)
    if len(flat.inputs) != 1 or len(shape) != 4:
        expected = "a model of images: one input of four axes"
        _check.fail(_OWNER, "backbone", expected, [x.shape for x in flat.inputs])
    sized = known_size(shape, data_format)
    if sized == shape:
        shapes = [tensor.shape for tensor in made.values()]
    else:
        shapes = keras.Model(flat.input, list(made.values())).compute_output_shape(
            sized
        )
    return dict(zip(made, strides_of(sized, shapes, data_format), strict=True))


def _found(level, made, strides):
    if isinstance(level, str):
        hits = [path for path in made if path == level] or [
            path for path in made if path.rpartition("/")[2] == level
        ]
        if len(hits) == 1:
            return hits[0]
        expected = "names or paths of layers that make one map each, or strides"
        return _check.fail(_OWNER, "levels", expected, level)
    hits = [path for path, stride in strides.items() if stride == level]
    if not hits:
        there = sorted({stride for stride in strides.values() if stride})
        expected = (
            f"of strides that the backbone has, which are {there}; sizes of images "
            "that are multiples of the strides have the most"
        )
        _check.fail(_OWNER, "levels", expected, level)
    return hits[-1]
