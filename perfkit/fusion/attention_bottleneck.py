"""Modalities that exchange what passes a few tokens."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.fusion import _presence
from perfkit.fusion._transformer_block import TransformerBlock
from perfkit.fusion.fusion import SEQUENCES, in_order
from perfkit.fusion.projecting import Projecting
from perfkit.ops import modalities


@keras.saving.register_keras_serializable(package="perfkit")
class AttentionBottleneck(Projecting):
    """Let sequences exchange what they know through a few learned tokens alone.

    In each block every modality attends to its own steps and to the tokens, by weights
    of its own, and makes its own version of the tokens. The next tokens are the average
    of the versions of those modalities that are present.

    Args:
        units: Channels within; `None` for those of the widest modality, without
            projection if all have as many. A multiple of `heads`.
        tokens: Tokens that are shared. At least 1.
        blocks: Blocks. At least 1.
        heads: Attention heads. At least 1.
        hidden: Units of the dense layers in a block, or `None` for four times `units`.
        return_sequences: Whether to return all sequences, and the tokens after them.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, steps, channels)` each, or `(batch, channels)`, which is one step;
        `(batch, tokens, units)` out, or with `return_sequences` a list of
        `(batch, steps, units)` for each modality and of the tokens.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer = AttentionBottleneck(8, tokens=2, blocks=1, heads=2)
        >>> layer([np.ones((1, 5, 8)), np.ones((1, 9, 3))]).shape == (1, 2, 8)
        True

    Reference: Nagrani et al., Attention Bottlenecks for Multimodal Fusion, 2021, arXiv
        2107.00135. The paper reads the class token of each modality; here the tokens of
        the bottleneck are what comes out.
    """

    ranks = SEQUENCES

    def __init__(
        self,
        units=None,
        *,
        tokens=4,
        blocks=2,
        heads=4,
        hidden=None,
        return_sequences=False,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        owner = "AttentionBottleneck"
        self.tokens = _check.integer(owner, "tokens", tokens)
        self.blocks = _check.integer(owner, "blocks", blocks)
        self.heads = _check.integer(owner, "heads", heads)
        if hidden is not None:
            hidden = _check.integer(owner, "hidden", hidden)
        self.hidden = hidden
        self.return_sequences = _check.boolean(
            owner, "return_sequences", return_sequences
        )

    def build_of(self, shapes):
        super().build_of(shapes)
        width = self.width(shapes)
        if width % self.heads:
            expected = f"a divisor of the {width} channels"
            _check.fail("AttentionBottleneck", "heads", expected, self.heads)
        self.bottleneck = self.add_weight(
            shape=(self.tokens, width),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="bottleneck",
        )
        self.encoders = [
            [self._block(number, k, width) for k in range(len(shapes))]
            for number in range(self.blocks)
        ]

    def _block(self, number, modality, width):
        block = TransformerBlock(
            self.heads,
            self.hidden or 4 * width,
            name=f"block_{number}_{modality}",
            dtype=self.dtype_policy,
        )
        block.build((None, None, width))
        return block

    def fuse(self, parts, seen):
        parts = [
            x[:, None, :] if len(x.shape) == 2 else x
            for x in self.projected(parts, seen)
        ]
        batch = ops.shape(parts[0])[0]
        tokens = ops.cast(self.bottleneck, self.compute_dtype)[None]
        tokens = ops.broadcast_to(tokens, (batch, *self.bottleneck.shape))
        for blocks in self.encoders:
            versions = []
            for k, block in enumerate(blocks):
                both = ops.concatenate([seen.hide_steps(k, parts[k]), tokens], axis=1)
                steps = _presence.joined(
                    [seen.steps(k, parts[k]), None], [parts[k], tokens]
                )
                both = block(both, seen=steps)
                parts[k] = both[:, : -self.tokens]
                versions.append(both[:, -self.tokens :])
            tokens = self._averaged(versions, tokens, seen)
        if not self.return_sequences:
            return tokens
        return [*(seen.hide_steps(k, x) for k, x in enumerate(parts)), tokens]

    def _averaged(self, versions, tokens, seen):
        stacked = modalities.wide(ops.stack(versions, axis=1))
        if seen.table is None:
            return ops.cast(ops.mean(stacked, axis=1), self.compute_dtype)
        table = seen.table[:, :, None, None]
        weights = modalities.shares(ops.zeros_like(stacked), table, axis=1)
        mean = ops.cast(ops.sum(weights * stacked, axis=1), self.compute_dtype)
        return ops.where(ops.any(table, axis=1), mean, tokens)

    def arranged(self, inputs, outputs):
        return outputs

    def compute_mask(self, inputs, previous_mask=None):
        if not self.return_sequences or previous_mask is None:
            return None
        return [*in_order(previous_mask), None]

    def shape_of(self, shapes):
        width = self.width(shapes)
        tokens = (shapes[0][0], self.tokens, width)
        if not self.return_sequences:
            return tokens
        steps = [shape[1] if len(shape) == 3 else 1 for shape in shapes]
        return [*((tokens[0], step, width) for step in steps), tokens]
