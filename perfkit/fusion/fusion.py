"""The family of layers that join modalities."""

from typing import Any

import keras

from perfkit import _check
from perfkit._config import Configured
from perfkit.fusion._presence import Presence

VECTORS = {2: "(batch, channels)"}
SEQUENCES = {2: "(batch, channels)", 3: "(batch, steps, channels)"}


class Fusion(Configured, keras.layers.Layer):
    """Make one tensor of those of several modalities, of which a sample may lack some.

    A layer is called with a list of tensors, or with a dictionary, whose modalities are
    then in the sorted order of their names; and, where samples lack modalities, with
    `present`, a boolean `(batch, modalities)` in the same order. What an absent
    modality holds has no influence on the outputs, even if it is no number, and no
    gradient reaches it. A layer of your own is a `Fusion` with a `fuse`, a `build_of`
    and a `shape_of`, which get lists.

    Args:
        **kwargs: See `keras.layers.Layer`.
    """

    ranks: dict[int, str] | None = None  # what each input may be, by its axes
    least = 2  # modalities

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        shapes = self.listed(input_shape)
        owner, count = type(self).__name__, len(shapes)
        if count < self.least:
            many = "at least two tensors" if self.least == 2 else "tensors"
            _check.fail(owner, "inputs", f"a list or dictionary of {many}", shapes)
        if self.ranks is not None and not all(len(s) in self.ranks for s in shapes):
            expected = "tensors " + " or ".join(self.ranks.values())
            _check.fail(owner, "inputs", expected, shapes)
        self.build_of(shapes)

    def call(self, inputs, present=None, mask=None, inputs_mask=None):
        parts = self.listed(inputs)
        # Keras names the masks after the inputs where `present` is a second tensor.
        masks = mask if mask is not None else inputs_mask
        masks = [None] * len(parts) if masks is None else in_order(masks)
        seen = Presence(present, masks)
        return self.arranged(inputs, self.fuse(seen.hide_each(parts), seen))

    def build_of(self, shapes) -> None:
        """Make weights and layers for inputs of these shapes."""

    def fuse(self, parts, seen) -> Any:
        """Operation: tensors joined, of which absent ones hold zeros.

        Args:
            parts: List of tensors.
            seen: Which modalities and steps are seen.
        """
        raise NotImplementedError

    def shape_of(self, shapes) -> Any:
        """Shape of the outputs for a list of shapes, or a list of them."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape):
        return self.arranged(input_shape, self.shape_of(self.listed(input_shape)))

    def compute_mask(self, inputs, previous_mask=None) -> Any:
        return None

    def listed(self, inputs) -> list[Any]:
        """Tensors or shapes of the modalities in their order."""
        inputs = in_order(inputs)
        if not isinstance(inputs, (list, tuple)) or _is_shape(inputs):
            _check.fail(type(self).__name__, "inputs", "a list or dictionary", inputs)
        return [tuple(x) if isinstance(x, list) else x for x in inputs]

    def arranged(self, inputs, outputs) -> Any:
        """A list with one output for each input, as a dictionary if they are one."""
        if isinstance(inputs, dict) and isinstance(outputs, list):
            return dict(zip(sorted(inputs), outputs, strict=True))
        return outputs

    def dense(self, units, name, shape, **kwargs) -> keras.layers.Dense:
        """A built dense layer for inputs of this shape."""
        layer = keras.layers.Dense(units, name=name, dtype=self.dtype_policy, **kwargs)
        layer.build(tuple(shape))
        return layer


def in_order(inputs):
    """Values of a dictionary in the sorted order of its keys; a list as it is."""
    if isinstance(inputs, dict):
        return [inputs[name] for name in sorted(inputs)]
    return inputs


def _is_shape(inputs):
    return all(x is None or isinstance(x, int) for x in inputs)
