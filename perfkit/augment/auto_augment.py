"""AutoAugment."""

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment import bank
from perfkit.augment.policy import PolicyAugment

# Appendix of the paper: two operations a line, each with its probability and, where
# it has one, its level from 0 to 9.
_IMAGENET = """
posterize .4 8, rotate .6 9; solarize .6 5, auto_contrast .6; equalize .8, equalize .6
posterize .6 7, posterize .6 6; equalize .4, solarize .2 4; equalize .4, rotate .8 8
solarize .6 3, equalize .6; posterize .8 5, equalize 1; rotate .2 3, solarize .6 8
equalize .6, posterize .4 6; rotate .8 8, color .4 0; rotate .4 9, equalize .6
equalize 0, equalize .8; invert .6, equalize 1; color .6 4, contrast 1 8
rotate .8 8, color 1 2; color .8 8, solarize .8 7; sharpness .4 7, invert .6
shear_x .6 5, equalize 1; color .4 0, equalize .6; equalize .4, solarize .2 4
solarize .6 5, auto_contrast .6; invert .6, equalize 1; color .6 4, contrast 1 8
equalize .8, equalize .6
"""
_CIFAR10 = """
invert .1, contrast .2 6; rotate .7 2, translate_x .3 9
sharpness .8 1, sharpness .9 3; shear_y .5 8, translate_y .7 9
auto_contrast .5, equalize .9; shear_y .2 7, posterize .3 7
color .4 3, brightness .6 7; sharpness .3 9, brightness .7 9; equalize .6, equalize .5
contrast .6 7, sharpness .6 5; color .7 7, translate_x .5 8
equalize .3, auto_contrast .4; translate_y .4 3, sharpness .2 6
brightness .9 6, color .2 8; solarize .5 2, invert 0; equalize .2, auto_contrast .6
equalize .2, equalize .6; color .9 9, equalize .6; auto_contrast .8, solarize .2 8
brightness .1 3, color .7 0; solarize .4 5, auto_contrast .9
translate_y .9 9, translate_y .7 9; auto_contrast .9, solarize .8 3
equalize .8, invert .1; translate_y .7 9, auto_contrast .9
"""
_SVHN = """
shear_x .9 4, invert .2; shear_y .9 8, invert .7; equalize .6, solarize .6 6
invert .9, equalize .6; equalize .6, rotate .9 3; shear_x .9 4, auto_contrast .8
shear_y .9 8, invert .4; shear_y .9 5, solarize .2 6; invert .9, auto_contrast .8
equalize .6, rotate .9 3; shear_x .9 4, solarize .3 3; shear_y .8 8, invert .7
equalize .9, translate_y .6 6; invert .9, equalize .6; contrast .3 3, rotate .8 4
invert .8, translate_y 0 2; shear_y .7 6, solarize .4 8; invert .6, rotate .8 4
shear_y .3 7, translate_x .9 3; shear_x .1 6, invert .6
solarize .7 2, translate_y .6 7; shear_y .8 4, invert .8
shear_x .7 9, translate_y .8 3; shear_y .8 5, auto_contrast .7
shear_x .7 2, invert .1
"""
POLICIES = {"imagenet": _IMAGENET, "cifar10": _CIFAR10, "svhn": _SVHN}


def _pairs(text):
    """Number, probability and level of both operations of each pair: three arrays."""
    pairs = [pair for line in text.strip().splitlines() for pair in line.split(";")]
    entries = [
        [(*entry.split(), "0")[:3] for entry in pair.split(",")] for pair in pairs
    ]
    numbers = [[bank.NUMBER[name] for name, _, _ in pair] for pair in entries]
    rates = [[float(rate) for _, rate, _ in pair] for pair in entries]
    levels = [[float(level) / 9.0 for _, _, level in pair] for pair in entries]
    return np.array(numbers), np.array(rates), np.array(levels)


def _slot(numbers):
    """Shares of the batch that get an operation, by runs of pairs that have it."""
    shares: dict[str, tuple[float, ...]] = {}
    before = None
    for number in numbers:
        name = bank.OPERATIONS[number]
        runs = shares.get(name, ())
        one = 1.0 / len(numbers)
        joined = (*runs[:-1], runs[-1] + one) if name == before else (*runs, one)
        shares[name], before = joined, name
    return shares


@keras.saving.register_keras_serializable(package="perfkit")
class AutoAugment(PolicyAugment):
    """Apply one of 25 learned pairs of operations, chosen per image.

    Args:
        policy: Data set that the pairs were learned on: `"imagenet"`, `"cifar10"` or
            `"svhn"`.
        value_range: `(low, high)` of the pixel values.
        **kwargs: See `PolicyAugment` (`interpolation`, `fill_mode`, `rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `policy` is not one of these, or an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.full((4, 8, 8, 3), 100, "uint8")
        >>> AutoAugment("svhn", dtype="uint8")(image).shape == (4, 8, 8, 3)
        True

    Reference: Cubuk et al., AutoAugment: Learning Augmentation Policies from Data,
        2018, 1805.09501. The paper's crops, flips and Cutout are layers of their own.
    """

    def __init__(self, policy="imagenet", value_range=(0, 255), **kwargs):
        super().__init__(value_range=value_range, **kwargs)
        self.policy = _check.one_of("AutoAugment", "policy", policy, POLICIES)
        # Pairs with the same first operation side by side: fewer runs to round up.
        table = _pairs(POLICIES[self.policy])
        order = np.lexsort((table[0][:, 1], table[0][:, 0]))
        self._table = tuple(column[order] for column in table)
        self.slots = tuple(_slot(self._table[0][:, slot]) for slot in range(2))

    def plan(self, rng):
        numbers, rates, levels = self._table
        pair = rng.deal([1.0 / len(numbers)] * len(numbers))

        def look_up(column, dtype):
            column = ops.convert_to_tensor(column.tolist(), dtype=dtype)
            return ops.take(column, pair, axis=0)

        plan = []
        for slot in range(2):
            applied = rng.bernoulli(look_up(rates[:, slot], "float32"))
            number = look_up(numbers[:, slot], "int32")
            level = look_up(levels[:, slot], "float32")
            plan.append((ops.where(applied, number, 0), level))
        return plan
