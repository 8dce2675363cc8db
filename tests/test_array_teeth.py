"""The suite for audio, text and tables is itself tested by broken layers."""

import functools
import itertools

import keras
import numpy as np
import pytest

from perfkit import _backend, augment
from perfkit._backend import ops
from tests.array_cases import SPECIAL, build
from tests.array_conformance import CHECKS
from tests.conformance.common import run_uncompiled
from tests.test_teeth import REJECTIONS, name

GAIN = {"decibels": 12.0}
MASKING = {"width": 6, "max_fraction": 0.5}
SWAP = {"fraction": 0.5, "special_ids": SPECIAL}
DROPOUT = {"mask_id": 4, **SWAP}
BROKEN = {}
TRACES = itertools.count()


def breaks(arguments, *checks):
    """Name the checks that must reject the layer, and the layer's arguments."""

    def note(broken):
        keras.saving.register_keras_serializable(package=broken.__module__)(broken)
        for check in checks:
            BROKEN[check] = broken, arguments
        return broken

    return note


class Gain(augment.RandomGain):
    pass


@breaks(GAIN, "changes_training_samples")
class DoesNothing(Gain):
    def clips(self, clips, params):
        return clips


@breaks(GAIN, "values_are_finite")
class TakesLogarithms(Gain):
    def clips(self, clips, params):
        return ops.log(clips)


@breaks(GAIN, "training_none_means_unsaid")
class ForwardsNone(Gain):
    def __call__(self, inputs, training=True):
        return super().__call__(inputs, training=bool(training))


@breaks(GAIN, "inference_is_identity_and_draws_nothing")
class AdvancesAtInference(Gain):
    def call(self, inputs, training=True):
        self._stream.next_key()
        return super().call(inputs, training)


@breaks(GAIN, "rate_zero_is_inference", "rate_picks_samples")
class IgnoresRate(Gain):
    def draw(self, rng, training):
        drawn = super().draw(rng, training)
        return drawn and {"decibels": drawn["decibels"]}


@breaks(GAIN, "same_seed_same_draws", "round_trips")
class ForgetsSeed(Gain):
    def __init__(self, decibels=12.0, seed=None, **kwargs):
        super().__init__(decibels, **kwargs)


@breaks(GAIN, "other_seed_other_draws", "draws_advance")
class FreezesSeed(Gain):
    def parameters(self, rng):
        return {"decibels": keras.random.uniform((rng.batch,), -9, 9, seed=3)}


@breaks(GAIN, "samples_differ_within_batch")
class DrawsPerBatch(Gain):
    def parameters(self, rng):
        decibels = rng.uniform(*self.decibels)
        return {"decibels": decibels[:1] + 0.0 * decibels}


@breaks(GAIN, "draw_does_not_depend_on_batch_size")
class SpreadsOverTheBatch(Gain):
    def parameters(self, rng):
        place = ops.cast(ops.arange(rng.batch, dtype="int32"), "float32")
        return {"decibels": 3.0 + place / rng.batch}


@breaks(GAIN, "what_was_drawn_can_be_replayed")
class DrawsBesides(Gain):
    def clips(self, clips, params):
        step = ops.cast(self._stream.next_key()[0] % 100, "float32")
        return super().clips(clips, params) + step


@breaks(GAIN, "single_equals_batch_of_one")
class SkipsSingles(Gain):
    def call(self, inputs, training=True):
        return super().call(inputs, training and len(inputs["waveforms"].shape) > 1)


@breaks(GAIN, "array_equals_dict")
class SkipsArrays(Gain):
    def __call__(self, inputs, **kwargs):
        if not isinstance(inputs, dict):
            kwargs["training"] = False
        return super().__call__(inputs, **kwargs)


@breaks(GAIN, "channels_are_any_or_none")
class TakesTheFirstChannel(Gain):
    def clips(self, clips, params):
        return super().clips(clips[..., :1] + ops.zeros_like(clips), params)


@breaks(MASKING, "bins_first_equals_transposed")
class IgnoresTheOrder(augment.TimeMasking):
    def __init__(self, width=6, **kwargs):
        super().__init__(width, **{**kwargs, "time_first": True})


@breaks(GAIN, "padding_of_audio_stays")
class AddsToEverything(Gain):
    def transform(self, canvas, params, chosen):
        super().transform(canvas, params, chosen)
        canvas.parts["waveforms"] = canvas.parts["waveforms"] + 1.0


@breaks(GAIN, "padding_of_audio_is_not_looked_at")
class TakesTheMeanOfEverything(Gain):
    def clips(self, clips, params):
        return clips + ops.mean(clips, axis=(1, 2))[:, None, None]


@breaks(DROPOUT, "padding_and_special_tokens_stay")
class ForgetsSpecialTokens(augment.TokenDropout):
    def free(self, parts):
        return parts["attention_mask"] != 0


@breaks(SWAP, "labels_of_tokens_follow_them")
class LeavesLabels(augment.TokenSwap):
    def transform(self, canvas, params, chosen):
        labels = canvas.parts["token_labels"]
        super().transform(canvas, params, chosen)
        canvas.parts["token_labels"] = labels


@breaks(GAIN, "labels_pass_untouched", "unknown_keys_pass_untouched")
class CopiesLabels(Gain):
    def __call__(self, inputs, **kwargs):
        out = super().__call__(inputs, **kwargs)
        for key in {"labels", "sample_weight"} & set(out):
            out[key] = np.array(out[key])
        return out


@breaks({"alpha": 1.0, "classes": 3}, "labels_are_mixed_where_samples_are")
class KeepsLabels(augment.RowMixUp):
    def transform(self, canvas, params, chosen):
        labels = canvas.labels
        super().transform(canvas, params, chosen)
        canvas.labels = ops.one_hot(labels, 3, dtype="float32")


@breaks(GAIN, "inputs_are_not_mutated")
class ScalesInPlace(Gain):
    def __call__(self, inputs, **kwargs):
        inputs["waveforms"] *= 2.0
        return super().__call__(inputs, **kwargs)


@breaks(GAIN, "output_has_the_compute_dtype")
class ReturnsFloat32(Gain):
    @property
    def compute_dtype(self):
        return "float32"


@breaks(GAIN, "input_dtypes_agree")
class ScalesIntegers(Gain):
    def call(self, inputs, training=True):
        values = inputs["waveforms"]
        if "int" in keras.backend.standardize_dtype(values.dtype):
            inputs = {**inputs, "waveforms": ops.cast(values, "float32") / 32768}
        return super().call(inputs, training)


@breaks(GAIN, "config_covers_the_signature")
class ForgetsConfig(Gain):
    def get_config(self):
        config = super().get_config()
        del config["decibels"]
        return config


@breaks(GAIN, "survives_a_keras_file")
class LoadsAnother(Gain):
    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "decibels": 3.0})


@breaks(GAIN, "output_shape_is_known_without_a_call", "serves_models_of_unknown_size")
class MisjudgesItsSize(Gain):
    def compute_output_spec(self, inputs, training=True):
        spec = super().compute_output_spec(inputs, training)
        shape = (*spec["waveforms"].shape[:1], 7)
        return {**spec, "waveforms": keras.KerasTensor(shape)}


@breaks(GAIN, "compiles_in_a_step")
class DrawsOnTheHost(Gain):
    def parameters(self, rng):
        return {"decibels": rng.uniform() * 0.0 + 3.0 * next(TRACES)}


@breaks(GAIN, "host_equals_device")
class IsLouderOnTheHost(Gain):
    def clips(self, clips, params):
        return clips * (2.0 if _backend.engine() == "numpy" else 1.5)


@breaks(GAIN, "keeps_jit_in_fit", "leaves_jit_on")
class RefusesJit(Gain):
    def __init__(self, decibels=12.0, **kwargs):
        super().__init__(decibels, **kwargs)
        self.supports_jit = False


@breaks(
    GAIN,
    "batches_in_tf_data_equal_eager",
    "unknown_sizes_in_tf_data_equal_eager",
)
class ReturnsDoublesInTensorFlow(Gain):
    def __call__(self, inputs, **kwargs):
        out = super().__call__(inputs, **kwargs)
        if "tensorflow.python" in type(inputs["waveforms"]).__module__:
            with _backend.scope("tensorflow"):
                out["waveforms"] = ops.cast(out["waveforms"], "float64")
        return out


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_every_check_rejects_a_broken_layer(check, monkeypatch):
    broken, arguments = BROKEN[name(check)]
    if not getattr(check, "compiled", False):
        run_uncompiled(monkeypatch)
    assert getattr(check, "applies", lambda op: True)(broken)
    with pytest.raises(REJECTIONS):
        check(functools.partial(build, broken, arguments))


def test_no_broken_layer_is_left_over():
    assert set(BROKEN) == set(map(name, CHECKS))
