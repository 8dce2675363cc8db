"""What detectors are made of: boxes `xyxy` in pixels, float32.

Boxes come in batches `(batch, m, 4)`, with classes `(batch, m)`. The class -1 marks
padding, a box that is not there.
"""
