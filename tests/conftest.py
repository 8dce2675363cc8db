"""Test ids that are the same in every worker, and what keeps the default run short."""

import keras
import pytest

from tests.conformance import common

# What operations make, against oracles. By default these run on TensorFlow alone:
# `test_augment_backends` compares what every operation makes on both backends. Nor do
# they compile there: `test_conformance` compares programs with what they are made from.
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
# Under JAX these go through a second process, or are the same code a second time.
ALIKE = {
    "test_array_teeth",
    "test_compress",
    "test_docs",
    "test_optimizer_teeth",
    "test_schedules",
    "test_teeth",
}
# The suites are of one operation after the other; by default JAX runs them on these.
SUITES = {"test_conformance", "test_array_conformance"}
TYPICAL = {"RandomGamma", "CutMix", "Pipeline", "AudioNoise"}


def pytest_make_parametrize_id(config, val, argname):
    # An object's address is another one in every worker.
    return getattr(val, "__name__", None) if callable(val) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    if keras.backend.backend() != "jax":
        return
    for item in items:
        if item.path.stem in ORACLES | ALIKE or _is_one_of_many(item):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _uncompiled_oracles(request, monkeypatch):
    if request.path.stem in ORACLES:
        common.run_cheaply(monkeypatch)


def _is_one_of_many(item):
    if item.path.stem not in SUITES or not hasattr(item, "callspec"):
        return False
    op = item.callspec.params.get("op")
    if op is None:
        return False
    others = ("Pipeline-2", "Pipeline-features", "Pipeline-spec", "Pipeline-token")
    return op.__name__ not in TYPICAL or any(name in item.name for name in others)
