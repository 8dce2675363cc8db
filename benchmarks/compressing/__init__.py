"""What compression costs and gains."""
