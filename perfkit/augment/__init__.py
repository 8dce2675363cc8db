"""Layers that change training data."""

from perfkit.augment.affine import RandomAffine as RandomAffine
from perfkit.augment.base import Augment as Augment
from perfkit.augment.box_safe_crop import BoxSafeCrop as BoxSafeCrop
from perfkit.augment.brightness import RandomBrightness as RandomBrightness
from perfkit.augment.center_crop import CenterCrop as CenterCrop
from perfkit.augment.color import ColorAugment as ColorAugment
from perfkit.augment.color_jitter import RandomColorJitter as RandomColorJitter
from perfkit.augment.contrast import RandomContrast as RandomContrast
from perfkit.augment.copy_paste import CopyPaste as CopyPaste
from perfkit.augment.crop import RandomCrop as RandomCrop
from perfkit.augment.cut_mix import CutMix as CutMix
from perfkit.augment.d4 import RandomD4 as RandomD4
from perfkit.augment.elastic_transform import (
    RandomElasticTransform as RandomElasticTransform,
)
from perfkit.augment.field import FieldAugment as FieldAugment
from perfkit.augment.flip import RandomFlip as RandomFlip
from perfkit.augment.gamma import RandomGamma as RandomGamma
from perfkit.augment.geometric import GeometricAugment as GeometricAugment
from perfkit.augment.geometric import WarpAugment as WarpAugment
from perfkit.augment.grayscale import RandomGrayscale as RandomGrayscale
from perfkit.augment.grid_distortion import GridDistortion as GridDistortion
from perfkit.augment.hue import RandomHue as RandomHue
from perfkit.augment.invert import RandomInvert as RandomInvert
from perfkit.augment.letter_box import LetterBox as LetterBox
from perfkit.augment.mix import MixAugment as MixAugment
from perfkit.augment.mix_up import MixUp as MixUp
from perfkit.augment.mosaic import Mosaic as Mosaic
from perfkit.augment.normalization import Normalization as Normalization
from perfkit.augment.operation import Operation as Operation
from perfkit.augment.perspective import RandomPerspective as RandomPerspective
from perfkit.augment.pipeline import Pipeline as Pipeline
from perfkit.augment.pixel import PixelAugment as PixelAugment
from perfkit.augment.rescaling import Rescaling as Rescaling
from perfkit.augment.resized_crop import RandomResizedCrop as RandomResizedCrop
from perfkit.augment.resizing import Resizing as Resizing
from perfkit.augment.rot90 import RandomRot90 as RandomRot90
from perfkit.augment.rotation import RandomRotation as RandomRotation
from perfkit.augment.saturation import RandomSaturation as RandomSaturation
from perfkit.augment.shear import RandomShear as RandomShear
from perfkit.augment.thin_plate_spline import ThinPlateSpline as ThinPlateSpline
from perfkit.augment.translation import RandomTranslation as RandomTranslation
from perfkit.augment.zoom import RandomZoom as RandomZoom
from perfkit.augment.zoom_out import RandomZoomOut as RandomZoomOut
