"""Random draws, one per sample. Operations never see a seed.

The generator is Threefry-2x32 with 20 rounds, written in 32-bit integer
arithmetic. It is a pure function of the call's key, the sample's index and the
number of the draw, so a draw does not depend on the batch size, and it is the
same on every backend. XLA has no kernel for TensorFlow's own gamma sampler.

Reference: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011.
"""

import math
from typing import Any

import keras

from perfkit import _backend
from perfkit._backend import ops

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_COUNTERS = 4  # pairs of words drawn at once: 8 draws per sample


def _rotate(x, bits):
    """Rotate 32-bit integers left; a right shift of them keeps the sign, so mask."""
    mask = ops.left_shift(ops.ones_like(bits), bits) - 1
    low = ops.bitwise_and(ops.right_shift(x, 32 - bits), mask)
    return ops.bitwise_or(ops.left_shift(x, bits), low)


def _unit(words):
    """The upper 24 bits, as floats in [0, 1)."""
    upper = ops.bitwise_and(ops.right_shift(words, 8), (1 << 24) - 1)
    return ops.cast(upper, "float32") * 2.0**-24


def threefry(key, counter):
    """Return two int32 words from two words of key and two of counter.

    The rounds are a loop, not a chain: XLA would fuse a chain into whatever uses
    the draw, and run it again for every pixel.
    """
    zeros = ops.zeros_like(counter[0] + counter[1])
    schedule = [key[0], key[1], ops.bitwise_xor(ops.bitwise_xor(*key), _PARITY)]
    x, y = counter[0] + schedule[0] + zeros, counter[1] + schedule[1] + zeros

    def four_rounds(group, state):
        x, y, now, later, (k0, k1, k2) = state
        for k in range(4):
            x = x + y
            y = ops.bitwise_xor(_rotate(y, now[k]), x)
        return x + k1, y + k2 + group + 1, later, now, (k1, k2, k0)

    rotations = [ops.convert_to_tensor(bits, dtype="int32") for bits in _ROTATIONS]
    state = (x, y, *rotations, tuple(schedule))
    return ops.fori_loop(0, 5, four_rounds, state)[:2]


class Sampler:
    """What an operation draws from: every method returns shape `(batch,)`.

    Args:
        batch: Number of samples.
        key: int32 tensor of shape `(2,)`, another one for every call.
        index: int32 `(batch,)`, numbers of the samples in a data set: they are then
            drawn for one by one, whatever they are batched with. By default they
            count from 0 in each batch.
    """

    def __init__(self, batch, key, index=None):
        self.batch = batch
        self._index = index
        self._key = (key[0], key[1])
        self._columns: list[Any] = []
        self._blocks = 0

    def _column(self):
        if not self._columns:
            sample = self._index
            if sample is None:
                sample = ops.arange(self.batch, dtype="int32")
            sample = sample[:, None]
            number = ops.arange(_COUNTERS, dtype="int32")[None, :]
            number = number + _COUNTERS * self._blocks
            zeros = ops.zeros_like(sample + number)
            words = threefry(self._key, (sample + zeros, number + zeros))
            self._columns = [w[:, k] for k in range(_COUNTERS) for w in words]
            self._blocks += 1
        return self._columns.pop(0)

    def bits(self):
        """Random 32-bit words, as int32: for `perfkit.ops.noise`."""
        return self._column()

    def _unit(self):
        return _unit(self._column())

    def uniform(self, low=0.0, high=1.0):
        """Floats in [low, high)."""
        return low + (high - low) * self._unit()

    def bernoulli(self, rate):
        """Booleans, true with probability `rate`."""
        return self._unit() < rate

    def integers(self, low, high):
        """Whole numbers in [low, high), as int32."""
        offset = ops.cast(ops.floor(self._unit() * (high - low)), "int32")
        return ops.minimum(low + offset, high - 1)

    def sign(self):
        """-1.0 or 1.0, as likely."""
        return ops.where(self._unit() < 0.5, -1.0, 1.0)

    def normal(self, mean=0.0, deviation=1.0):
        """Normal floats, by the method of Box and Muller."""
        radius = ops.sqrt(-2.0 * ops.log(1.0 - self._unit()))
        angle = (2.0 * math.pi) * self._unit()
        return mean + deviation * radius * ops.cos(angle)

    def beta(self, alpha):
        """Floats in [0, 1] from Beta(alpha, alpha), in closed form.

        Student's t with 2 alpha degrees of freedom has a polar form without
        rejection (Bailey, Polar Generation of Random Variates with the
        t-Distribution, 1994), and t / sqrt(2 alpha + t^2) is the symmetric beta
        stretched to [-1, 1].
        """
        q = ops.power(1.0 - self._unit(), 1.0 / alpha)
        cos = ops.cos((2.0 * math.pi) * self._unit())
        spread = ops.sqrt(ops.maximum(q + (1.0 - q) * cos * cos, 1e-30))
        return 0.5 + 0.5 * cos * ops.sqrt(1.0 - q) / spread

    def permutation(self):
        """An order of the samples, drawn per batch, as int32."""
        return ops.cast(ops.argsort(self._unit(), axis=0), "int32")

    def partner(self):
        """Another sample of the batch for each, int32; itself where it is alone.

        Each is the partner of one: they stand in a circle, in an order drawn per batch.
        """
        order = self.permutation()
        place = ops.cast(ops.argsort(order, axis=0), "int32")
        following = ops.where(place + 1 < self.batch, place + 1, 0)
        return ops.take(order, following, axis=0)

    def of_batch(self, draw):
        """One sample's draw for the whole batch, unless samples are on their own."""
        return draw if self._index is not None else draw[:1] + ops.zeros_like(draw)

    def deal(self, weights):
        """Numbers of a choice, int32: `k` with the probability `weights[k]`.

        The samples of a batch are dealt to the choices like cards: choice `k` gets
        `batch * weights[k]` of them, rounded up or down at random, so that it can
        be given room for no more. It is systematic sampling in a random order.

        Reference: Madow and Madow, On the Theory of Systematic Sampling, 1944.
        """
        # Parts of 1024 add to the places of the samples without rounding.
        offset = (ops.floor(self._unit() * 1024.0) + 0.5) / 1024.0
        many = 1
        if self._index is None:
            rank = ops.argsort(self.permutation(), axis=0)
            offset = self.of_batch(offset) + ops.cast(rank, "float32")
            many = self.batch
        many = float(many) if isinstance(many, int) else ops.cast(many, "float32")
        choice = ops.zeros_like(offset)
        total = 0.0
        for weight in weights[:-1]:
            total += weight
            choice = choice + ops.cast(offset >= round(total, 9) * many, "float32")
        return ops.cast(choice, "int32")

    def dealt(self, rate):
        """Booleans, true with probability `rate`, for that share of a batch."""
        return self.deal((rate, 1.0 - rate)) == 0


class SeedStream:
    """One seed, two streams of keys: Keras's own, and one for `tf.data`.

    Keras's generator reads, then assigns. In a parallel `tf.data` map the keys
    would repeat, so there they come from TensorFlow's atomic generator; and so do
    those of any TensorFlow graph under another backend, whose generator would be
    read once, while the graph is traced.
    """

    def __init__(self, seed):
        self.generator = keras.random.SeedGenerator(seed)
        state: Any = keras.ops.convert_to_numpy(self.generator.state)
        self._initial = int(state[0])
        self._tf_data = None

    def next_key(self):
        """Draw the key of one call, an int32 tensor of shape `(2,)`."""
        native = _backend.engine() == keras.backend.backend()
        if not native or _backend.in_tf_data():
            if self._tf_data is None:
                self._tf_data = _backend.tf_data_key(self._initial)
            return self._tf_data()
        key = ops.cast(self.generator.next(), "int32")
        # All replicas read the same state.
        replica = ops.convert_to_tensor(_backend.replica(), dtype="int32")
        return key + ops.stack([replica, ops.zeros_like(replica)])
