"""Pure tensor functions: arrays in, arrays out."""
