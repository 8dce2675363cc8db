"""Layers that weigh the channels and the places of images."""
