"""Weights that are zero: masks, when they are made, and who keeps them."""
