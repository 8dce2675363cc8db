"""Layers that change tables: rows of features."""
