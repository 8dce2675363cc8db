"""Smaller and faster models: export to TFLite, float or fully int8."""

from perfkit.compress.export_tflite import TFLiteReport as TFLiteReport
from perfkit.compress.export_tflite import export_tflite as export_tflite
from perfkit.compress.lite_model import LiteModel as LiteModel
from perfkit.compress.lite_model import LiteTensor as LiteTensor
