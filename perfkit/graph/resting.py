"""Layers that at inference hand on what they are given."""

_NOISE = {
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise"),
    "GaussianDropout",
}
# Of those of Keras which change images, the ones that always do are left out.
_AUGMENTATIONS = {
    *("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomShear"),
    *("RandomPerspective", "RandomElasticTransform", "RandomErasing", "RandomContrast"),
    *("RandomBrightness", "RandomHue", "RandomSaturation", "RandomSharpness"),
    *("RandomColorJitter", "RandomColorDegeneration", "RandomGrayscale"),
    *("RandomGaussianBlur", "RandomInvert", "RandomPosterization"),
    *("AugMix", "RandAugment"),
}


def rests(operation) -> bool:
    """Whether a layer of Keras or perfkit does nothing at inference."""
    kind = type(operation)
    if kind.__module__.startswith("keras."):
        return kind.__name__ in _NOISE | _AUGMENTATIONS
    ours = kind.__module__.startswith("perfkit.")
    return ours and getattr(operation, "rests_at_inference", False)
