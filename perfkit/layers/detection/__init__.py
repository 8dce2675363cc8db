"""Pyramids of feature maps, and detectors made of them."""
