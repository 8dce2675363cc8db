"""Smaller and faster models, down to a `.tflite` file."""

from perfkit.compress.export_tflite import TFLiteReport as TFLiteReport
from perfkit.compress.export_tflite import export_tflite as export_tflite
from perfkit.compress.lite_model import LiteModel as LiteModel
from perfkit.compress.lite_model import LiteTensor as LiteTensor
from perfkit.compress.shrinking.channel_groups import ChannelGroup as ChannelGroup
from perfkit.compress.shrinking.channel_groups import ChannelGroups as ChannelGroups
from perfkit.compress.shrinking.channel_groups import channel_groups as channel_groups
from perfkit.compress.shrinking.shrink import shrink as shrink
