"""A pretrained backbone made into a good model for a new task."""

from perfkit.transfer.cache_features import cache_features as cache_features
from perfkit.transfer.cached_features import CachedFeatures as CachedFeatures
from perfkit.transfer.split_model import split_model as split_model
