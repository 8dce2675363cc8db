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
import numpy as np

from perfkit import _backend, _replicas
from perfkit._backend import ops

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA
_ROUNDS = 20
_COUNTERS = 4  # pairs of words drawn at once: 8 draws per sample


def _rounds():
    """What each round rotates by, and which words of key it adds, int32 columns.

    A right shift of an integer keeps its sign, so what comes in is masked.
    """
    table = []
    for number in range(_ROUNDS):
        bits = _ROTATIONS[number % 8]
        group, last = number // 4 + 1, number % 4 == 3
        words = (group % 3, (group + 1) % 3, group) if last else (3, 3, 0)
        table.append((bits, 32 - bits, (1 << bits) - 1, *words))
    return np.array(table, "int32").T.tolist()


def _units(words):
    """The upper 24 bits, as floats in [0, 1)."""
    upper = ops.bitwise_and(ops.right_shift(words, 8), (1 << 24) - 1)
    return ops.cast(upper, "float32") * 2.0**-24


def _picked(words, here, axis):
    """The one of each row or column of `words` that is `here`."""
    return ops.sum(ops.where(here, words, ops.zeros_like(words)), axis=axis)


def _threefry_on_host(key, counter):
    """The same as `threefry`, round after round on NumPy words without a sign."""
    first, second = [np.uint32(int(word) & 0xFFFFFFFF) for word in key]
    words = (first, second, first ^ second ^ np.uint32(_PARITY))
    x, y = np.broadcast_arrays(*counter)
    x, y = [(c.astype("uint32") + word) for c, word in zip((x, y), words, strict=False)]
    for number in range(_ROUNDS):
        bits = _ROTATIONS[number % 8]
        x += y
        y = (y << np.uint32(bits)) | (y >> np.uint32(32 - bits))
        y ^= x
        group, last = number // 4 + 1, number % 4 == 3
        if last:
            x += words[group % 3]
            y += words[(group + 1) % 3]
            y += np.uint32(group)
    return x.view("int32"), y.view("int32")


def threefry(key, counter):
    """Return two int32 words from two words of key and two of counter.

    On devices the rounds are a loop, not a chain: XLA would fuse a chain into whatever
    uses the draw, and run it again for every pixel.
    """
    if _backend.engine() == "numpy":
        return _threefry_on_host(key, counter)
    first, second = key
    parity = ops.bitwise_xor(ops.bitwise_xor(first, second), _PARITY)
    words = ops.stack([first, second, parity, ops.zeros_like(first)])[None, :]
    columns = [ops.convert_to_tensor(c, dtype="int32") for c in _rounds()]
    *columns, to_x, to_y, group = columns
    # Picked by sums, not by gathers: there is too little to gather.
    which = ops.arange(4, dtype="int32")[None, :]
    to_x, to_y = [_picked(words, which == to[:, None], 1) for to in (to_x, to_y)]
    columns += [to_x, to_y + group]
    table = ops.stack(columns, axis=1)
    zeros = ops.zeros_like(counter[0] + counter[1])
    x, y = counter[0] + first + zeros, counter[1] + second + zeros

    rounds = ops.arange(_ROUNDS, dtype="int32")

    def one_round(number, state):
        x, y = state
        row = _picked(table, (rounds == number)[:, None], 0)
        left, right, mask, to_x, to_y = [row[k] + zeros for k in range(5)]
        x = x + y
        low = ops.bitwise_and(ops.right_shift(y, right), mask)
        y = ops.bitwise_or(ops.left_shift(y, left), low)
        y = ops.bitwise_xor(y, x)
        return x + to_x, y + to_y

    return ops.fori_loop(0, _ROUNDS, one_round, (x, y))


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
        self._columns: list[tuple[Any, Any]] = []
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
            words = ops.concatenate(words, axis=1)
            units = _units(words)
            # In the order of the counters, each of them two words.
            order = [k + half for k in range(_COUNTERS) for half in (0, _COUNTERS)]
            self._columns = [(words[:, k], units[:, k]) for k in order]
            self._blocks += 1
        return self._columns.pop(0)

    def bits(self):
        """Random 32-bit words, as int32: for `perfkit.ops.noise`."""
        return self._column()[0]

    def _unit(self):
        return self._column()[1]

    def uniform(self, low=0.0, high=1.0):
        """Floats in [low, high)."""
        if isinstance(low, (int, float)) and low == high:
            return ops.zeros_like(self._unit()) + low
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

    def gamma(self, alpha):
        """Floats from Gamma(alpha, 1), for a number `alpha` of at least 0.1.

        By rejection of Marsaglia and Tsang, A Simple Method for Generating Gamma
        Variables, 2000, with five tries, of which all fail once in three million.
        """
        if alpha == 1.0:
            return -ops.log(1.0 - self._unit())
        if alpha < 1.0:
            return self.gamma(alpha + 1.0) * ops.power(1.0 - self._unit(), 1.0 / alpha)
        d = alpha - 1.0 / 3.0
        value, accepted = d, False
        for _ in range(5):
            normal, unit = self.normal(), 1.0 - self._unit()
            v = 1.0 + normal / math.sqrt(9.0 * d)
            v = ops.maximum(v * v * v, 1e-9)
            bound = 0.5 * normal * normal + d - d * v + d * ops.log(v)
            good = ops.log(unit) < bound
            value = ops.where(accepted, value, ops.where(good, d * v, value))
            accepted = good | accepted
        return value

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
        if not isinstance(many, int):
            many = ops.cast(many, "float32")
        ends = [round(sum(weights[: k + 1]), 9) for k in range(len(weights) - 1)]
        if not ends:
            return ops.zeros_like(ops.cast(offset, "int32"))
        ends = ops.convert_to_tensor([ends], dtype="float32") * many
        return ops.sum(ops.cast(offset[:, None] >= ends, "int32"), axis=1)

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
        self.first = int(state[0])
        self._tf_data = None

    def next_key(self):
        """Draw the key of one call, an int32 tensor of shape `(2,)`."""
        native = _backend.engine() == keras.backend.backend()
        if not native or _backend.in_tf_data():
            if self._tf_data is None:
                self._tf_data = _backend.tf_data_key(self.first)
            return self._tf_data()
        key = ops.cast(self.generator.next(), "int32")
        # All replicas read the same state.
        replica = ops.convert_to_tensor(_replicas.replica(), dtype="int32")
        return key + ops.stack([replica, ops.zeros_like(replica)])
