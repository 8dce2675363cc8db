"""Several operations as one."""

import keras

from perfkit import _check
from perfkit.augment.base import Augment


@keras.saving.register_keras_serializable(package="perfkit")
class Pipeline(Augment):
    """Apply augmentation layers one after the other, compiled into one program.

    Geometric operations multiply into one matrix per sample, crops and resizes
    included, and the images are resampled once. Colour operations multiply into
    one matrix per sample, rescaling and normalization included, and values are cut
    off once, where a range changes. So what one operation pushes out of the frame
    or out of the range is not lost to the next, and nothing is blurred twice. What
    lies outside the image is filled by the last geometric operation; where two
    fill modes or interpolations meet, there is a resample for each. Contrast before
    a geometric operation reads the mean of a resample of its own.

    The draws come from the pipeline's seed, not from the layers'.

    Args:
        layers: Augmentation layers of perfkit.
        name: Name of the layer.
        fused: Whether to compile as above; `False` does one step after the other,
            as calling the layers would.
        seed: Whole number. `None` derives one from the layers' seeds if each layer
            that draws has one, else takes another stream at each construction.
        **kwargs: See `Augment`. `data_format` and `bounding_box_format` are by
            default those of the layers.

    Shape:
        `(batch, height, width, channels)` or one image; the last size asked for
        out.

    Raises:
        TypeError: If a layer is not one of perfkit's.
        ValueError: If there are no layers, or they disagree on the layout.

    Example:
        >>> import numpy as np
        >>> from perfkit import augment
        >>> pipeline = Pipeline([augment.RandomCrop(24, 24), augment.RandomFlip()])
        >>> pipeline(np.zeros((8, 32, 32, 3), "uint8")).shape == (8, 24, 24, 3)
        True

    Reference: Karras et al., Training Generative Adversarial Networks with Limited
        Data, 2020, 2006.06676, compose one geometric and one colour matrix per
        sample, for fixed operations.
    """

    def __init__(self, layers, name=None, *, fused=True, seed=None, **kwargs):
        owner = "Pipeline"
        if not isinstance(layers, (list, tuple)):
            _check.fail(owner, "layers", "a list of layers", layers, TypeError)
        layers = list(layers)
        if not layers:
            _check.fail(owner, "layers", "a list of at least one layer", layers)
        for layer in layers:
            if not isinstance(layer, Augment):
                expected = "perfkit augmentation layers; put others before or after it"
                _check.fail(owner, "layers", expected, layer, TypeError)
        said = {
            layout: {getattr(layer, layout) for layer in layers} - {None}
            for layout in ("data_format", "bounding_box_format")
        }
        for layout, formats in said.items():
            if kwargs.get(layout) is None and len(formats) == 1:
                (kwargs[layout],) = formats
        self.random = any(layer.random for layer in layers)
        self.mixes = any(layer.mixes for layer in layers)
        if seed is None:
            seed = _joint_seed([layer for layer in layers if layer.random])
        super().__init__(seed=seed, name=name, **kwargs)
        for layout, formats in said.items():
            own = getattr(self, layout)
            if formats - {own}:
                expected = f"that of each of its layers, which have {sorted(formats)}"
                _check.fail(owner, layout, expected, own)
        self.layers = layers
        self.fused = _check.boolean(owner, "fused", fused)

    def check_inputs(self, inputs):
        for layer in self.layers:
            layer.check_inputs(inputs)

    def constants(self):
        return [layer.constants() for layer in self.layers]

    def draw(self, rng, constants, training):
        return [
            layer.draw(rng, own, training)
            for layer, own in zip(self.layers, constants, strict=True)
        ]

    def transform(self, canvas, params):
        for layer, own in zip(self.layers, params, strict=True):
            if own is not None:
                layer.transform(canvas, own)
                if not self.fused:
                    canvas.settle()

    def get_config(self):
        config = super().get_config()
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return {**config, "layers": layers}

    @classmethod
    def from_config(cls, config):
        layers = [
            keras.saving.deserialize_keras_object(layer) for layer in config["layers"]
        ]
        return cls(**{**config, "layers": layers})


def _joint_seed(layers):
    """One seed from the layers' seeds, or `None` if one has none."""
    seed = 0
    for layer in layers:
        if layer.seed is None:
            return None
        seed = (seed * 1_000_003 + layer.seed + 1) % (2**31 - 1)
    return seed if layers else None
