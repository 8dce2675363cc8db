"""Smaller and faster models, down to a `.tflite` file."""

import importlib

from perfkit import _names
from perfkit.compress.clustering.cluster import cluster as cluster
from perfkit.compress.clustering.clustered_kernel import (
    ClusteredKernel as ClusteredKernel,
)
from perfkit.compress.export_onnx import ONNXReport as ONNXReport
from perfkit.compress.export_onnx import export_onnx as export_onnx
from perfkit.compress.export_tflite import TFLiteReport as TFLiteReport
from perfkit.compress.export_tflite import export_tflite as export_tflite
from perfkit.compress.fold_batch_norm import fold_batch_norm as fold_batch_norm
from perfkit.compress.lite_model import LiteModel as LiteModel
from perfkit.compress.lite_model import LiteTensor as LiteTensor
from perfkit.compress.low_rank import low_rank as low_rank
from perfkit.compress.quantization.fake_quantization import (
    FakeQuantization as FakeQuantization,
)
from perfkit.compress.quantization.mixed_precision_plan import (
    MixedPrecisionPlan as MixedPrecisionPlan,
)
from perfkit.compress.quantization.mixed_precision_plan import (
    mixed_precision_plan as mixed_precision_plan,
)
from perfkit.compress.quantization.quantize import quantize as quantize
from perfkit.compress.quantization.quantize_aware import (
    quantize_aware as quantize_aware,
)
from perfkit.compress.quantization.quantized_kernel import (
    QuantizedKernel as QuantizedKernel,
)
from perfkit.compress.reparameterized import KernelTransform as KernelTransform
from perfkit.compress.reparameterized import Reparameterized as Reparameterized
from perfkit.compress.reporting.report import report as report
from perfkit.compress.reporting.results import Latency as Latency
from perfkit.compress.reporting.results import LayerReport as LayerReport
from perfkit.compress.reporting.results import ModelReport as ModelReport
from perfkit.compress.reporting.results import Report as Report
from perfkit.compress.shrinking.channel_groups import ChannelGroup as ChannelGroup
from perfkit.compress.shrinking.channel_groups import ChannelGroups as ChannelGroups
from perfkit.compress.shrinking.channel_groups import channel_groups as channel_groups
from perfkit.compress.shrinking.shrink import shrink as shrink
from perfkit.compress.sparsity.block import Block as Block
from perfkit.compress.sparsity.cubic_sparsity import CubicSparsity as CubicSparsity
from perfkit.compress.sparsity.hold_zeros import hold_zeros as hold_zeros
from perfkit.compress.sparsity.n_of_m import NofM as NofM
from perfkit.compress.sparsity.prune import prune as prune
from perfkit.compress.sparsity.prune_report import PruneReport as PruneReport
from perfkit.compress.sparsity.pruning import Pruning as Pruning
from perfkit.compress.sparsity.rewind import rewind as rewind
from perfkit.compress.sparsity.rewind_point import RewindPoint as RewindPoint
from perfkit.compress.sparsity.sensitivity import Sensitivity as Sensitivity
from perfkit.compress.sparsity.sensitivity import sensitivity as sensitivity
from perfkit.compress.sparsity.strip_pruning import strip_pruning as strip_pruning
from perfkit.compress.sparsity.unstructured import Unstructured as Unstructured
from perfkit.compress.stripping import strip as strip

_OF_TFMOT = ("ConstantSparsity", "PolynomialDecay")


def __getattr__(name):
    """Give the bridge, and schedules of tensorflow-model-optimization, when asked."""
    if name in _OF_TFMOT:
        from perfkit.compress import _tfmot

        return getattr(_tfmot.tfmot().sparsity.keras, name)
    if name == "tfmot":
        return importlib.import_module("perfkit.compress.tfmot")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*_names.public(globals()), *_OF_TFMOT, "tfmot"})
