"""The functions of a model that were compiled for what it was."""


def retrace(model) -> None:
    """Have a model that was trained, evaluated or asked already notice a change."""
    for kind in ("train", "test", "predict"):
        if getattr(model, f"{kind}_function", None) is not None:
            getattr(model, f"make_{kind}_function")(force=True)
