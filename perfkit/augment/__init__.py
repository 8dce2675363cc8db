"""Layers that change training data."""

from perfkit import _names
from perfkit.augment.affine import RandomAffine as RandomAffine
from perfkit.augment.apply import RandomApply as RandomApply
from perfkit.augment.audio.audio import AudioAugment as AudioAugment
from perfkit.augment.audio.audio import SpectrogramAugment as SpectrogramAugment
from perfkit.augment.audio.audio import WaveformAugment as WaveformAugment
from perfkit.augment.audio.audio_mix import AudioMix as AudioMix
from perfkit.augment.audio.audio_mix_up import AudioMixUp as AudioMixUp
from perfkit.augment.audio.frequency_masking import FrequencyMasking as FrequencyMasking
from perfkit.augment.audio.gain import RandomGain as RandomGain
from perfkit.augment.audio.noise import AudioNoise as AudioNoise
from perfkit.augment.audio.time_masking import TimeMasking as TimeMasking
from perfkit.augment.audio.time_shift import TimeShift as TimeShift
from perfkit.augment.audio.time_stretch import TimeStretch as TimeStretch
from perfkit.augment.aug_mix import AugMix as AugMix
from perfkit.augment.auto_augment import AutoAugment as AutoAugment
from perfkit.augment.auto_contrast import AutoContrast as AutoContrast
from perfkit.augment.base import Augment as Augment
from perfkit.augment.blend import BlendAugment as BlendAugment
from perfkit.augment.box_safe_crop import BoxSafeCrop as BoxSafeCrop
from perfkit.augment.brightness import RandomBrightness as RandomBrightness
from perfkit.augment.center_crop import CenterCrop as CenterCrop
from perfkit.augment.channel_dropout import ChannelDropout as ChannelDropout
from perfkit.augment.channel_shuffle import ChannelShuffle as ChannelShuffle
from perfkit.augment.choice import RandomChoice as RandomChoice
from perfkit.augment.clahe import CLAHE as CLAHE
from perfkit.augment.coarse_dropout import CoarseDropout as CoarseDropout
from perfkit.augment.color import ColorAugment as ColorAugment
from perfkit.augment.color_degeneration import (
    RandomColorDegeneration as RandomColorDegeneration,
)
from perfkit.augment.color_jitter import RandomColorJitter as RandomColorJitter
from perfkit.augment.combination import Combination as Combination
from perfkit.augment.contrast import RandomContrast as RandomContrast
from perfkit.augment.copy_paste import CopyPaste as CopyPaste
from perfkit.augment.crop import RandomCrop as RandomCrop
from perfkit.augment.cut_mix import CutMix as CutMix
from perfkit.augment.d4 import RandomD4 as RandomD4
from perfkit.augment.dataset import augment_dataset as augment_dataset
from perfkit.augment.downscale import Downscale as Downscale
from perfkit.augment.drop import DropAugment as DropAugment
from perfkit.augment.elastic_transform import (
    RandomElasticTransform as RandomElasticTransform,
)
from perfkit.augment.equalization import Equalization as Equalization
from perfkit.augment.erasing import RandomErasing as RandomErasing
from perfkit.augment.field import FieldAugment as FieldAugment
from perfkit.augment.flip import RandomFlip as RandomFlip
from perfkit.augment.gamma import RandomGamma as RandomGamma
from perfkit.augment.gaussian_blur import RandomGaussianBlur as RandomGaussianBlur
from perfkit.augment.gaussian_noise import GaussianNoise as GaussianNoise
from perfkit.augment.geometric import GeometricAugment as GeometricAugment
from perfkit.augment.geometric import WarpAugment as WarpAugment
from perfkit.augment.grayscale import RandomGrayscale as RandomGrayscale
from perfkit.augment.grid_distortion import GridDistortion as GridDistortion
from perfkit.augment.grid_mask import GridMask as GridMask
from perfkit.augment.hue import RandomHue as RandomHue
from perfkit.augment.image import ImageAugment as ImageAugment
from perfkit.augment.invert import RandomInvert as RandomInvert
from perfkit.augment.jpeg_compression import JPEGCompression as JPEGCompression
from perfkit.augment.letter_box import LetterBox as LetterBox
from perfkit.augment.median_blur import MedianBlur as MedianBlur
from perfkit.augment.mix import MixAugment as MixAugment
from perfkit.augment.mix_up import MixUp as MixUp
from perfkit.augment.mosaic import Mosaic as Mosaic
from perfkit.augment.motion_blur import MotionBlur as MotionBlur
from perfkit.augment.moving.albumentations_compose import (
    from_albumentations as from_albumentations,
)
from perfkit.augment.moving.generator import (
    from_image_data_generator as from_image_data_generator,
)
from perfkit.augment.moving.keras_layers import from_keras as from_keras
from perfkit.augment.normalization import Normalization as Normalization
from perfkit.augment.operation import Operation as Operation
from perfkit.augment.order import RandomOrder as RandomOrder
from perfkit.augment.perspective import RandomPerspective as RandomPerspective
from perfkit.augment.pipeline import Pipeline as Pipeline
from perfkit.augment.pixel import PixelAugment as PixelAugment
from perfkit.augment.planckian import RandomPlanckian as RandomPlanckian
from perfkit.augment.policy import PolicyAugment as PolicyAugment
from perfkit.augment.posterization import RandomPosterization as RandomPosterization
from perfkit.augment.py_dataset import AugmentedPyDataset as AugmentedPyDataset
from perfkit.augment.rand_augment import RandAugment as RandAugment
from perfkit.augment.rescaling import Rescaling as Rescaling
from perfkit.augment.resized_crop import RandomResizedCrop as RandomResizedCrop
from perfkit.augment.resizing import Resizing as Resizing
from perfkit.augment.rot90 import RandomRot90 as RandomRot90
from perfkit.augment.rotation import RandomRotation as RandomRotation
from perfkit.augment.salt_and_pepper import SaltAndPepper as SaltAndPepper
from perfkit.augment.saturation import RandomSaturation as RandomSaturation
from perfkit.augment.sepia import Sepia as Sepia
from perfkit.augment.sharpness import RandomSharpness as RandomSharpness
from perfkit.augment.shear import RandomShear as RandomShear
from perfkit.augment.shot_noise import ShotNoise as ShotNoise
from perfkit.augment.show import show as show
from perfkit.augment.solarization import Solarization as Solarization
from perfkit.augment.some_of import SomeOf as SomeOf
from perfkit.augment.tabular.feature import FeatureAugment as FeatureAugment
from perfkit.augment.tabular.feature_corruption import (
    FeatureCorruption as FeatureCorruption,
)
from perfkit.augment.tabular.feature_noise import FeatureNoise as FeatureNoise
from perfkit.augment.tabular.row_cut_mix import RowCutMix as RowCutMix
from perfkit.augment.tabular.row_mix_up import RowMixUp as RowMixUp
from perfkit.augment.test_time import TestTimeAugmentation as TestTimeAugmentation
from perfkit.augment.text.span_masking import SpanMasking as SpanMasking
from perfkit.augment.text.token import MoveAugment as MoveAugment
from perfkit.augment.text.token import ReplaceAugment as ReplaceAugment
from perfkit.augment.text.token import TokenAugment as TokenAugment
from perfkit.augment.text.token_deletion import TokenDeletion as TokenDeletion
from perfkit.augment.text.token_dropout import TokenDropout as TokenDropout
from perfkit.augment.text.token_replacement import TokenReplacement as TokenReplacement
from perfkit.augment.text.token_swap import TokenSwap as TokenSwap
from perfkit.augment.thin_plate_spline import ThinPlateSpline as ThinPlateSpline
from perfkit.augment.tone_curve import ToneCurve as ToneCurve
from perfkit.augment.translation import RandomTranslation as RandomTranslation
from perfkit.augment.trivial_augment import TrivialAugmentWide as TrivialAugmentWide
from perfkit.augment.zoom import RandomZoom as RandomZoom
from perfkit.augment.zoom_out import RandomZoomOut as RandomZoomOut


def __dir__():
    return _names.public(globals())
