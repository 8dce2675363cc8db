"""What kinds of layers do to channels."""
