"""A pretrained backbone made into a good model for a new task."""

from perfkit.transfer.average_weights import average_weights as average_weights
from perfkit.transfer.greedy_soup import greedy_soup as greedy_soup
from perfkit.transfer.soup import Soup as Soup
from perfkit.transfer.wise_ft import wise_ft as wise_ft
