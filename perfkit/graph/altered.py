"""Layers that compute with other weights than their kind does."""

from perfkit import _check


def altered(layer) -> str | None:
    """Say whether a layer has adapters or was quantized by Keras; None if not."""
    if getattr(layer, "lora_enabled", False):
        return "it has Keras's LoRA"
    if getattr(layer, "is_adapted", False):
        return "it has adapters"
    mode = getattr(layer, "quantization_mode", None)
    return None if mode is None else f"Keras quantized it to {mode}"


def refuse_altered(owner, graph) -> None:
    """Raise if there are such layers in a graph."""
    layers = [trail[-1] for trail, _, _ in graph.trails()]
    found = [f"{x.name} ({altered(x)})" for x in layers if altered(x) is not None]
    if found:
        expected = "one without adapters and without Keras's own quantization, unlike "
        expected += f"{', '.join(found)}. `transfer.merge` merges adapters; those of "
        expected += "Keras are merged in what `model.save_weights` writes"
        _check.fail(owner, "model", expected, graph.model.name)
