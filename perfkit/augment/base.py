"""The life of one augmentation call, written once."""

from typing import Any

import keras
import numpy as np

from perfkit import _backend, _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit._random import Sampler, SeedStream
from perfkit.augment import replay
from perfkit.augment.modality import Modality
from perfkit.augment.programs import Programs

# What holds of the values of every call; XLA cannot raise errors itself.
_RULES = {
    "finite": "a matrix holds NaN or infinity. Check the images, arguments and "
    "constants it is made from.",
    "classes": "labels are out of range. They must be whole numbers of at least 0 and "
    "less than `classes`.",
    "square": "a quarter turn needs square images. Crop or resize them to a square "
    "before the layer.",
}


class Augment(Configured, keras.layers.Layer):
    """Base of all augmentation layers.

    Inputs are an array, or a dict that holds it beside what belongs to it; a kind of
    data (`ImageAugment`, ...) says which keys it handles. Other keys pass by
    untouched. What is augmented comes out in the layer's compute dtype.

    A call augments unless `training=False`. `fit`, `evaluate` and `predict` say
    which; a call that does not say augments, as with Keras's layers, except while a
    model is exported.

    A call is a pure function of its inputs and one key, compiled by XLA for each
    static shape, also outside a compiled step: eagerly and in `tf.data`. Where
    a shape is unknown, as in `tf.data` before a resize or padding, it runs
    uncompiled, and several times slower: resize, pad or bucket, if you can.

    `params = layer.sample(batch_size, seed=...)` draws without a call, and
    `layer.apply(inputs, params)` applies what was drawn, as often as wanted.

    Args:
        seed: Whole number below 2**32, or `None` for a different stream at each
            construction.
        **kwargs: See `keras.layers.Layer`.
    """

    modality: Modality
    random = True  # whether a call draws anything
    mixes = False  # whether samples are mixed with each other
    deals = False  # whether what a sample draws depends on the size of its batch

    def __init__(self, *, seed=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        owner = type(self).__name__
        if not self.random and seed is not None:
            _check.fail(owner, "seed", "left out: the layer draws nothing", seed)
        if seed is not None:
            seed = _check.integer(owner, "seed", seed, 0, 2**32 - 1)
        self.seed = seed
        self._programs = Programs()
        self._uncompiled = False
        if self.random:
            self._stream = SeedStream(self.seed)
            self._seed_generator = self._stream.generator  # tracked as layer state
        self._host_draws = replay.HostDraws(self._stream.first if self.random else 0)
        self.built = True

    @property
    def rests_at_inference(self) -> bool:
        """Whether a call with `training=False` hands inputs on as they are."""
        return _is_nothing(self.draw(Sampler(1, ops.zeros((2,), "int32")), False))

    def draw(self, rng, training) -> Any:
        """Family: draw the parameters of `rng.batch` samples.

        `None` says that nothing is to be done.
        """
        raise NotImplementedError

    def perform(self, canvas, params, constants, chosen=None) -> None:
        """Family: change the canvas as `params` and the layer's constants say.

        Of the samples that are `chosen`, if that is not `None`.
        """
        raise NotImplementedError

    def constants(self) -> Any:
        """Operation: tensors that parameters are made from and that may change."""
        return {}

    def check_inputs(self, inputs) -> None:
        """Family: raise an error if a dict of inputs lacks what the layer needs."""

    @property
    def program_count(self) -> int:
        """How many programs this layer has compiled, one for each set of shapes."""
        return len(self._programs.compiled)

    def sample(self, batch_size, *, seed=None, index=None) -> Any:
        """Draw the parameters of a batch, for `apply`.

        Args:
            batch_size: Number of samples. At least 1.
            seed: Whole number, or a pair of them such as `(seed, epoch)`; `None`
                takes the next draw of the layer's own stream.
            index: Whole numbers of the samples in their data set, one for each: what
                is drawn for a sample then depends on `seed` and its number alone,
                not on what it is batched with. By default samples count from 0.

        Returns:
            Parameters in lists and dicts of NumPy arrays, `(batch_size,)` each. They
            may be kept as JSON: `apply` takes lists of numbers too.

        Raises:
            ValueError: If an argument is out of bounds.
        """
        owner = type(self).__name__
        batch_size = _check.integer(owner, "batch_size", batch_size)
        if not self.random:
            key = ops.zeros((2,), "int32")
        elif seed is None:
            key = self._stream.next_key()
        else:
            key = ops.convert_to_tensor(replay.key(owner, seed), "int32")
        if index is not None:
            index = replay.numbers(owner, index, batch_size)
            index = ops.convert_to_tensor(index, "int32")
        return replay.to_numpy(self.draw(Sampler(batch_size, key, index), True))

    def apply(self, inputs, params) -> Any:
        """Augment as `params` say, which `sample` drew.

        Args:
            inputs: As in a call, of as many samples as were drawn for.
            params: What `sample` returned.

        Returns:
            The same as a call.

        Raises:
            ValueError: If `params` are not those of this layer and batch.
        """
        return self._checked_call(inputs, {}, self._drawn(params))

    def inverse(
        self, outputs, params, *, size=None, fill_value=0.0, mask_fill_value=0.0
    ) -> Any:
        """Move images, masks, boxes and keypoints back to where they came from.

        What `apply` did with the same `params` to places; colours stay as they are.
        For the predictions of test-time augmentation, say.

        Args:
            outputs: Images, or a dict of images and what belongs to them, as they come
                out of `apply`.
            params: What `sample` returned.
            size: Height and width that the images had before, in pixels, where it is
                another one.
            fill_value: What images have where nothing was seen.
            mask_fill_value: What masks have there.

        Returns:
            The same as a call, images in float32.

        Raises:
            ValueError: If samples were mixed, if where pixels went depended on boxes,
                or if `size` is missing.
        """
        if self.mixes:
            raise ValueError(f"{self.name}: what was mixed cannot be taken apart.")
        params = self._drawn(params)
        inputs, hand_back = self._prepared(outputs, None)
        inputs = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
        params = keras.tree.map_structure(
            lambda x: None if x is None else keras.ops.convert_to_tensor(x), params
        )
        fills = fill_value, mask_fill_value
        return hand_back(self.modality.undo(self, inputs, params, size, fills)[0])

    def on_host(self, inputs, params=None, *, seed=None, index=None) -> Any:
        """Augment NumPy arrays by OpenCV and NumPy: no device, no compiling.

        For input workers and plain loops, with images of any size. The same
        operations with the same parameters, to within rounding; a stream of draws of
        its own, in which each sample is drawn for by its number.

        Args:
            inputs: As in a call, but NumPy arrays.
            params: What `sample` returned; `None` draws.
            seed: As in `sample`; `None` takes the next draws, or with `index` those
                of the layer's own seed.
            index: As in `sample`.

        Returns:
            The same as a call, in NumPy arrays.

        Raises:
            ValueError: If the inputs cannot be augmented, or `params` are not theirs.
        """
        if params is not None:
            params = self._drawn(params)
        inputs, hand_back = self._prepared(inputs, None)
        with _backend.scope("numpy"):
            inputs = keras.tree.map_structure(np.asarray, inputs)
            samples = self.modality.samples(self.name, inputs)
            if params is None and seed is not None:
                params = self.sample(samples, seed=seed, index=index)
            elif params is None and index is not None:
                numbers = replay.numbers(type(self).__name__, index, samples)
                params = self._host_draws.of(self, numbers)
            elif params is None:
                params = self._host_draws.next(self, samples)
            outputs, kept = self._run(inputs, None, self.constants(), True, params)
            self._check_rules(kept)
        given = keras.tree.flatten(inputs)
        outputs = keras.tree.map_structure(  # writing to one must not change the other
            lambda x: x.copy() if any(np.may_share_memory(x, y) for y in given) else x,
            outputs,
        )
        return hand_back(outputs)

    def __call__(self, inputs, training=None, **kwargs):
        kwargs = {"training": training, **kwargs}
        return _backend.as_written(self._checked_call, inputs, kwargs)

    def with_key(self, inputs, key) -> Any:
        """Augment with the draws of a key; see `perfkit.augment.augment_dataset`.

        Args:
            inputs: As in a call.
            key: Two whole numbers, an int32 tensor of shape `(2,)`. The same key draws
                the same for a batch of the same size.

        Returns:
            The same as a call.
        """
        return _backend.as_written(self._checked_call, inputs, {}, None, key)

    def _checked_call(self, inputs, kwargs, params=None, key=None):
        """Check the inputs, and route what cannot go through `Layer.__call__`.

        Keras takes an explicit `training=None` literally and infers only what is
        left out, so `None` is left out. TensorFlow tensors of a `tf.data` pipeline
        are foreign to another backend.
        """
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
        inputs, hand_back = self._prepared(inputs, kwargs.get("training"))
        if _backend.is_foreign(inputs):
            training = kwargs.get("training", True)
            with _backend.scope("tensorflow"):
                outputs = self._augment(inputs, training, params, key)
        elif params is not None or key is not None:
            inputs = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
            outputs = self._augment(inputs, True, params, key)
        else:
            outputs = super().__call__(inputs, **kwargs)
        return hand_back(outputs)

    def _drawn(self, params):
        """Parameters of a user, checked."""
        params = replay.from_user(self.name, params)
        with _backend.scope("numpy"):
            self._host_draws.check(self, params)
        return params

    def _prepared(self, inputs, training):
        """What a program takes of the inputs, and how its outputs are handed back."""
        modality = self.modality
        modality.check_call(self.name, inputs, training)
        bare = not isinstance(inputs, dict)
        inputs = modality.as_arrays({modality.main: inputs} if bare else inputs)
        modality.check(self.name, inputs, self.mixes)
        self.check_inputs(inputs)
        inputs, aside = modality.split(inputs, self.mixes)

        def hand_back(outputs):
            return outputs[modality.main] if bare else modality.join(outputs, aside)

        return inputs, hand_back

    def call(self, inputs, training=None):
        if training is None:
            training = not _backend.is_exported()
        if not isinstance(inputs, dict):  # `stateless_call` does not go by `__call__`
            main = self.modality.main
            return self._augment({main: inputs}, training)[main]
        return self._augment(inputs, training)

    def compute_output_spec(self, inputs, training=True):
        self._uncompiled = True  # any size will do, so nothing is worth compiling
        try:
            # Not by way of `Layer`, which would ask `compute_output_shape`.
            return keras.Operation.compute_output_spec(self, inputs, training=training)
        finally:
            self._uncompiled = False

    def compute_output_shape(self, input_shape):
        def tensor(shape):
            return keras.KerasTensor(shape, self.compute_dtype)

        bare = not isinstance(input_shape, dict)
        main = self.modality.main
        shapes = {main: input_shape} if bare else input_shape
        inputs = {
            key: {name: tensor(part) for name, part in shape.items()}
            if isinstance(shape, dict)
            else tensor(shape)
            for key, shape in shapes.items()
        }
        outputs = self.compute_output_spec(inputs[main] if bare else inputs)
        return keras.tree.map_structure(lambda x: x.shape, outputs)

    def _augment(self, inputs, training, params=None, key=None):
        if key is None and self.random and training and params is None:
            key = self._stream.next_key()
        elif key is None:
            key = ops.zeros((2,), "int32")
        program = self._program(inputs, bool(training), params)
        outputs, kept = program(inputs, key, self.constants(), params)
        self._check_rules(kept)
        return outputs

    def _check_rules(self, kept):
        for rule, flag in kept.items():
            _backend.check(flag, f"{self.name}: {_RULES[rule]}")

    def _program(self, inputs, training, params):
        """Return the compiled program, or a plain function where none is possible."""

        def run(inputs, key, constants, params):
            return self._run(inputs, key, constants, training, params)

        if not training and _backend.in_graph():
            return run  # a model that is exported should not need XLA
        if self._uncompiled:
            return run
        return self._programs.of(
            run, (training, params is None), inputs, self.name, self.modality.one_shape
        )

    def _run(self, inputs, key, constants, training, params):
        canvas, layout = self.modality.to_canvas(inputs)
        if params is None:
            params = self.draw(Sampler(canvas.samples, key), training)
        else:
            replay.check_batch(self.name, params, canvas.samples)
            canvas.dealt = False  # who was chosen for what may be anybody's choice
        if params is not None:
            self.perform(canvas, params, constants)
            canvas.finish(self.compute_dtype)
        outputs = self.modality.from_canvas(canvas, layout, inputs, self.compute_dtype)
        kept = {}
        for rule, flag in canvas.rules:
            kept[rule] = kept[rule] & flag if rule in kept else flag
        return outputs, kept


def _is_nothing(params) -> bool:
    return params is None or (
        isinstance(params, list) and all(map(_is_nothing, params))
    )
