"""Layers that Keras itself has given other weights than their kind has."""


def altered(layer) -> str | None:
    """Say whether Keras has put LoRA into a layer or quantized it; None if not."""
    if getattr(layer, "lora_enabled", False):
        return "it has Keras's LoRA"
    mode = getattr(layer, "quantization_mode", None)
    return None if mode is None else f"Keras quantized it to {mode}"
