"""A pretrained backbone made into a good model for a new task."""
