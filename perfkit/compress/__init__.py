"""Smaller and faster models: export to TFLite, float or int8, and reports on both."""

from perfkit.compress.export_tflite import TFLiteReport as TFLiteReport
from perfkit.compress.export_tflite import export_tflite as export_tflite
from perfkit.compress.lite_model import LiteModel as LiteModel
from perfkit.compress.lite_model import LiteTensor as LiteTensor
from perfkit.compress.reporting.report import report as report
from perfkit.compress.reporting.results import Latency as Latency
from perfkit.compress.reporting.results import LayerReport as LayerReport
from perfkit.compress.reporting.results import ModelReport as ModelReport
from perfkit.compress.reporting.results import Report as Report
