"""Several teachers as one."""

import keras

from perfkit import _check
from perfkit.graph.endings import last_activations
from perfkit.ops import distillation


class AverageTeacher(keras.Model):
    """Predict the mean of what several teachers predict, softened.

    The predictions are logits. Softened by the same temperature they are the mean of
    the teachers' softened predictions.

    Args:
        models: Two or more built `keras.Model` of the same classes, which return logits
            or end in a softmax.
        weights: Number for each, at least 0; their shares are what counts. None for
            equal ones.
        temperature: That of `SoftTargets`. Above 0. At 1 it predicts what the ensemble
            does.
        **kwargs: See `keras.Model`.

    Shape:
        Inputs of the models; out `(batch, ..., classes)`.

    Raises:
        TypeError: If a model is none.
        ValueError: If there are too few models, or an argument is out of bounds, or a
            model ends in a sigmoid, of labels that do not exclude each other.

    Example:
        >>> import numpy as np
        >>> def constant(*logits):
        ...     model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
        ...     model.set_weights([np.zeros((1, 2)), np.array(logits)])
        ...     return model
        >>> models = [constant(np.log(9.0), 0.0), constant(0.0, 0.0)]
        >>> teacher = AverageTeacher(models, temperature=1.0)
        >>> mean = keras.ops.softmax(teacher(np.ones((1, 1))))
        >>> [round(float(share), 3) for share in mean[0]]
        [0.7, 0.3]

    Reference: Hinton et al., Distilling the Knowledge in a Neural Network, 2015, arXiv
        1503.02531: the arithmetic mean, which they name beside the geometric one.
    """

    def __init__(self, models, weights=None, temperature=4.0, **kwargs):
        owner = "AverageTeacher"
        if not isinstance(models, (list, tuple)) or len(models) < 2:
            _check.fail(owner, "models", "a list of two models or more", models)
        for model in models:
            _check.instance(owner, "models", model, keras.Model)
            if "sigmoid" in last_activations(model):
                expected = "models of classes that exclude each other, not of sigmoids"
                _check.fail(owner, "models", expected, model)
        weights = [1.0] * len(models) if weights is None else weights
        weights = _check.odds(owner, "weights", weights, len(models), "model")
        temperature = _check.positive(owner, "temperature", temperature)
        super().__init__(**kwargs)
        self.models = list(models)
        self.shares = [weight / sum(weights) for weight in weights]
        self.temperature = temperature
        self.built = all(model.built for model in models)

    def call(self, inputs, training=None):
        predictions = [model(inputs, training=training) for model in self.models]
        return distillation.softened_mean(predictions, self.shares, self.temperature)
