"""The family of layers that drop contiguous blocks."""

import math

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.dropping import Dropping


class DropBlock(Dropping):
    """Drop contiguous blocks of the inputs while training.

    Blocks lie within the inputs, and where they are larger than these, they are cut
    down to them. What stays is enlarged by the share that is dropped from the batch, so
    that the sum stays about what it was.

    Args:
        rate: Share of the places that are dropped, about. Within [0, 1).
        block_size: Length of a block along each spatial axis, in places. At least 1.
        per_channel: Whether each channel has blocks of its own.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's own.
        **kwargs: See `Dropping` (`seed`, ...).
    """

    spatial_axes: int

    def __init__(
        self,
        rate,
        block_size=7,
        *,
        per_channel=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(rate, **kwargs)
        owner = type(self).__name__
        self.block_size = _check.integer(owner, "block_size", block_size)
        self.per_channel = _check.boolean(owner, "per_channel", per_channel)
        self.data_format = _check.data_format(owner, data_format)
        self.input_spec = keras.layers.InputSpec(ndim=self.spatial_axes + 2)

    def drop(self, inputs):
        kept = self._kept(ops.shape(inputs))
        # In float32: float16 does not count that far.
        scale = ops.cast(ops.size(kept), "float32") / ops.maximum(ops.sum(kept), 1.0)
        return inputs * ops.cast(kept * scale, self.compute_dtype)

    def _kept(self, shape):
        """1 where a place stays, for each channel or for all."""
        last = self.data_format == "channels_last"
        batch, *sizes = shape[:-1] if last else (shape[0], *shape[2:])
        channels = (shape[-1] if last else shape[1]) if self.per_channel else 1
        blocks = [
            min(self.block_size, size) if isinstance(size, int) else self.block_size
            for size in sizes
        ]
        # As many places where a block may begin; each of its own drops one.
        begins = [size - block + 1 for size, block in zip(sizes, blocks, strict=True)]
        wanted = self.rate / math.prod(blocks)
        for size, begin in zip(sizes, begins, strict=True):
            wanted = wanted * (size / begin)
        dropped = self.hits((batch, *begins, channels), wanted)
        around = [(0, 0), *((block - 1, block - 1) for block in blocks), (0, 0)]
        dropped = ops.max_pool(
            ops.pad(dropped, around), tuple(blocks), 1, data_format="channels_last"
        )
        kept = 1.0 - dropped
        return kept if last else ops.moveaxis(kept, -1, 1)
