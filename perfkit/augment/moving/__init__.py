"""Pipelines made from those of other libraries."""
