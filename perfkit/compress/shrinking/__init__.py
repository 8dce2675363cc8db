"""Channels taken out of a model."""
