"""Weights that are zero: masks, when they are made, and what keeps them."""
