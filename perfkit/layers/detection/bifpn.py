"""Feature maps that are weighed and mixed in both directions, several times."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.detection.neck import Neck
from perfkit.ops import pyramids


@keras.saving.register_keras_serializable(package="perfkit")
class BiFPN(Neck):
    """Mix each map with its neighbours by learned weights, down and up, and again.

    On the way down a map is mixed with the coarser one, on the way up with the finer
    one and with what it was in the beginning. Weights are one number for each map that
    is mixed, 1 at first. A convolution of 3 follows a swish. Each of `extra_levels` is
    a maximum over 3 x 3 places of the map before it.

    Args:
        filters: See `Neck`.
        depth: How often it goes down and up. At least 1.
        separable: Whether convolutions are separable ones. Where convolutions of single
            channels are slow, plain ones may be faster.
        normalization: See `Neck`.
        **kwargs: See `Neck` (`extra_levels`, `data_format`).

    Shape:
        A list of `(batch, height, width, channels)`, finest first, or channels first;
        a list of the same sizes with `filters` channels out, and `extra_levels` more.

    Raises:
        ValueError: If an argument is out of bounds, or inputs are no list of maps.

    Example:
        >>> import numpy as np
        >>> maps = [np.ones((1, 8, 8, 3)), np.ones((1, 4, 4, 6))]
        >>> [tuple(x.shape) for x in BiFPN(5, depth=2)(maps)]
        [(1, 8, 8, 5), (1, 4, 4, 5)]

    Reference: Tan et al., EfficientDet, 2019, arXiv 1911.09070. Their code makes the
        channels of middle maps anew for the way up; here, as in their figures, both
        ways share them.
    """

    def __init__(
        self,
        filters=64,
        depth=3,
        *,
        separable=True,
        normalization="batch",
        **kwargs,
    ):
        super().__init__(filters, normalization=normalization, **kwargs)
        self.depth = _check.integer("BiFPN", "depth", depth)
        self.separable = _check.boolean("BiFPN", "separable", separable)

    def prepare(self, channels):
        count = len(channels) + self.extra_levels
        self.lateral = [
            self.convolution(c, 1, use_bias=True, name=f"lateral_{number}")
            for number, c in enumerate(channels)
        ]
        self.nodes, self.fusions = [], []
        for round_number in range(self.depth):
            for way, numbers in (("down", _down(count)), ("up", range(1, count))):
                for number in numbers:
                    middle = way == "up" and number < count - 1
                    name = f"{way}_{round_number}_{number}"
                    self._prepare_node(name, 3 if middle else 2)

    def _prepare_node(self, name, count):
        self.fusions.append(
            self.add_weight(shape=(count,), initializer="ones", name=f"weights_{name}")
        )
        self.nodes.append(
            self.convolution(
                self.filters, separable=self.separable, use_bias=True, name=name
            )
        )

    def mix(self, maps, training):
        maps = [
            convolve(x, training=training)
            for convolve, x in zip(self.lateral, maps, strict=True)
        ]
        for _ in range(self.extra_levels):
            maps.append(_halved(maps[-1]))
        nodes = zip(self.nodes, self.fusions, strict=True)

        def mixed(*several):
            convolve, weights = next(nodes)
            mean = pyramids.weighed(several, weights)
            return convolve(ops.silu(mean), training=training)

        for _ in range(self.depth):
            maps = _down_and_up(maps, mixed)
        return maps


def _down(count):
    return reversed(range(count - 1))


def _halved(x):
    return ops.max_pool(x, 3, 2, padding="same", data_format="channels_last")


def _down_and_up(maps, mixed):
    count = len(maps)
    middle = list(maps)
    for number in _down(count):
        coarser = pyramids.enlarged(middle[number + 1], maps[number])
        middle[number] = mixed(maps[number], coarser)
    out = middle[:1]
    for number in range(1, count):
        finer = pyramids.cropped(_halved(out[-1]), maps[number])
        between = [middle[number]] if number < count - 1 else []
        out.append(mixed(maps[number], *between, finer))
    return out
