"""One row per public operation: its arguments. A missing row fails the suite.

A class has a second row where its arguments choose another way to the result.
"""

import functools

from perfkit import augment

PIPELINE = [
    functools.partial(augment.RandomColorJitter, contrast_factor=0.5, hue_factor=0.3),
    functools.partial(augment.RandomFlip, "horizontal"),
    functools.partial(augment.RandomRotation, 0.1),
    functools.partial(augment.RandomCrop, 10, 12),
    functools.partial(augment.Rescaling, 1 / 255),
]
CHOICE = [
    functools.partial(augment.RandomGamma, 0.8),
    functools.partial(augment.RandomRotation, 0.1),
    functools.partial(augment.RandomBrightness, 0.3),
]
BICUBIC = {"interpolation": "bicubic", "antialias": True, "pad_to_aspect_ratio": True}
CASES = [
    (augment.RandomFlip, {}),
    (augment.RandomRotation, {"factor": 0.1}),
    (augment.RandomZoom, {"height_factor": 0.3, "width_factor": (-0.2, 0.4)}),
    (augment.RandomTranslation, {"height_factor": 0.3, "width_factor": 0.2}),
    (augment.RandomShear, {"x_factor": 0.4, "y_factor": 0.2}),
    (
        augment.RandomAffine,
        {"rotation_factor": 0.1, "zoom_factor": 0.2, "shear_factor": 0.2},
    ),
    (augment.RandomPerspective, {}),
    (augment.RandomElasticTransform, {}),
    (augment.GridDistortion, {}),
    (augment.ThinPlateSpline, {}),
    (augment.RandomRot90, {}),
    (augment.RandomRot90, {"turns": (0, 2)}),
    (augment.RandomD4, {}),
    (augment.RandomZoomOut, {}),
    (augment.LetterBox, {"height": 8, "width": 10, "fill_value": 7.0}),
    (augment.BoxSafeCrop, {"height": 8, "width": 10}),
    (augment.RandomCrop, {"height": 8, "width": 10}),
    (augment.RandomResizedCrop, {"height": 8, "width": 10}),
    (augment.CenterCrop, {"height": 8, "width": 10}),
    (augment.Resizing, {"height": 8, "width": 20}),
    (augment.Resizing, {"height": 8, "width": 20, **BICUBIC}),
    (augment.RandomBrightness, {"factor": 0.3}),
    (augment.RandomContrast, {"factor": 0.5}),
    (augment.RandomSaturation, {"factor": 0.9}),
    (augment.RandomHue, {"factor": 0.5}),
    (
        augment.RandomColorJitter,
        {
            "brightness_factor": 0.2,
            "contrast_factor": 0.3,
            "saturation_factor": (0.3, 0.7),
            "hue_factor": 0.2,
        },
    ),
    (augment.RandomGrayscale, {}),
    (augment.RandomInvert, {"factor": (0.4, 0.9)}),
    (augment.RandomGamma, {"factor": 0.8}),
    (augment.RandomPosterization, {"factor": (2, 5)}),
    (augment.Solarization, {"addition_factor": 0.3, "threshold_factor": (0.2, 0.8)}),
    (augment.RandomColorDegeneration, {"factor": 0.9}),
    (augment.AutoContrast, {"rate": 0.5}),
    (augment.Equalization, {"bins": 60, "rate": 0.5}),
    (augment.CLAHE, {"clip_limit": 20.0, "tile_grid_size": (1, 2)}),
    (augment.CLAHE, {"clip_limit": (2.0, 200.0), "per_channel": True}),
    (augment.RandomSharpness, {"factor": 0.9}),
    (augment.RandomGaussianBlur, {}),
    (augment.RandomGaussianBlur, {"kernel_size": (3, 9), "sigma": (0.3, 3.0)}),
    (augment.MotionBlur, {}),
    (augment.MedianBlur, {"rate": 0.5}),  # which draws nothing else
    (augment.GaussianNoise, {}),
    (augment.ShotNoise, {}),
    (augment.SaltAndPepper, {}),
    (augment.JPEGCompression, {"quality": (5, 95)}),
    (augment.Downscale, {}),
    (augment.Downscale, {"interpolation": "bicubic"}),
    (augment.ChannelShuffle, {}),
    (augment.ChannelDropout, {"channel_drop_range": (1, 2), "fill_value": 9.0}),
    (augment.RandomPlanckian, {}),
    (augment.Sepia, {}),
    (augment.ToneCurve, {"scale": 0.3}),
    (augment.ToneCurve, {"per_channel": True}),
    (augment.RandomErasing, {}),
    (augment.RandomErasing, {"factor": (0.6, 0.9), "fill_value": 7.0}),
    (augment.GridMask, {}),
    (augment.GridMask, {"fill_value": "mean"}),
    (augment.CoarseDropout, {}),
    (augment.Rescaling, {"scale": [0.5, 0.4, 0.3], "offset": 1.0}),
    (augment.Normalization, {"mean": [10.0, 120.0, 3.0], "variance": [4.0, 9.0, 1.0]}),
    (augment.MixUp, {"alpha": 1.0, "classes": 3}),
    (augment.CutMix, {"classes": 3}),
    (augment.RandAugment, {"factor": 0.6}),
    (augment.TrivialAugmentWide, {}),
    (augment.AutoAugment, {}),
    (augment.AugMix, {}),
    (augment.Mosaic, {"classes": 3}),
    (augment.CopyPaste, {"classes": 3}),
    (augment.Pipeline, {"layers": PIPELINE}),
    (augment.Pipeline, {"layers": PIPELINE, "fused": False}),
    (augment.RandomApply, {"layers": CHOICE, "rate": 0.6}),
    (augment.RandomChoice, {"layers": CHOICE}),
    (augment.SomeOf, {"layers": CHOICE, "number": (1, 2)}),
    (augment.RandomOrder, {"layers": CHOICE}),
]


def wants_squares(op, arguments):
    """Whether a row's images have to be square."""
    return op in {augment.RandomRot90, augment.RandomD4} and "turns" not in arguments


def build(op, arguments, **others):
    """Make the layer of a row, with a fixed seed if it draws."""
    arguments = {**arguments, **others}
    if op.random:
        arguments.setdefault("seed", 1)
    if "layers" in arguments:
        layout = {"data_format": arguments.get("data_format")}
        arguments["layers"] = [layer(**layout) for layer in arguments["layers"]]
    return op(**arguments)
