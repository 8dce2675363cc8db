"""One modality that attends to the others."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.fusion import _presence
from perfkit.fusion.fusion import SEQUENCES, Fusion, in_order
from perfkit.ops import modalities


@keras.saving.register_keras_serializable(package="perfkit")
class CrossAttention(Fusion):
    """Add to each step of the first modality what it attends to in the others.

    All steps of the other modalities share one softmax. Where none of them is present,
    the first one stays as it is. Masks hide steps.

    Args:
        heads: Attention heads. At least 1.
        key_dim: Channels of a head. At least 1; `None` for those of the first modality
            divided by `heads`, rounded up.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, steps, channels)` each, or `(batch, channels)`, which is one step; the
        shape of the first one out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> words, places = np.ones((2, 5, 8)), np.ones((2, 9, 3))
        >>> CrossAttention(heads=2)([words, places]).shape == (2, 5, 8)
        True

    Reference: Tsai et al., Multimodal Transformer for Unaligned Multimodal Language
        Sequences, 2019, arXiv 1906.00295: the crossmodal attention of one layer, with
        normalization before it, without its dense layers and dropout, and over all
        other modalities at once.
    """

    ranks = SEQUENCES

    def __init__(self, heads=4, key_dim=None, **kwargs):
        super().__init__(**kwargs)
        self.heads = _check.integer("CrossAttention", "heads", heads)
        if key_dim is not None:
            key_dim = _check.integer("CrossAttention", "key_dim", key_dim)
        self.key_dim = key_dim

    def build_of(self, shapes):
        width = shapes[0][-1]
        inner = self.heads * (self.key_dim or -(-width // self.heads))
        self.norms = []
        for number, shape in enumerate(shapes):
            norm = keras.layers.LayerNormalization(
                epsilon=1e-6, name=f"norm_{number}", dtype=self.dtype_policy
            )
            norm.build(shape)
            self.norms.append(norm)
        self.query = self.dense(inner, "query", shapes[0])
        self.keys, self.values = (
            [
                self.dense(inner, f"{kind}_{number}", shape)
                for number, shape in enumerate(shapes[1:])
            ]
            for kind in ("key", "value")
        )
        # Without bias, so that nothing is added where nothing is attended to.
        self.output_dense = self.dense(width, "output", (None, inner), use_bias=False)

    def fuse(self, parts, seen):
        single = len(parts[0].shape) == 2
        parts = [x[:, None, :] if len(x.shape) == 2 else x for x in parts]
        parts = [seen.hide_steps(number, x) for number, x in enumerate(parts)]
        normal = [norm(x) for norm, x in zip(self.norms, parts, strict=True)]
        others = normal[1:]
        steps = [seen.steps(n, x) for n, x in enumerate(others, start=1)]
        found = modalities.attended(
            self.query(normal[0]),
            _along_steps(self.keys, others),
            _along_steps(self.values, others),
            _presence.joined(steps, others),
            self.heads,
        )
        outputs = parts[0] + self.output_dense(found)
        return outputs[:, 0] if single else outputs

    def compute_mask(self, inputs, previous_mask=None):
        return None if previous_mask is None else in_order(previous_mask)[0]

    def shape_of(self, shapes):
        return shapes[0]


def _along_steps(layers, sequences):
    pairs = zip(layers, sequences, strict=True)
    return ops.concatenate([layer(x) for layer, x in pairs], axis=1)
