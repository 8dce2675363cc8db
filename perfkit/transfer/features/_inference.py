"""A backbone as it is at inference, compiled for batches of one size."""

from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import predicts_by_xla
from perfkit.transfer._shuffled import samples


class Inference(keras.Model):
    """Call a backbone at inference; a short batch is filled up and cut off again.

    Args:
        owner: Name of the caller, for errors.
        backbone: A built layer or model. Nothing of it is changed.
        dtype: That of floating-point features.
    """

    def __init__(self, owner: str, backbone: keras.Layer, dtype: str):
        super().__init__(autocast=False)  # the backbone casts its inputs itself
        self._owner, self._features_dtype, self._rows = owner, dtype, 0
        self._mask = MaskProbe()
        self.backbone = backbone
        self.jit_compile = "auto" if predicts_by_xla() else False
        if isinstance(backbone, keras.Model):
            if backbone.compiled:
                self.jit_compile = backbone.jit_compile
            self.run_eagerly = backbone.run_eagerly

    def call(self, inputs):
        outputs = self.backbone(inputs, training=False)
        for output in keras.tree.flatten(outputs):
            self._mask(output)
        return outputs

    def features(self, x: Any) -> Any:
        """Return the features of a batch: a structure of NumPy arrays."""
        count = samples(x)
        self._rows = max(self._rows, count)
        missing = self._rows - count

        def filled(rows):
            return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)])

        filled_up = keras.tree.map_structure(filled, x) if missing else x
        made = self.predict_on_batch(filled_up)
        if self._mask.seen:
            expected = "a backbone whose features carry no mask, which a cache would "
            expected += "lose: have it pool them, or take the layer that masks out"
            _check.fail(self._owner, "backbone", expected, self.backbone)
        if any(np.shape(a)[:1] != (self._rows,) for a in keras.tree.flatten(made)):
            expected = "a backbone that gives features for each sample of a batch"
            _check.fail(self._owner, "backbone", expected, self.backbone)
        return keras.tree.map_structure(lambda a: self._cast(a[:count]), made)

    def _cast(self, features):
        if not keras.backend.is_float_dtype(str(features.dtype)):
            return features
        with np.errstate(over="ignore"):
            cast = features.astype(self._features_dtype)
        if np.isinf(cast).any() and not np.isinf(features).any():
            expected = f"a dtype that holds features as large as {features.max()}"
            _check.fail(self._owner, "dtype", expected, self._features_dtype)
        return cast


class MaskProbe(keras.layers.Layer):
    """See whether a tensor carries a mask."""

    def __init__(self):
        super().__init__(autocast=False)
        self.supports_masking = True
        self.seen = False

    def call(self, inputs, mask=None):
        self.seen = self.seen or mask is not None
        return inputs
