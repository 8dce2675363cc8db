"""Elements of data sets: arrays, tuples that begin with them, or dicts."""


def augmented(element, layer, call):
    """An element, of which `call` augmented what the layer is for.

    Of a tuple the first entry is augmented, or the first two, which are then images
    and labels, where the layer mixes samples.
    """
    if not isinstance(element, tuple):
        return call(element)
    main = layer.modality.main
    if not layer.mixes:
        return (call(element[0]), *element[1:])
    if len(element) < 2:
        raise ValueError(
            f"{layer.name}: mixes samples and needs their labels. Received: tuples of "
            f"{len(element)} entry"
        )
    first = element[0] if isinstance(element[0], dict) else {main: element[0]}
    out = call({**first, "labels": element[1]})
    labels = out.pop("labels")
    return (out if isinstance(element[0], dict) else out[main], labels, *element[2:])
