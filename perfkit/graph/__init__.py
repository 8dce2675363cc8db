"""Reading and rewriting a Keras model."""
