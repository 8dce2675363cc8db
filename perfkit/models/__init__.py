"""Small networks for images, tokens and sequences, and the spaces they span."""

from perfkit import _names
from perfkit.models.cnn import cnn as cnn
from perfkit.models.rnn import rnn as rnn
from perfkit.models.space import Space as Space
from perfkit.models.space import space as space
from perfkit.models.transformer import transformer as transformer


def __dir__():
    return _names.public(globals())
