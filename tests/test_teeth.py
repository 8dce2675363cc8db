"""The suite is itself tested: each broken layer must fail the check it stands for."""

import functools
import itertools

import keras
import numpy as np
import pytest

from perfkit import _backend, augment
from perfkit._backend import ops
from perfkit.ops import boxes
from tests.cases import build
from tests.conformance import CHECKS
from tests.conformance.common import run_uncompiled

BRIGHTNESS = {"factor": 0.3}
ROTATION = {"factor": 0.1}
BROKEN = {}
TRACES = itertools.count()


def breaks(check, arguments, *more):
    """Name the checks that must reject the layer, and the layer's arguments."""

    def note(broken):
        keras.saving.register_keras_serializable(package=broken.__module__)(broken)
        for name in (check, *more):
            BROKEN[name] = broken, arguments
        return broken

    return note


class Brightness(augment.RandomBrightness):
    pass


class Rotation(augment.RandomRotation):
    pass


@breaks("changes_training_images", BRIGHTNESS)
class DoesNothing(Brightness):
    def transform(self, canvas, params, chosen):
        pass


@breaks("values_are_finite", BRIGHTNESS)
class TakesRoots(Brightness):
    def transform(self, canvas, params, chosen):
        canvas.settle()
        canvas.images = ops.sqrt(canvas.images - 100.0)


@breaks("training_none_means_unsaid", BRIGHTNESS)
class ForwardsNone(Brightness):
    def __call__(self, inputs, training=True):
        return super().__call__(inputs, training=bool(training))


@breaks("inference_is_identity", BRIGHTNESS)
class TrainsAlways(Brightness):
    def call(self, inputs, training=True):
        return super().call(inputs, training=True)


@breaks("inference_draws_nothing", BRIGHTNESS)
class AdvancesAtInference(Brightness):
    def call(self, inputs, training=True):
        self._stream.next_key()
        return super().call(inputs, training)


@breaks("works_at_inference_too", {"scale": 0.5})
class RestsAtInference(augment.Rescaling):
    def at_inference(self, batch):
        return None


@breaks("rate_zero_is_inference", BRIGHTNESS)
class IgnoresRate(Brightness):
    def draw(self, rng, training):
        drawn = super().draw(rng, training)
        return drawn and {"factor": drawn["factor"]}


@breaks("rate_picks_samples", BRIGHTNESS)
class TossesOnceForTheBatch(Brightness):
    def draw(self, rng, training):
        params = super().draw(rng, training)
        if "applied" in params:
            first = params["applied"][:1]
            params["applied"] = ops.where(first, params["applied"], first)
        return params


@breaks("same_seed_same_draws", BRIGHTNESS, "round_trips")
class ForgetsSeed(Brightness):
    def __init__(self, factor, seed=None, **kwargs):
        super().__init__(factor, **kwargs)


@breaks("other_seed_other_draws", BRIGHTNESS, "draws_advance")
class FreezesSeed(Brightness):
    def parameters(self, rng):
        low, high = self.factor
        return {"factor": keras.random.uniform((rng.batch,), low, high, seed=3)}


@breaks("samples_differ_within_batch", BRIGHTNESS)
class DrawsPerBatch(Brightness):
    def parameters(self, rng):
        factor = rng.uniform(*self.factor)
        return {"factor": factor[:1] + 0.0 * factor}


@breaks("shares_differ_within_batch", {"alpha": 1.0, "classes": 3})
class MixesPerBatch(augment.MixUp):
    def parameters(self, rng):
        params = super().parameters(rng)
        return {**params, "share": params["share"][:1] + 0.0 * params["share"]}


@breaks("draw_does_not_depend_on_batch_size", BRIGHTNESS)
class SpreadsOverTheBatch(Brightness):
    def parameters(self, rng):
        place = ops.cast(ops.arange(rng.batch, dtype="int32"), "float32") / rng.batch
        return {"factor": 0.3 - 0.2 / rng.batch * (1.0 + place)}


@breaks("host_equals_device", BRIGHTNESS)
class DarkensOnTheHost(Brightness):
    def color(self, params):
        if _backend.engine() == "numpy":
            params = {"factor": 0.5 * params["factor"]}
        return super().color(params)


@breaks("host_draws_by_number", BRIGHTNESS)
class DrawsByTheBatchOnTheHost(Brightness):
    def on_host(self, inputs, params=None):
        samples = len(inputs) if inputs.ndim == 4 else 1
        return super().on_host(inputs, params or self.sample(samples))


@breaks("single_equals_batch_of_one", BRIGHTNESS)
class SkipsSingleImages(Brightness):
    def call(self, inputs, training=True):
        return super().call(inputs, training and len(inputs["images"].shape) != 3)


@breaks("array_equals_dict", BRIGHTNESS)
class SkipsArrays(Brightness):
    def __call__(self, inputs, **kwargs):
        if not isinstance(inputs, dict):
            kwargs["training"] = False
        return super().__call__(inputs, **kwargs)


@breaks("video_frames_change_alike", BRIGHTNESS, "video_equals_its_frames")
class DrawsPerFrame(Brightness):
    def transform(self, canvas, params, chosen):
        canvas.frames = None
        images = canvas.images.shape[0]
        steps = ops.arange(images, dtype="float32") * 0.01
        super().transform(canvas, {"factor": params["factor"][:1] + steps}, chosen)


@breaks("channels_first_equals_transposed", ROTATION)
class TurnsTheOtherWay(Rotation):
    def parameters(self, rng):
        turns = rng.uniform(*self.factor)
        return {"turns": turns if self.data_format == "channels_last" else -turns}


@breaks("masks_without_channels_agree", ROTATION)
class LeavesFlatMasks(Rotation):
    def __call__(self, inputs, **kwargs):
        out = super().__call__(inputs, **kwargs)
        if len(inputs["segmentation_masks"].shape) == 3:
            out["segmentation_masks"] = inputs["segmentation_masks"]
        return out


@breaks("one_and_four_channels_work", {"factor": 0.5})
class WantsRed(augment.RandomGrayscale):
    def transform(self, canvas, params, chosen):
        canvas.images = canvas.images[..., :3]
        canvas.channels = min(canvas.channels, 3)
        super().transform(canvas, params, chosen)


@breaks("input_dtypes_agree", BRIGHTNESS)
class ScalesIntegers(Brightness):
    def call(self, inputs, training=True):
        if "int" in keras.backend.standardize_dtype(inputs["images"].dtype):
            inputs = {**inputs, "images": ops.cast(inputs["images"], "float32") / 255}
        return super().call(inputs, training)


@breaks("output_has_the_compute_dtype", BRIGHTNESS)
class ReturnsFloat32(Brightness):
    @property
    def compute_dtype(self):
        return "float32"


@breaks("uint8_output_is_rounded", ROTATION)
class CutsDecimals(Rotation):
    def transform(self, canvas, params, chosen):
        super().transform(canvas, params, chosen)
        canvas.settle()
        if self.compute_dtype == "uint8":
            canvas.images = ops.floor(canvas.images)


@breaks("bfloat16_keeps_coordinates_float32", ROTATION)
class RoundsCoordinates(Rotation):
    def call(self, inputs, training=True):
        out = super().call(inputs, training)
        rounded = ops.cast(ops.cast(out["keypoints"], self.compute_dtype), "float32")
        return {**out, "keypoints": rounded}


@breaks("integer_coordinates_become_float32", ROTATION)
class KeepsIntegers(Rotation):
    def call(self, inputs, training=True):
        out = super().call(inputs, training)
        like = inputs["bounding_boxes"]["boxes"].dtype
        whole = ops.cast(out["bounding_boxes"]["boxes"], like)
        return {**out, "bounding_boxes": {**out["bounding_boxes"], "boxes": whole}}


@breaks("labels_pass_untouched", BRIGHTNESS, "unknown_keys_pass_untouched")
class CopiesLabels(Brightness):
    def __call__(self, inputs, **kwargs):
        out = super().__call__(inputs, **kwargs)
        for key in {"labels", "sample_weight"} & set(out):
            out[key] = np.array(out[key])
        return out


@breaks("inputs_are_not_mutated", BRIGHTNESS)
class MutatesNestedBoxes(Brightness):
    def __call__(self, inputs, **kwargs):
        inputs["bounding_boxes"]["boxes"] += 1.0
        return super().__call__(inputs, **kwargs)


@breaks("box_formats_agree", ROTATION)
class IgnoresBoxFormat(Rotation):
    def __init__(self, factor, **kwargs):
        super().__init__(factor, **{**kwargs, "bounding_box_format": "xyxy"})


@breaks("boxes_without_labels_work", ROTATION)
class AddsBoxLabels(Rotation):
    def __call__(self, inputs, **kwargs):
        out = super().__call__(inputs, **kwargs)
        out["bounding_boxes"].setdefault("labels", 0)
        return out


@breaks("no_boxes_at_all_are_no_boxes", ROTATION)
class AddsABox(Rotation):
    def transform(self, canvas, params, chosen):
        super().transform(canvas, params, chosen)
        canvas.settle()
        canvas.boxes = ops.pad(canvas.boxes, ((0, 0), (0, 1), (0, 0)))


@breaks("padding_boxes_stay_padding", ROTATION)
class LabelsEverything(Rotation):
    def transform(self, canvas, params, chosen):
        super().transform(canvas, params, chosen)
        canvas.settle()
        canvas.box_labels = ops.abs(canvas.box_labels)


@breaks("color_leaves_annotations", BRIGHTNESS)
class PaintsMasks(Brightness):
    def transform(self, canvas, params, chosen):
        super().transform(canvas, params, chosen)
        canvas.masks = canvas.masks + 1


@breaks("box_is_the_hull_of_the_mask", ROTATION)
class TurnsBoxesBack(Rotation):
    def transform(self, canvas, params, chosen):
        super().transform(canvas, params, chosen)
        old = canvas.boxes
        canvas.settle()
        canvas.boxes = boxes.transform(old, ops.eye(3, dtype="float32")[None])


@breaks("mask_follows_the_image", ROTATION)
class LeavesMasks(Rotation):
    def transform(self, canvas, params, chosen):
        super().transform(canvas, params, chosen)
        old = canvas.masks
        canvas.settle()
        canvas.masks = old


@breaks("keypoints_stay_in_their_box", ROTATION)
class SwapsXY(Rotation):
    def transform(self, canvas, params, chosen):
        super().transform(canvas, params, chosen)
        canvas.settle()
        x, y = canvas.keypoints[..., 0], canvas.keypoints[..., 1]
        canvas.keypoints = ops.stack([y, x], axis=-1)


@breaks("keypoints_keep_what_comes_after_xy", ROTATION)
class DropsVisibility(Rotation):
    def transform(self, canvas, params, chosen):
        super().transform(canvas, params, chosen)
        canvas.keypoints = canvas.keypoints[..., :2]
        canvas.keypoints = ops.concatenate([canvas.keypoints] * 2, axis=-1)


@breaks("config_covers_the_signature", BRIGHTNESS)
class ForgetsConfig(Brightness):
    def get_config(self):
        config = super().get_config()
        del config["value_range"]
        return config


@breaks("survives_a_keras_file", BRIGHTNESS)
class ForgetsState(Brightness):
    def load_own_variables(self, store):
        self._stream.next_key()

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "factor": 0.2})


@breaks("serves_models_of_unknown_size", BRIGHTNESS)
class PromisesOneChannel(Brightness):
    def compute_output_spec(self, inputs, training=True):
        spec = super().compute_output_spec(inputs, training)
        grey = keras.KerasTensor((*spec["images"].shape[:-1], 1))
        return {**spec, "images": grey}


@breaks("output_shape_is_known_without_a_call", BRIGHTNESS)
class MisjudgesItsSize(Brightness):
    def compute_output_shape(self, input_shape):
        return (None, 1, 1, 3)


@breaks("compiles_in_a_step", BRIGHTNESS)
class DrawsOnTheHost(Brightness):
    def parameters(self, rng):
        return {"factor": rng.uniform() * 0.0 + 0.2 * (next(TRACES) % 4)}


@breaks("keeps_jit_in_fit", BRIGHTNESS, "leaves_jit_on")
class RefusesJit(Brightness):
    def __init__(self, factor, **kwargs):
        super().__init__(factor, **kwargs)
        self.supports_jit = False


@breaks(
    "batches_in_tf_data_equal_eager",
    BRIGHTNESS,
    "programs_in_tf_data_equal_eager",
    "unknown_sizes_in_tf_data_equal_eager",
)
class ReturnsDoublesInTensorFlow(Brightness):
    def __call__(self, inputs, **kwargs):
        out = super().__call__(inputs, **kwargs)
        if "tensorflow.python" in type(inputs["images"]).__module__:
            with _backend.scope("tensorflow"):
                out["images"] = ops.cast(out["images"], "float64")
        return out


# A check says no by an assertion, or by a warning, which pytest makes an error.
REJECTIONS = (AssertionError, UserWarning)


def name(check):
    return check.__name__.removeprefix("check_")


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_every_check_rejects_a_broken_layer(check, monkeypatch):
    broken, arguments = BROKEN[name(check)]
    if not getattr(check, "compiled", False):
        run_uncompiled(monkeypatch)
    assert getattr(check, "applies", lambda op: True)(broken)
    make = functools.partial(build, broken, arguments, bounding_box_format="xyxy")
    with pytest.raises(REJECTIONS):
        check(make)


def test_no_broken_layer_is_left_over():
    assert set(BROKEN) == set(map(name, CHECKS))
