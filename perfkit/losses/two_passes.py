"""Two predictions of each sample while training."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import passes


@keras.saving.register_keras_serializable(package="perfkit")
class TwoPasses(Configured, keras.Model):
    """Have a network predict each sample twice while training, for `RDrop`.

    Both passes are one batch of twice the size, in which a sample's copies are next to
    each other, so that they stay together where a batch is spread over devices. Labels
    and sample weights are given once, metrics see the first prediction, and outside
    training the network is called as it is.

    Args:
        model: The network. It is what to save, or export, after training.
        **kwargs: See `keras.Model`.

    Shape:
        Inputs of `model`, each `(batch, ...)`; in training its outputs for
        `2 * batch`, else for `batch`.

    Raises:
        TypeError: If `model` is not a `keras.Model`.

    Example:
        >>> import numpy as np
        >>> network = keras.Sequential([keras.Input((1,)), keras.layers.Dropout(0.5)])
        >>> model = TwoPasses(network)
        >>> inputs = np.ones((3, 1))
        >>> model(inputs, training=True).shape[0], model(inputs).shape[0]
        (6, 3)

    Reference: Liang et al., R-Drop: Regularized Dropout for Neural Networks, 2021,
        arXiv 2106.14448. Their code appends the batch to itself.
    """

    def __init__(self, model, **kwargs):
        _check.instance("TwoPasses", "model", model, keras.Model)
        super().__init__(**kwargs)
        self.model = model
        self.built = model.built

    def call(self, inputs, training=False):
        if not training:
            return self.model(inputs, training=False)
        twice = keras.tree.map_structure(lambda x: ops.repeat(x, 2, axis=0), inputs)
        return self.model(twice, training=True)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        like = keras.tree.flatten(x)[0]
        first = keras.tree.map_structure(
            lambda outputs: passes.of_samples(outputs, like)[:, 0], y_pred
        )
        return super().compute_metrics(x, y, first, sample_weight)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        model = keras.saving.deserialize_keras_object(config["model"], custom_objects)
        return cls(**{**config, "model": model})
