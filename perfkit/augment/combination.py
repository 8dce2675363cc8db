"""What all ways of putting layers together have in common."""

from typing import Any

import keras

from perfkit import _check
from perfkit.augment._images import Images
from perfkit.augment.base import Augment

_LAYOUT = ("data_format", "bounding_box_format")


class Combination(Augment):
    """Base of the layers that are made of layers.

    The draws come from the combination's seed, not from the layers'.

    Args:
        layers: Augmentation layers of perfkit, all for the same kind of data.
        seed: Whole number. `None` derives one from the layers' seeds if each layer
            that draws has one, else takes another stream at each construction.
        data_format: As in `ImageAugment`, by default that of the layers.
        bounding_box_format: As in `ImageAugment`, by default that of the layers.
        min_visible: As in `ImageAugment`, whatever the layers have.
        **kwargs: See `keras.layers.Layer`.
    """

    def __init__(
        self,
        layers,
        *,
        seed=None,
        data_format=None,
        bounding_box_format=None,
        min_visible=0.0,
        **kwargs,
    ):
        owner = type(self).__name__
        if not isinstance(layers, (list, tuple)):
            _check.fail(owner, "layers", "a list of layers", layers, TypeError)
        layers = list(layers)
        if not layers:
            _check.fail(owner, "layers", "a list of at least one layer", layers)
        for layer in layers:
            if not isinstance(layer, Augment):
                expected = (
                    "augmentation layers that perfkit.augment has made; put others "
                    "before or after it, or translate them with `from_keras`"
                )
                _check.fail(owner, "layers", expected, layer, TypeError)
        kinds = {type(layer.modality) for layer in layers}
        if len(kinds) > 1:
            _check.fail(owner, "layers", "layers for one kind of data", layers)
        given = {"data_format": data_format, "bounding_box_format": bounding_box_format}
        for name, value in given.items():
            said = {getattr(layer, name, None) for layer in layers} - {None}
            if value is None and len(said) == 1:
                (given[name],) = said
        self.random = self.draws_itself or any(layer.random for layer in layers)
        self.mixes = any(layer.mixes for layer in layers)
        if seed is None:
            seed = _joint_seed([layer for layer in layers if layer.random])
        if seed is None and not self.random:
            super().__init__(**kwargs)
        else:
            super().__init__(seed=seed, **kwargs)
        if kinds == {Images}:
            self.modality = Images(owner, **given, min_visible=min_visible)
        else:
            self.modality = layers[0].modality
            if any(vars(layer.modality) != vars(self.modality) for layer in layers):
                _check.fail(owner, "layers", "layers for one order of axes", layers)
            for name, value in given.items():
                if value is not None:
                    _check.fail(owner, name, "left out: it is for images", value)
        self.min_visible = getattr(self.modality, "min_visible", min_visible)
        for name in _LAYOUT:
            own = getattr(self.modality, name, None)
            setattr(self, name, own)
            said: set[Any] = {getattr(layer, name, None) for layer in layers} - {None}
            if said - {own}:
                expected = f"that of each of its layers, which have {sorted(said)}"
                _check.fail(owner, name, expected, own)
        self.layers = layers

    deals = True
    draws_itself = True  # whether more is drawn than the layers draw

    @property
    def needs(self):
        """The most that any of the layers needs; see `Operation`."""
        return max(layer.needs for layer in self.layers)

    def check_inputs(self, inputs):
        for layer in self.layers:
            layer.check_inputs(inputs)

    def constants(self):
        return [layer.constants() for layer in self.layers]

    def draw_layers(self, rng, training):
        """What each of the layers draws, a list."""
        return [layer.draw(rng, training) for layer in self.layers]

    def perform_one(self, canvas, number, params, constants, chosen):
        """Let one of the layers change the samples that are chosen, not their size."""
        layer, size = self.layers[number], canvas.size
        layer.perform(canvas, params[number], constants[number], chosen)
        if canvas.size != size:
            raise ValueError(
                f"{self.name}: {layer.name} changes the size of what it is chosen for, "
                f"from {size} to {canvas.size}, and not of the rest of the batch. Put "
                f"it before or after this layer."
            )

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
