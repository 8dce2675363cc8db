"""Labels of samples that are mixed: classes become numbers, numbers are blended."""

from perfkit._backend import dtype_of, ops


def are_classes(values):
    """Whether values are class indices, not one-hot or other numbers."""
    whole = dtype_of(values).startswith(("int", "uint"))
    return whole and (len(values.shape) == 1 or values.shape[-1] == 1)


def refuse_classes(layer, key, values) -> None:
    """Raise the error for class indices where their number is not known."""
    raise ValueError(
        f"{layer.name}: integer {key} cannot be mixed. Pass "
        f"`{type(layer).__name__}(classes=...)` to make them one-hot. Received: shape="
        f"{tuple(values.shape)}, dtype={dtype_of(values)}"
    )


def check_classes(layer, key, values) -> None:
    """Raise an error unless values are class indices, or one-hot ones of all."""
    width = values.shape[-1] if len(values.shape) > 1 else 1
    if not are_classes(values) and width not in (None, layer.classes):
        raise ValueError(
            f"{layer.name}: {key} must be whole numbers, or one-hot ones of "
            f"`classes={layer.classes}`; leave `classes` out to mix other numbers. "
            f"Received: shape={tuple(values.shape)}, dtype={dtype_of(values)}"
        )


def as_numbers(values, classes):
    """Make numbers that can be mixed: one-hot ones of classes, of others floats."""
    if are_classes(values):
        if values.shape[-1] == 1 and len(values.shape) > 1:
            values = values[..., 0]
        return ops.one_hot(values, classes, dtype="float32")
    wide = dtype_of(values) in ("float32", "float64")
    return values if wide else ops.cast(values, "float32")


def encode(canvas, classes) -> None:
    """Make numbers of a canvas's labels, if there are any."""
    if canvas.labels is None:
        return
    if are_classes(canvas.labels):
        low, high = ops.min(canvas.labels), ops.max(canvas.labels)
        canvas.rules.append(("classes", (low >= 0) & (high < classes)))
    canvas.labels = as_numbers(canvas.labels, classes)


def add_up(canvas, parts) -> None:
    """Add labels up, by pairs of whose they are and how much they weigh.

    Both are `(batch,)`: int32 numbers of samples, and floats.
    """
    if canvas.labels is None:
        return
    labels, mixed = canvas.labels, 0.0
    for partner, weight in parts:
        weight = ops.cast(weight, dtype_of(labels))
        spread = ops.reshape(weight, (-1,) + (1,) * (len(labels.shape) - 1))
        mixed = mixed + ops.take(labels, partner, axis=0) * spread
    canvas.labels = mixed


def blend(canvas, partner, share) -> None:
    """Blend a canvas's labels with their partners'; `share`, `(batch,)`, is kept."""
    if canvas.labels is None:
        return
    labels = canvas.labels
    share = ops.cast(share, dtype_of(labels))
    share = ops.reshape(share, (-1,) + (1,) * (len(labels.shape) - 1))
    other = ops.take(labels, partner, axis=0)
    canvas.labels = labels * share + other * (1.0 - share)
