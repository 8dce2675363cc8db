"""AugMix."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment import bank
from perfkit.augment.bank import Reach
from perfkit.augment.policy import PolicyAugment, evenly, numbers

_NAMES = (
    "auto_contrast",
    "equalize",
    "posterize",
    "rotate",
    "solarize",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)
_ENHANCEMENTS = ("color", "contrast", "brightness", "sharpness")


@keras.saving.register_keras_serializable(package="perfkit")
class AugMix(PolicyAugment):
    """Mix each image with a few chains of operations on it, chosen per image.

    Masks, boxes and keypoints stay where they are, as the image itself shows
    through.

    Args:
        value_range: `(low, high)` of the pixel values.
        num_chains: Number of chains. Within [1, 8].
        chain_depth: Most operations in a chain; their number is drawn per chain,
            from 1 on. Within [1, 8].
        factor: Greatest strength, within [0, 1], the paper's severity over 10; or
            `(low, high)`. It is drawn per operation.
        alpha: Parameter of the Dirichlet distribution of the chains' weights and of
            the beta distribution of the share of the mixture. Within [0.1, 100].
        all_ops: Whether colour, contrast, brightness and sharpness are among the
            operations.
        interpolation: `"bilinear"` or `"nearest"`, for images.
        seed, data_format: See `Augment` and `ImageAugment`.
        **kwargs: See `PolicyAugment` (`fill_mode`, `rate`, ...), but what it says of
            masks.

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If an argument is out of bounds, or one of masks is given.

    Example:
        >>> import numpy as np
        >>> image = np.full((4, 8, 8, 3), 100, "uint8")
        >>> mix = AugMix(num_chains=1, chain_depth=1, dtype="uint8")
        >>> mix(image).shape == (4, 8, 8, 3)
        True

    Reference: Hendrycks et al., AugMix: A Simple Data Processing Method to Improve
        Robustness and Uncertainty, 2019, 1912.02781. The consistency loss is not part
        of it. Enhancements go both ways; the authors' code only weakens.
    """

    reaches = {  # noqa: RUF012, a constant
        **bank.PAPER,
        "translate_x": Reach(0.0, 1 / 3, True),
        "translate_y": Reach(0.0, 1 / 3, True),
        "posterize": Reach(4.0, 1.0),
    }

    def __init__(
        self,
        value_range=(0, 255),
        num_chains=3,
        chain_depth=3,
        factor=0.3,
        alpha=1.0,
        all_ops=True,
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            value_range=value_range,
            interpolation=interpolation,
            seed=seed,
            data_format=data_format,
            **kwargs,
        )
        owner = "AugMix"
        for argument, usual in (
            ("mask_interpolation", "nearest"),
            ("mask_fill_value", 0),
        ):
            if getattr(self, argument) != usual:
                expected = "left out: masks stay where they are"
                _check.fail(owner, argument, expected, getattr(self, argument))
        self.num_chains = _check.integer(owner, "num_chains", num_chains, 1, 8)
        self.chain_depth = _check.integer(owner, "chain_depth", chain_depth, 1, 8)
        self.factor = _check.reach(owner, "factor", factor, 0.0, 1.0)
        self.alpha = _check.number(owner, "alpha", alpha, 0.1, 100.0)
        self.all_ops = _check.boolean(owner, "all_ops", all_ops)
        self._names = _NAMES + (_ENHANCEMENTS if self.all_ops else ())
        self.slots = (evenly(self._names),) * self.chain_depth

    def plan(self, rng):
        plan = []
        for _ in range(self.num_chains):
            depth = rng.integers(1, self.chain_depth + 1)
            for step in range(self.chain_depth):
                choice = rng.deal([1.0 / len(self._names)] * len(self._names))
                number = ops.where(step < depth, numbers(self._names, choice), 0)
                plan.append((number, rng.uniform(*self.factor)))
        return plan

    def parameters(self, rng):
        params = super().parameters(rng)
        weights = [rng.gamma(self.alpha) for _ in range(self.num_chains)]
        total = sum(weights)
        for chain, weight in enumerate(weights):
            params[f"weight_{chain}"] = weight / total
        return {**params, "share": rng.beta(self.alpha)}

    def transform(self, canvas, params, chosen):
        canvas.check_channels(self.name)
        canvas.settle()
        images = canvas.images
        share = params["share"]
        if chosen is not None:
            share = ops.where(chosen.mask, share, 0.0)
        canvas.images = ops.cast(images, "float32") * canvas.spread(1.0 - share)
        for chain in range(self.num_chains):
            inner = type(canvas)(images, canvas.frames)
            inner.dealt = canvas.dealt
            for step, limits in enumerate(self.slots):
                slot = chain * self.chain_depth + step
                operation, value = params[f"operation_{slot}"], params[f"value_{slot}"]
                bank.perform(inner, operation, value, self.settings(), limits)
            weight = canvas.spread(share * params[f"weight_{chain}"])
            canvas.images = canvas.images + weight * ops.cast(
                inner.picture(), "float32"
            )
