"""Test ids that are the same in every worker, and what keeps the default run short."""

import re

import keras
import pytest

from tests.conformance import common

# What operations make, against oracles. These run on TensorFlow, and on JAX only where
# the thorough ones are asked for: `test_augment_backends` compares what every operation
# makes on both backends. Nor do they compile there: `test_conformance` compares
# programs with what they are made from.
ORACLES = {
    "test_audio",
    "test_blur",
    "test_channels",
    "test_color",
    "test_combinations",
    "test_crops",
    "test_downscale",
    "test_dropping",
    "test_fields",
    "test_from_albumentations",
    "test_from_image_data_generator",
    "test_from_keras",
    "test_geometry",
    "test_host",
    "test_inverse",
    "test_jpeg",
    "test_keras_defects",
    "test_median",
    "test_mixing",
    "test_moving_albumentations",
    "test_moving_steps",
    "test_noise",
    "test_noisy_images",
    "test_pasting",
    "test_pixels",
    "test_placing",
    "test_policies",
    "test_show",
    "test_tabular",
    "test_targets",
    "test_text",
}
# Under JAX these go through a second process, or are the same code a second time; by
# default they, and the examples in docstrings, run on TensorFlow alone.
ALIKE = {
    "test_adapter_files",
    "test_augment_tf_data",
    "test_average_weights",
    "test_bottleneck_adapters",
    "test_boxes_in_fit",
    "test_cache_files",
    "test_classifier",
    "test_cluster",
    "test_cluster_quantized",
    "test_compress",
    "test_compress_combinations",
    "test_compress_report",
    "test_compress_report_lite",
    "test_compress_report_shown",
    "test_contrastive",
    "test_detection_heads",
    "test_detection_losses",
    "test_detection_targets",
    "test_detector",
    "test_distill",
    "test_distillation_losses",
    "test_distiller",
    "test_dropout_schedule",
    "test_ema_teacher",
    "test_fake_quantization",
    "test_folding",
    "test_fusion_errors",
    "test_fusion_layers",
    "test_fusion_sequences",
    "test_greedy_soup",
    "test_layer_costs",
    "test_layer_teeth",
    "test_layers_attention",
    "test_layers_attention_branches",
    "test_layers_blur_pool",
    "test_layers_dropping",
    "test_layers_heads",
    "test_layers_normalizing",
    "test_layers_pyramids",
    "test_layers_responses",
    "test_layers_transformers",
    "test_layers_weight_normalization",
    "test_linear_probe",
    "test_litert_quantizer",
    "test_lora",
    "test_losses",
    "test_low_rank",
    "test_low_rank_refusals",
    "test_models",
    "test_models_learning",
    "test_models_masks",
    "test_moments",
    "test_multimodal",
    "test_necks",
    "test_ogm_ge",
    "test_optimizer_oracles",
    "test_optimizer_schedule",
    "test_optimizer_teeth",
    "test_optimizer_wrappers",
    "test_pc_grad",
    "test_pretrained",
    "test_quantize",
    "test_quantize_aware",
    "test_quantize_bits",
    "test_quantize_rules",
    "test_r_drop",
    "test_random_pipelines",
    "test_rank_backbones",
    "test_regularizers",
    "test_regularizers_constraints",
    "test_regularizers_detach",
    "test_regularizers_drop_path",
    "test_regularizers_dropout",
    "test_resting",
    "test_rewind",
    "test_scenes",
    "test_schedules",
    "test_sensitivity",
    "test_shrink",
    "test_shrink_choices",
    "test_shrink_importance",
    "test_shrink_rules",
    "test_shrink_taylor",
    "test_sparsity_carried",
    "test_sparsity_prune",
    "test_sparsity_resumed",
    "test_split_model",
    "test_suppression",
    "test_surgery",
    "test_surgery_blur_pool",
    "test_surgery_insert_attention",
    "test_surgery_stochastic_depth",
    "test_surgery_swap_activation",
    "test_surgery_swap_normalization",
    "test_tfmot_bridge",
    "test_transferability",
    "test_uncertainty_weighting",
}
# Counting, reading, refusing and plain formulas, which a backend has little part in;
# under JAX thorough.
OFF_THE_DEVICE = {
    "test_array_teeth",
    "test_compress_report_shown",
    "test_data_sets",
    "test_docs",
    "test_layers_pooling",
    "test_macs",
    "test_pycocotools",
    "test_models_refusals",
    "test_models_space",
    "test_regularizers_penalties",
    "test_schedule_curves",
    "test_teeth",
    "test_tfmot_import",
    "test_tfmot_layers",
    "test_tfmot_operations",
    "test_tfmot_refusals",
    "test_transfer_preprocessing",
}
# What happens on the host or in tf.data is the same whatever Keras runs on. That it is
# what TensorFlow makes is seen on TensorFlow, and `test_augment_backends` compares that
# with JAX; so under JAX these are for the typical operations alone.
OFF_THE_BACKEND = {
    "batches_in_tf_data_equal_eager",
    "host_equals_device",
    "programs_in_tf_data_equal_eager",
    "unknown_sizes_in_tf_data_equal_eager",
}
ON_THE_HOST = {
    "test_host",
    "test_moving_albumentations",
    "test_moving_steps",
    "test_results",
    "test_show",
}
# The suites are of one operation after the other; by default JAX runs them on these,
# and so does TensorFlow that of arrays, and checks that make many programs.
SUITES = {"test_conformance", "test_array_conformance"}
TYPICAL = {"RandomGamma", "CutMix", "Pipeline", "AudioNoise"}
MANY_PROGRAMS = {
    "batches_in_tf_data_equal_eager",
    "keeps_jit_in_fit",
    "survives_a_keras_file",
    "unknown_sizes_in_tf_data_equal_eager",
}
# What a backend may do otherwise; the other checks see on TensorFlow what they see.
OF_THE_BACKEND = {
    "compiles_in_a_step",
    "output_has_the_compute_dtype",
    "samples_differ_within_batch",
}
LARGE = {"RandAugment", "RandomChoice"}
TYPICAL_OPTIMIZERS = {"LARS", "Lookahead", "RAdam", "SharpnessAware"}


def pytest_make_parametrize_id(config, val, argname):
    # An object's address is another one in every worker.
    return getattr(val, "__name__", None) if callable(val) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    _mark(config, items)
    if "thorough" not in config.option.markexpr:  # slow ones may be thorough, too
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
        out = set(left_out)
        items[:] = [item for item in items if item not in out]


def _mark(config, items):
    if keras.backend.backend() != "jax":
        for item in items:
            if _is_left_to_slow(item):
                item.add_marker(pytest.mark.slow)
            if _is_slow_of_many(item):
                item.add_marker(pytest.mark.thorough)
        return
    kept, left_out = [], []
    for item in items:
        (left_out if _is_seen_on_tensorflow(item) else kept).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept
    for item in items:
        alike = item.path.stem in ALIKE or isinstance(item, pytest.DoctestItem)
        slow_twice = alike and item.get_closest_marker("slow")
        if slow_twice or _is_thorough(item) or _is_slow_of_many(item):
            item.add_marker(pytest.mark.thorough)
        elif alike or _is_one_of_many(item) or _is_left_to_slow(item):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _uncompiled_oracles(request, monkeypatch):
    if request.path.stem in ORACLES:
        common.run_cheaply(monkeypatch)


@pytest.fixture
def seeded():
    """The first values of every model are the same whichever tests ran before."""
    keras.utils.set_random_seed(0)


def _is_seen_on_tensorflow(item):
    if item.path.stem in ON_THE_HOST:
        return True
    return _check_of(item) in OFF_THE_BACKEND and _is_one_of_many(item)


def _is_left_to_slow(item):
    if item.path.stem == "test_optimizer_conformance":
        return not any(f"[{name}-" in item.name for name in TYPICAL_OPTIMIZERS)
    if not _is_one_of_many(item):
        return False
    large = item.callspec.params["op"].__name__ in LARGE
    return (
        large
        or item.path.stem == "test_array_conformance"
        or (_check_of(item) in MANY_PROGRAMS)
    )


def _is_thorough(item):
    if item.path.stem in ORACLES | OFF_THE_DEVICE:
        return True
    others = _is_one_of_many(item) and _check_of(item) not in OF_THE_BACKEND
    return _is_again(item) or others


def _is_slow_of_many(item):
    """Whether it takes long and is much like what others of its suite are."""
    is_slow = item.get_closest_marker("slow") is not None
    compiled = "compiled" in item.name and not any(
        f"[{name}-" in item.name for name in TYPICAL_OPTIMIZERS
    )
    of_optimizers = item.path.stem == "test_optimizer_conformance" and compiled
    return is_slow and (_is_again(item) or of_optimizers)


def _is_again(item):
    """Whether it is of an operation with other arguments than the first time."""
    again = re.search(r"\[\w+-[2-9]-", item.name)
    return item.path.stem in SUITES and again is not None


def _check_of(item):
    return item.name.rstrip("]").rpartition("-")[2]


def _is_one_of_many(item):
    if item.path.stem not in SUITES or not hasattr(item, "callspec"):
        return False
    op = item.callspec.params.get("op")
    if op is None:
        return False
    others = ("Pipeline-2", "Pipeline-features", "Pipeline-spec", "Pipeline-token")
    return op.__name__ not in TYPICAL or any(name in item.name for name in others)
