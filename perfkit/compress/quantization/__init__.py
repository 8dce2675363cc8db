"""Models of small integers."""
