"""Losses that Keras lacks: some regularize, some are of boxes."""

from perfkit import _names
from perfkit.losses.box_overlap import BoxOverlap as BoxOverlap
from perfkit.losses.ciou import CIoU as CIoU
from perfkit.losses.classification import ClassificationLoss as ClassificationLoss
from perfkit.losses.clip import CLIP as CLIP
from perfkit.losses.confidence_penalty import ConfidencePenalty as ConfidencePenalty
from perfkit.losses.contrastive import ContrastiveLoss as ContrastiveLoss
from perfkit.losses.focal_crossentropy import FocalCrossentropy as FocalCrossentropy
from perfkit.losses.giou import GIoU as GIoU
from perfkit.losses.nt_xent import NTXent as NTXent
from perfkit.losses.pairs import PairsLoss as PairsLoss
from perfkit.losses.r_drop import RDrop as RDrop
from perfkit.losses.siglip import SigLIP as SigLIP
from perfkit.losses.smoothed_crossentropy import (
    SmoothedCrossentropy as SmoothedCrossentropy,
)
from perfkit.losses.sup_con import SupCon as SupCon
from perfkit.losses.two_passes import TwoPasses as TwoPasses
from perfkit.losses.wrapping import WrappingLoss as WrappingLoss


def __dir__():
    return _names.public(globals())
