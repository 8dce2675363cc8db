"""Layers that pool all places, and learn nothing."""

import keras

from perfkit.layers import ConcatPool, GlobalMaxPool

POOLINGS = (
    *(
        getattr(keras.layers, f"Global{kind}Pooling{rank}D")
        for kind in ("Average", "Max")
        for rank in (1, 2, 3)
    ),
    ConcatPool,
    GlobalMaxPool,
)
