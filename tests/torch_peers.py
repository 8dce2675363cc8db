"""Packages of torch to compare with, imported wherever their wheels came from."""

import importlib

import numpy as np
import pytest


def imported(name):
    """Import a package, or skip the tests of a file where torch or it is missing.

    torchvision's operators do not load where torch is built for the CPU alone and
    torchvision, from PyPI, for a GPU. What it has in Python is imported then, and with
    it timm.
    """
    torch = pytest.importorskip("torch")
    register = torch.library.register_fake

    def forgiving(operator, *arguments, **options):
        noted = register(operator, *arguments, **options)

        def note(function):
            try:
                return noted(function)
            except RuntimeError:
                if not str(operator).startswith("torchvision::"):
                    raise
                return function

        return note

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.library, "register_fake", forgiving)
        pytest.importorskip(name.partition(".")[0])
        return importlib.import_module(name)


def to_torch(array):
    import torch

    return torch.tensor(np.ascontiguousarray(array))


def channels_first(x):
    """An image of Keras as a tensor of torch."""
    return to_torch(np.moveaxis(np.asarray(x), -1, 1))


def channels_last(x):
    """An image of torch as an array of Keras's format."""
    return np.moveaxis(x.detach().numpy(), 1, -1)
