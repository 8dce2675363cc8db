"""Stand-ins for Albumentations, which is not among what the tests install.

They have its modules, class names and arguments, as `get_transform_init_args` of
version 2.0.8 returns them; `test_moving_albumentations` compares them with the library
where that is installed.
"""

REQUIRED = {
    "Resize": {"height": 8, "width": 8},
    "RandomCrop": {"height": 8, "width": 8},
    "CenterCrop": {"height": 8, "width": 8},
    "RandomResizedCrop": {"size": (8, 8)},
    "RandomSizedBBoxSafeCrop": {"height": 8, "width": 8},
    "LongestMaxSize": {"max_size": 8},
    "SmallestMaxSize": {"max_size": 8},
}
DEFAULTS = {
    "Affine": {
        "balanced_scale": False,
        "border_mode": 0,
        "fill": 0.0,
        "fill_mask": 0.0,
        "fit_output": False,
        "interpolation": 1,
        "keep_ratio": False,
        "mask_interpolation": 0,
        "rotate": (0.0, 0.0),
        "rotate_method": "largest_box",
        "scale": {"x": (1.0, 1.0), "y": (1.0, 1.0)},
        "shear": {"x": (0.0, 0.0), "y": (0.0, 0.0)},
        "translate_percent": None,
        "translate_px": {"x": (0, 0), "y": (0, 0)},
    },
    "AutoContrast": {"cutoff": 0.0, "ignore": None, "method": "cdf"},
    "CLAHE": {"clip_limit": (1.0, 4.0), "tile_grid_size": (8, 8)},
    "CenterCrop": {
        "border_mode": 0,
        "fill": 0.0,
        "fill_mask": 0.0,
        "height": 8,
        "pad_if_needed": False,
        "pad_position": "center",
        "width": 8,
    },
    "ChannelDropout": {"channel_drop_range": (1, 1), "fill": 0.0},
    "ChannelShuffle": {},
    "CoarseDropout": {
        "fill": 0.0,
        "fill_mask": None,
        "hole_height_range": (0.1, 0.2),
        "hole_width_range": (0.1, 0.2),
        "num_holes_range": (1, 2),
    },
    "ColorJitter": {
        "brightness": (0.8, 1.2),
        "contrast": (0.8, 1.2),
        "hue": (-0.5, 0.5),
        "saturation": (0.8, 1.2),
    },
    "D4": {},
    "Downscale": {
        "interpolation_pair": {"downscale": 0, "upscale": 0},
        "scale_range": (0.25, 0.25),
    },
    "ElasticTransform": {
        "alpha": 1.0,
        "approximate": False,
        "border_mode": 0,
        "fill": 0.0,
        "fill_mask": 0.0,
        "interpolation": 1,
        "keypoint_remapping_method": "mask",
        "mask_interpolation": 0,
        "noise_distribution": "gaussian",
        "same_dxdy": False,
        "sigma": 50.0,
    },
    "Equalize": {"by_channels": True, "mask": None, "mode": "cv"},
    "Erasing": {
        "fill": 0.0,
        "fill_mask": None,
        "ratio": (0.3, 3.3),
        "scale": (0.02, 0.33),
    },
    "GaussNoise": {
        "mean_range": (0.0, 0.0),
        "noise_scale_factor": 1.0,
        "per_channel": True,
        "std_range": (0.2, 0.44),
    },
    "GaussianBlur": {"blur_limit": (0, 0), "sigma_limit": (0.5, 3.0)},
    "GridDistortion": {
        "border_mode": 0,
        "distort_limit": (-0.3, 0.3),
        "fill": 0.0,
        "fill_mask": 0.0,
        "interpolation": 1,
        "keypoint_remapping_method": "mask",
        "mask_interpolation": 0,
        "normalized": True,
        "num_steps": 5,
    },
    "GridDropout": {
        "fill": 0.0,
        "fill_mask": None,
        "holes_number_xy": None,
        "random_offset": True,
        "ratio": 0.5,
        "shift_xy": (0, 0),
        "unit_size_range": None,
    },
    "HorizontalFlip": {},
    "HueSaturationValue": {
        "hue_shift_limit": (-20.0, 20.0),
        "sat_shift_limit": (-30.0, 30.0),
        "val_shift_limit": (-20.0, 20.0),
    },
    "ImageCompression": {"compression_type": "jpeg", "quality_range": (99, 100)},
    "InvertImg": {},
    "LongestMaxSize": {
        "area_for_downscale": None,
        "interpolation": 1,
        "mask_interpolation": 0,
        "max_size": 8,
        "max_size_hw": None,
    },
    "MedianBlur": {"blur_limit": (3, 7)},
    "MotionBlur": {
        "allow_shifted": True,
        "angle_range": (0.0, 360.0),
        "blur_limit": (3, 7),
        "direction_range": (-1.0, 1.0),
    },
    "MultiplicativeNoise": {
        "elementwise": False,
        "multiplier": (0.9, 1.1),
        "per_channel": False,
    },
    "NoOp": {},
    "Normalize": {
        "max_pixel_value": 255.0,
        "mean": (0.485, 0.456, 0.406),
        "normalization": "standard",
        "std": (0.229, 0.224, 0.225),
    },
    "PadIfNeeded": {
        "border_mode": 0,
        "fill": 0.0,
        "fill_mask": 0.0,
        "min_height": 1024,
        "min_width": 1024,
        "pad_height_divisor": None,
        "pad_width_divisor": None,
        "padding": 0,
        "position": "center",
    },
    "Perspective": {
        "border_mode": 0,
        "fill": 0.0,
        "fill_mask": 0.0,
        "fit_output": False,
        "interpolation": 1,
        "keep_size": True,
        "mask_interpolation": 0,
        "scale": (0.05, 0.1),
    },
    "PlanckianJitter": {
        "mode": "blackbody",
        "sampling_method": "uniform",
        "temperature_limit": (3000, 15000),
    },
    "Posterize": {"num_bits": (4, 4)},
    "RandomBrightnessContrast": {
        "brightness_by_max": True,
        "brightness_limit": (-0.2, 0.2),
        "contrast_limit": (-0.2, 0.2),
        "ensure_safe_range": False,
    },
    "RandomCrop": {
        "border_mode": 0,
        "fill": 0.0,
        "fill_mask": 0.0,
        "height": 8,
        "pad_if_needed": False,
        "pad_position": "center",
        "width": 8,
    },
    "RandomGamma": {"gamma_limit": (80.0, 120.0)},
    "RandomResizedCrop": {
        "area_for_downscale": None,
        "interpolation": 1,
        "mask_interpolation": 0,
        "ratio": (0.75, 1.3333333333333333),
        "scale": (0.08, 1.0),
        "size": (8, 8),
    },
    "RandomRotate90": {},
    "RandomSizedBBoxSafeCrop": {
        "erosion_rate": 0.0,
        "height": 8,
        "interpolation": 1,
        "mask_interpolation": 0,
        "width": 8,
    },
    "RandomToneCurve": {"per_channel": False, "scale": 0.1},
    "Resize": {
        "area_for_downscale": None,
        "height": 8,
        "interpolation": 1,
        "mask_interpolation": 0,
        "width": 8,
    },
    "Rotate": {
        "border_mode": 0,
        "crop_border": False,
        "fill": 0.0,
        "fill_mask": 0.0,
        "interpolation": 1,
        "limit": (-90.0, 90.0),
        "mask_interpolation": 0,
        "rotate_method": "largest_box",
    },
    "SaltAndPepper": {"amount": (0.01, 0.06), "salt_vs_pepper": (0.4, 0.6)},
    "Sharpen": {
        "alpha": (0.2, 0.5),
        "kernel_size": 5,
        "lightness": (0.5, 1.0),
        "method": "kernel",
        "sigma": 1.0,
    },
    "ShiftScaleRotate": {
        "border_mode": 0,
        "fill": 0.0,
        "fill_mask": 0.0,
        "interpolation": 1,
        "mask_interpolation": 0,
        "rotate_limit": (-45.0, 45.0),
        "rotate_method": "largest_box",
        "scale_limit": (-0.09999999999999998, 0.10000000000000009),
        "shift_limit_x": (-0.0625, 0.0625),
        "shift_limit_y": (-0.0625, 0.0625),
    },
    "ShotNoise": {"scale_range": (0.1, 0.3)},
    "SmallestMaxSize": {
        "area_for_downscale": None,
        "interpolation": 1,
        "mask_interpolation": 0,
        "max_size": 8,
        "max_size_hw": None,
    },
    "Solarize": {"threshold_range": (0.5, 0.5)},
    "SquareSymmetry": {},
    "ThinPlateSpline": {
        "border_mode": 0,
        "fill": 0.0,
        "fill_mask": 0.0,
        "interpolation": 1,
        "keypoint_remapping_method": "mask",
        "mask_interpolation": 0,
        "num_control_points": 4,
        "scale_range": (0.2, 0.4),
    },
    "ToFloat": {"max_value": None},
    "ToGray": {"method": "weighted_average", "num_output_channels": 3},
    "ToSepia": {},
    "Transpose": {},
    "VerticalFlip": {},
}


class _Transform:
    """An operation of the library."""

    def get_transform_init_args(self):
        return dict(self.arguments)


def operation(name, p=1.0, **arguments):
    """An operation with its default arguments but for those given."""
    unknown = set(arguments) - set(DEFAULTS.get(name, arguments))
    assert not unknown, unknown
    module = "albumentations.augmentations.some.transforms"
    made = type(name, (_Transform,), {"__module__": module})()
    made.p, made.arguments = p, {**DEFAULTS.get(name, {}), **arguments}
    return made


def composition(name, transforms, p=1.0, **attributes):
    """A composition such as `Compose`."""
    module = "albumentations.core.composition"
    made = type(name, (), {"__module__": module})()
    vars(made).update(transforms=transforms, p=p, **attributes)
    return made


def compose(*transforms, **attributes):
    """A `Compose`, which has more attributes."""
    known = {"processors": {}, "_additional_targets": {}, "seed": None}
    return composition("Compose", list(transforms), **{**known, **attributes})


def processor(**params):
    """What `Compose` makes of `bbox_params` and `keypoint_params`."""
    made = type("Processor", (), {})()
    made.params = type("Params", (), {})()
    vars(made.params).update(params)
    return made
