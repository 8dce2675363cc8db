"""Similarities of all pairs of two sets of embeddings."""

import math

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import contrastive


class _AtMost(keras.constraints.Constraint):
    """Clip a variable after each step, so that it can come back."""

    def __init__(self, most):
        self.most = most

    def __call__(self, w):
        return ops.minimum(w, self.most)


@keras.saving.register_keras_serializable(package="perfkit")
class SimilarityHead(Configured, keras.layers.Layer):
    """Compare each embedding of a batch with each of another, for CLIP and SigLIP.

    The cosines times a learned scale, the inverse of the temperature, plus a learned
    bias where there is one. The end of a model of two encoders that is trained with
    `losses.CLIP` or `losses.SigLIP`; to embed, call the encoders, as `predict` cannot
    join similarities of one batch to those of the next.

    It computes in float32 under any global policy, as half precision cannot tell large
    logits apart; give `dtype` for another.

    Args:
        scale: What cosines are multiplied by at first. Above 0: 1 / 0.07 for CLIP, 10
            for SigLIP.
        bias: What is added at first, -10 for SigLIP, or None for none.
        max_scale: What the scale is clipped to after each step, or None, as SigLIP
            has it. At least `scale`.
        learned: Whether scale and bias are trained.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        A list of two, `(batch, channels)` each; `(batch, batch)` out, rows of the first
        and columns of the second.

    Raises:
        ValueError: If an argument is out of bounds, or inputs are not two of as many
            channels.

    Example:
        >>> import numpy as np
        >>> images, texts = np.array([[3.0, 4.0]]), np.array([[2.0, 0.0]])
        >>> logits = SimilarityHead(10.0, bias=-1.0)([images, texts])
        >>> [round(float(x), 4) for x in logits[0]]
        [5.0]

    Reference: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, 2021, arXiv 2103.00020; Zhai et al., Sigmoid Loss for Language
        Image Pre-Training, 2023, arXiv 2303.15343.
    """

    def __init__(
        self, scale=1 / 0.07, *, bias=None, max_scale=100.0, learned=True, **kwargs
    ):
        owner = "SimilarityHead"
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.scale = _check.positive(owner, "scale", scale)
        self.bias = None if bias is None else _check.number(owner, "bias", bias)
        if max_scale is not None:
            max_scale = _check.positive(owner, "max_scale", max_scale)
            if max_scale < self.scale:
                expected = f"None or at least `scale`, which is {self.scale}"
                _check.fail(owner, "max_scale", expected, max_scale)
        self.max_scale = max_scale
        self.learned = _check.boolean(owner, "learned", learned)

    def build(self, input_shape):
        shapes = list(input_shape)
        fit = len(shapes) == 2 and all(isinstance(s, (list, tuple)) for s in shapes)
        if not fit or any(len(s) != 2 for s in shapes) or shapes[0][1] != shapes[1][1]:
            raise ValueError(
                f"{self.name}: inputs must be a list of two `(batch, channels)` of as "
                f"many channels. Received: shapes {shapes}"
            )
        clipped = self.max_scale is not None
        self.log_scale = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(math.log(self.scale)),
            constraint=_AtMost(math.log(self.max_scale)) if clipped else None,
            trainable=self.learned,
            name="log_scale",
        )
        self.offset = None
        if self.bias is not None:
            self.offset = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(self.bias),
                trainable=self.learned,
                name="offset",
            )

    def call(self, inputs):
        first, second = [contrastive.directions(x) for x in inputs]
        logits = ops.matmul(first, ops.transpose(second)) * ops.exp(self.log_scale)
        return logits if self.offset is None else logits + self.offset

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], input_shape[1][0])
