"""The life of one augmentation call, written once."""

import warnings
from typing import Any

import keras

from perfkit import _backend, _check
from perfkit._backend import dtype_of, ops
from perfkit._config import Configured
from perfkit._random import Sampler, SeedStream
from perfkit.augment import _inputs
from perfkit.augment.canvas import Canvas
from perfkit.ops import boxes

_MANY_PROGRAMS = 16
# What holds of the values of every call; XLA cannot raise errors itself.
_RULES = {
    "finite": "a matrix holds NaN or infinity. Check the images, arguments and "
    "constants it is made from.",
    "classes": "labels are out of range. They must be whole numbers of at least 0 and "
    "less than `classes`.",
    "square": "a quarter turn needs square images. Crop or resize them to a square "
    "before the layer.",
}


class _Programs:
    """Compiled programs by signature, out of sight of TensorFlow's tracking."""

    def __init__(self):
        self.compiled: dict[Any, Any] = {}


class Augment(Configured, keras.layers.Layer):
    """Base of all augmentation layers.

    Inputs are images, or a dict with `"images"` and any of `"labels"`,
    `"segmentation_masks"`, `"bounding_boxes"` (`{"boxes": ..., "labels": ...}`),
    `"keypoints"` (x and y in pixels) and keys that pass by untouched. Images are
    one image, a batch, or a batch of videos, whose frames are all changed alike;
    integers or floats. They come out in the layer's compute dtype, which may be
    `dtype="uint8"`. Coordinates are continuous: pixel `i` covers `[i, i + 1)`.

    A call augments unless `training=False`. `fit`, `evaluate` and `predict` say
    which; a call that does not say augments, as with Keras's layers, except while a
    model is exported.

    A call is a pure function of its inputs and one key, compiled by XLA for each
    static shape, also outside a compiled step: eagerly and in `tf.data`. Where
    the size of the images or the number of boxes is unknown, as in `tf.data` before
    a resize or padding, it runs uncompiled, and several times slower: resize or
    bucket the images, and pad the boxes to one number, if you can.

    Args:
        seed: Whole number below 2**32, or `None` for a different stream at each
            construction.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the
            Keras default.
        bounding_box_format: Format of the boxes, which Keras names: `"xyxy"`,
            `"yxyx"`, `"xywh"`, `"center_xywh"`, `"center_yxhw"`, `"rel_xyxy"`,
            `"rel_yxyx"`, `"rel_xywh"` or `"rel_center_xywh"`. Needed where there
            are boxes.
        min_visible: How much of a box, once it is moved, has to be seen. Boxes are
            clipped to the image, and one of which less is left gets the label -1,
            as does any without area. Fraction of the area of the moved box, within
            [0, 1]. A `Pipeline` goes by its own.
        **kwargs: See `keras.layers.Layer`.
    """

    random = True  # whether a call draws anything
    mixes = False  # whether samples are mixed with each other

    def __init__(
        self,
        *,
        seed=None,
        data_format=None,
        bounding_box_format=None,
        min_visible=0.0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        owner = type(self).__name__
        if not self.random and seed is not None:
            _check.fail(owner, "seed", "left out: the layer draws nothing", seed)
        if seed is not None:
            seed = _check.integer(owner, "seed", seed, 0, 2**32 - 1)
        self.seed = seed
        self.data_format = _check.one_of(
            owner,
            "data_format",
            data_format or keras.config.image_data_format(),
            ("channels_first", "channels_last"),
        )
        if bounding_box_format is not None:
            bounding_box_format = _check.one_of(
                owner, "bounding_box_format", bounding_box_format, boxes.FORMATS
            )
        self.bounding_box_format = bounding_box_format
        self.min_visible = _check.unit(owner, "min_visible", min_visible)
        self._programs = _Programs()
        self._uncompiled = False
        if self.random:
            self._stream = SeedStream(self.seed)
            self._seed_generator = self._stream.generator  # tracked as layer state
        self.built = True

    def draw(self, rng, constants, training):
        """Family: draw the parameters of `rng.batch` samples.

        `constants` are those of the layer. `None` says that nothing is to be done.
        """
        raise NotImplementedError

    def transform(self, canvas: Canvas, params) -> None:
        """Family: change the canvas as `params` say."""
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

    def __call__(self, inputs, training=None, **kwargs):
        kwargs = {"training": training, **kwargs}
        return _backend.as_written(self._checked_call, inputs, kwargs)

    def _checked_call(self, inputs, kwargs):
        """Check the inputs, and route what cannot go through `Layer.__call__`.

        Keras takes an explicit `training=None` literally and infers only what is
        left out, so `None` is left out. TensorFlow tensors of a `tf.data` pipeline
        are foreign to another backend.
        """
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
        _inputs.check_call(self.name, inputs, kwargs.get("training"))
        bare = not isinstance(inputs, dict)
        inputs = _inputs.as_arrays({"images": inputs} if bare else inputs)
        layout = self.data_format, self.bounding_box_format
        _inputs.check(self.name, inputs, *layout, self.mixes)
        self.check_inputs(inputs)
        inputs, aside = _inputs.split(inputs, self.mixes)
        if _backend.is_foreign(inputs):
            training = kwargs.get("training", True)
            with _backend.tensorflow_scope():
                outputs = self._augment(inputs, training)
        else:
            outputs = super().__call__(inputs, **kwargs)
        return outputs["images"] if bare else _inputs.join(outputs, aside)

    def call(self, inputs, training=None):
        if training is None:
            training = not _backend.is_exported()
        if not isinstance(inputs, dict):  # `stateless_call` does not go by `__call__`
            return self._augment({"images": inputs}, training)["images"]
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
        shapes = {"images": input_shape} if bare else input_shape
        inputs = {
            key: {name: tensor(part) for name, part in shape.items()}
            if isinstance(shape, dict)
            else tensor(shape)
            for key, shape in shapes.items()
        }
        outputs = self.compute_output_spec(inputs["images"] if bare else inputs)
        return keras.tree.map_structure(lambda x: x.shape, outputs)

    def _augment(self, inputs, training):
        if self.random and training:
            key = self._stream.next_key()
        else:
            key = ops.zeros((2,), "int32")
        program = self._program(inputs, bool(training))
        outputs, kept = program(inputs, key, self.constants())
        for rule, flag in kept.items():
            _backend.check(flag, f"{self.name}: {_RULES[rule]}")
        return outputs

    def _program(self, inputs, training):
        """Return the compiled program, or a plain function where none is possible."""

        def run(inputs, key, constants):
            return self._run(inputs, key, constants, training)

        if not training and _backend.in_graph():
            return run  # a model that is exported should not need XLA
        shapes = [tuple(x.shape) for x in keras.tree.flatten(inputs)]
        if self._uncompiled or any(None in shape[1:] for shape in shapes):
            return run
        shapes = keras.tree.map_structure(lambda x: (*x.shape, dtype_of(x)), inputs)
        signature = (training, _backend.engine(), repr(shapes))
        programs = self._programs.compiled
        if signature not in programs:
            if len(programs) == _MANY_PROGRAMS:
                warnings.warn(
                    f"{self.name} has compiled {_MANY_PROGRAMS} programs, one for "
                    "each shape of its inputs, and compiles no more: other shapes "
                    "run uncompiled and slower. Resize or bucket the images, and pad "
                    f"boxes and keypoints to one number. Received: shapes={shapes}",
                    stacklevel=3,
                )
                return run
            programs[signature] = _backend.compiled(run)
        return programs[signature]

    def _run(self, inputs, key, constants, training):
        layout = _inputs.Layout(
            inputs["images"], self.data_format, self.bounding_box_format
        )
        canvas = layout.to_canvas(inputs)
        canvas.min_visible = self.min_visible
        params = self.draw(Sampler(canvas.samples, key), constants, training)
        if params is not None:
            self.transform(canvas, params)
            canvas.settle()
        outputs = layout.from_canvas(canvas, inputs, self.compute_dtype)
        kept = {}
        for rule, flag in canvas.rules:
            kept[rule] = kept[rule] & flag if rule in kept else flag
        return outputs, kept
