"""A pretrained backbone made into a good model for a new task."""

from perfkit.transfer.rank_backbones import rank_backbones as rank_backbones
from perfkit.transfer.ranking import Ranking as Ranking
