"""A pretrained backbone made into a good model for a new task."""

from perfkit.transfer.adapt import adapt as adapt
from perfkit.transfer.adapted import Adapted as Adapted
from perfkit.transfer.adapter import Adapter as Adapter
from perfkit.transfer.bit_fit import bit_fit as bit_fit
from perfkit.transfer.dora import DoRA as DoRA
from perfkit.transfer.insert_adapters import insert_adapters as insert_adapters
from perfkit.transfer.load_adapter import load_adapter as load_adapter
from perfkit.transfer.lora import LoRA as LoRA
from perfkit.transfer.merge import merge as merge
from perfkit.transfer.save_adapter import save_adapter as save_adapter
from perfkit.transfer.unload import unload as unload
