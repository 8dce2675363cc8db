"""Layers that change text: ids of tokens."""
