"""Encoders that are ahead of others wait for them."""

import dataclasses
import threading
from collections.abc import Mapping
from typing import Any

import keras

from perfkit import _check, _random, _replicas
from perfkit._backend import ops
from perfkit._train_step import fail_unattached
from perfkit.ops import balance, classes, noise
from perfkit.ops import variables as names
from perfkit.optimizers import GradientTransform


@dataclasses.dataclass
class _Modalities:
    """What belongs to them; in an object of its own, which Keras does not track."""

    encoders: dict[str, list[str]]
    logits: dict[str, str]
    scorer: Any = None
    number: dict[int, int] = dataclasses.field(default_factory=dict)
    # Of the step that is run, by thread: replicas of `tf.distribute` take turns.
    factors: dict[int, Any] = dataclasses.field(default_factory=dict)
    bits: dict[int, Any] = dataclasses.field(default_factory=dict)


@keras.saving.register_keras_serializable(package="perfkit")
class OGMGE(GradientTransform):
    """Slow down the encoder of the modality that is ahead, and add noise to gradients.

    In a model that is trained on several modalities at once the one that is learned
    fastest leaves little to learn for the others. The score of a modality is the
    probability that its own logits give to the right class, summed over the batch. If
    its ratio r to the mean score of the others is above 1, the gradients of its encoder
    are multiplied by 1 - tanh(alpha r). Then noise with the standard deviation of its
    gradient is added to that of each variable of the encoders, which brings back what
    slow steps lose in generalization.

    The model adds up logits of modalities: `Dense` of each of its features, then `Add`,
    which is `Dense` of their concatenation. It is a Functional model, its labels those
    of one output. The scores cost one more pass without gradients. Call
    `perfkit.optimizers.attach(model)` after `compile`. `modulation` says what the
    factors were in the last step.

    Args:
        inner_optimizer: What is applied afterwards: an optimizer or its Keras name.
        encoders: Shell-style pattern, or a list of them, for a stretch of the paths of
            the variables of each modality's encoder, such as `{"image": "image_*",
            "text": "text_*"}`. Two modalities or more.
        logits: Name of the layer of each modality's logits, in the same form.
        alpha: How much is held back. Above 0; the paper has 0.1 to 1.
        enhancement: Whether noise is added.
        seed: Whole number from 0 on, for the noise.
        name: Name of the optimizer.

    Raises:
        TypeError: If `inner_optimizer` is no optimizer.
        ValueError: If an argument is out of bounds, if patterns match nothing or the
            same, in `attach` if the model has no such layers, or, while training,
            without `attach`.

    Example:
        >>> import numpy as np
        >>> from perfkit import optimizers
        >>> inputs = {name: keras.Input((3,), name=name) for name in ("image", "text")}
        >>> dense = keras.layers.Dense
        >>> parts = [
        ...     dense(2, name=f"{name}_logits")(dense(4, name=f"{name}_encoder")(x))
        ...     for name, x in inputs.items()
        ... ]
        >>> model = keras.Model(inputs, keras.layers.Add()(parts))
        >>> optimizer = OGMGE(
        ...     "sgd",
        ...     {name: f"{name}_encoder" for name in inputs},
        ...     {name: f"{name}_logits" for name in inputs},
        ... )
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile(optimizer, loss)
        >>> optimizers.attach(model)
        >>> x = {name: np.ones((4, 3)) for name in inputs}
        >>> history = model.fit(x, np.ones(4), verbose=0)
        >>> min(optimizer.modulation.values()) < 1.0
        True

    Reference: Peng et al., Balanced Multimodal Learning via On-the-fly Gradient
        Modulation, 2022, arXiv 2203.15333. Of more than two modalities each is compared
        with the mean of the others. Their code modulates and adds noise to kernels of
        convolutions alone.
    """

    def __init__(
        self,
        inner_optimizer,
        encoders,
        logits,
        *,
        alpha=0.5,
        enhancement=True,
        seed=0,
        name=None,
    ):
        owner = "OGMGE"
        super().__init__(inner_optimizer, name=name)
        encoders = _by_modality(owner, "encoders", encoders)
        layers = _by_modality(owner, "logits", logits)
        if set(layers) != set(encoders) or any(len(x) > 1 for x in layers.values()):
            expected = f"the name of one layer for each of {sorted(encoders)}"
            _check.fail(owner, "logits", expected, logits)
        self._modalities = _Modalities(encoders, {k: layers[k][0] for k in encoders})
        self.alpha = _check.positive(owner, "alpha", alpha)
        self.enhancement = _check.boolean(owner, "enhancement", enhancement)
        self.seed = _check.integer(owner, "seed", seed, 0, 2**31 - 1)

    @property
    def encoders(self) -> dict[str, list[str]]:
        """Patterns of the variables of each modality's encoder."""
        return dict(self._modalities.encoders)

    @property
    def logits(self) -> dict[str, str]:
        """Name of the layer of each modality's logits."""
        return dict(self._modalities.logits)

    @property
    def modulation(self) -> dict[str, float]:
        """What the gradients of each encoder were multiplied by in the last step."""
        if not self.built:
            return {}
        values: Any = keras.ops.convert_to_numpy(self.factors)
        return dict(zip(self.encoders, map(float, values), strict=True))

    def make_state(self):
        number = self._modalities.number
        number.clear()
        for place, patterns in enumerate(self.encoders.values()):
            hits = names.matched("OGMGE", "encoders", patterns, self.targets)
            for variable, hit in zip(self.targets, hits, strict=True):
                if hit and id(variable) in number:
                    expected = "patterns of which no two modalities match the same "
                    expected += f"variable, as they do {names.path(variable)}"
                    _check.fail("OGMGE", "encoders", expected, self.encoders)
                if hit:
                    number[id(variable)] = place
        self.factors = self.add_variable(
            (len(self.encoders),), initializer="ones", dtype="float32", name="factors"
        )

    def attached_to(self, model):
        """Find the layers of the logits."""
        known = {layer.name: layer for layer in model.layers}
        unknown = sorted(set(self.logits.values()) - set(known))
        inputs = getattr(model, "inputs", None)
        if unknown or not inputs:
            expected = "a Functional model with layers of the names in `logits`; "
            expected += f"none are named {unknown}" if unknown else "it has no inputs"
            _check.fail("attach", "model", expected, model)
        outputs = [known[name].output for name in self.logits.values()]
        self._modalities.scorer = keras.Model(model.input, outputs)

    def check_ready(self):
        if threading.get_ident() not in self._modalities.factors:
            fail_unattached(self.name, "needs the labels")

    def around(self, step):
        """Score the modalities before a step."""
        if self._modalities.scorer is None:
            self.attached_to(step.model)
        scores = _replicas.mean_of_replicas([self._scores(step)])[0]
        here, factors = threading.get_ident(), self._modalities.factors
        factors[here] = balance.held_back(scores, self.alpha)
        try:
            return step.run()
        finally:
            del factors[here]

    def _scores(self, step):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(step.data)
        labels = keras.tree.flatten(y)
        if len(labels) != 1:
            raise ValueError(
                f"{self.name} needs labels of one output. Received: {len(labels)}"
            )
        model = step.model
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        mapping = list(zip(variables, step.read(variables), strict=True))
        with keras.StatelessScope(state_mapping=mapping):  # nothing moves twice
            logits = self._modalities.scorer(x, training=True)
        return ops.stack([_score(labels[0], one) for one in logits])

    def step(self, gradients, variables):
        iterations: Any = self.iterations
        key = (ops.cast(iterations, "int32"), ops.convert_to_tensor(self.seed, "int32"))
        modalities, here = self._modalities, threading.get_ident()
        modalities.bits[here] = _random.Sampler(len(self.targets), key).bits()
        _replicas.assign([self.factors], [modalities.factors[here]])
        try:
            super().step(gradients, variables)
        finally:
            del modalities.bits[here]

    def transform(self, gradient, variable):
        modalities, here = self._modalities, threading.get_ident()
        number = modalities.number.get(id(variable))
        if number is None:
            return gradient
        factor = ops.cast(modalities.factors[here][number], gradient.dtype)
        if not self.enhancement:
            return factor * gradient
        place = self.place_of(variable)
        bits = modalities.bits[here][place : place + 1]
        drawn = noise.nearly_normal(bits, *gradient.shape)[0]
        deviation = ops.std(ops.cast(gradient, "float32"))
        return factor * gradient + ops.cast(deviation * drawn, gradient.dtype)


def _score(labels, logits):
    logits = ops.cast(logits, "float32")
    labels = ops.cast(labels, "float32")
    if classes.are_indices(labels, logits):
        numbers = classes.indices(labels, logits)
        labels = classes.one_hot(numbers, logits.shape[-1])
    return ops.sum(labels * ops.softmax(logits, axis=-1))


def _by_modality(owner, name, value):
    """Check strings, or lists of them, by modality; they become lists."""
    expected = "a dictionary of names of at least two modalities"
    if not isinstance(value, Mapping) or len(value) < 2:
        _check.fail(owner, name, expected, value)
    lists = {k: [v] if isinstance(v, str) else v for k, v in value.items()}
    for found in lists.values():
        known = isinstance(found, (list, tuple)) and found
        if not known or not all(isinstance(x, str) and x for x in found):
            _check.fail(owner, name, expected, value)
    return {k: list(found) for k, found in lists.items()}
