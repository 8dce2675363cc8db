"""What weighs channels or places already, in a model that may not be ours."""

from typing import Any

from perfkit.graph import residuals
from perfkit.graph.calls import Call, Graph
from perfkit.layers import FeatureAttention, SelectiveKernel


def attends(graph: Graph, call: Call) -> bool:
    """Whether a call weighs features by what all places of them hold.

    Also by hand: it multiplies features by what was made of their means or maxima.
    """
    if isinstance(call.operation, (FeatureAttention, SelectiveKernel)):
        return True
    if type(call.operation).__name__ != "Multiply" or len(call.inputs) < 2:
        return False
    return any(
        _pools(one)
        for tensor in call.inputs
        for one in residuals.inside(graph, call, tensor)
    )


def _pools(call) -> bool:
    """Whether it pools all places, or all channels, of an image."""
    name: Any = type(call.operation).__name__
    if name.startswith("Global") and "Pool" in name:
        return True
    return name in ("Mean", "Max") and len(call.inputs[0].shape) == 4
