"""The compiled functions of a model, made anew after a change."""


def retrace(model) -> None:
    """Make the compiled functions of a model anew, so that it notices a change."""
    for kind in ("train", "test", "predict"):
        if getattr(model, f"{kind}_function", None) is not None:
            getattr(model, f"make_{kind}_function")(force=True)
