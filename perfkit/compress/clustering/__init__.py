"""Weights of few values."""
