"""Penalties on a model's weights, and putting them on a model that is built."""

from perfkit.regularizers.attach import Attached as Attached
from perfkit.regularizers.attach import attach as attach
