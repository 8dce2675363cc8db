"""What goes in, what comes out, and what passes by."""

import keras
import ml_dtypes
import numpy as np

from tests.conformance.common import (
    BOXES,
    IMAGES,
    applies_to,
    assert_same,
    full_inputs,
    images_of,
    keeps_samples_apart,
    of_the_base,
    to_numpy,
)


def _dtype(x):
    return keras.backend.standardize_dtype(x.dtype)


def _images_as(dtype, make):
    return make(dtype=dtype)(full_inputs())["images"]


@of_the_base
def check_input_dtypes_agree(make):
    expected = images_of(make(), IMAGES.astype("float32"))
    for dtype in ("uint8", "int32", "float16", ml_dtypes.bfloat16):
        assert np.array_equal(images_of(make(), IMAGES.astype(dtype)), expected)


@of_the_base
def check_output_has_the_compute_dtype(make):
    for policy, dtype in (
        (None, "float32"),
        ("mixed_bfloat16", "bfloat16"),
        ("mixed_float16", "float16"),
        ("uint8", "uint8"),
    ):
        assert _dtype(_images_as(policy, make)) == dtype


@of_the_base
def check_uint8_output_is_rounded(make):
    exact = to_numpy(_images_as("float32", make))
    rounded = np.clip(np.round(exact), 0, 255).astype("int32")
    off = np.abs(to_numpy(_images_as("uint8", make)).astype("int32") - rounded)
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01  # halves, which round either way


@of_the_base
def check_bfloat16_keeps_coordinates_float32(make):
    inputs = full_inputs()
    inputs["keypoints"] += 0.015625  # needs more bits than bfloat16 has
    inputs["bounding_boxes"]["boxes"] += 0.015625
    exact, half = [make(dtype=dtype)(inputs) for dtype in (None, "mixed_bfloat16")]
    for outputs in (exact, half):
        del outputs["images"]
    assert _dtype(half["keypoints"]) == "float32"
    assert _dtype(half["bounding_boxes"]["boxes"]) == "float32"
    assert_same(half, exact, atol=1e-6)


@of_the_base
def check_integer_coordinates_become_float32(make):
    whole = {"boxes": BOXES.round().astype("int32"), "labels": np.ones((4, 2), "int64")}
    out = make()(full_inputs(bounding_boxes=whole))["bounding_boxes"]
    assert _dtype(out["boxes"]) == "float32"
    assert "int" in _dtype(out["labels"])


@of_the_base
@applies_to(keeps_samples_apart)
def check_labels_pass_untouched(make):
    for labels in (
        np.full((4,), 40001, "int64"),
        np.array(["cat", "dog", "cat", "owl"]),
        np.full((4, 3), 0.1, "float64"),
    ):
        out = make(dtype="mixed_float16")({"images": IMAGES, "labels": labels})
        assert out["labels"] is labels


@of_the_base
def check_unknown_keys_pass_untouched(make):
    weight, file = np.full((4,), 40001, "int64"), np.array(["a", "b", "c", "d"])
    inputs = full_inputs(sample_weight=weight, meta={"file": file})
    inputs["sample_weight"], inputs["meta"]["file"] = weight, file
    layer = make(dtype="mixed_float16")
    if not layer.mixes:  # there are twice as many boxes then
        inputs["bounding_boxes"]["area"] = weight
    out = layer(inputs)
    assert out["sample_weight"] is weight
    assert out["meta"]["file"] is file
    assert layer.mixes or out["bounding_boxes"]["area"] is weight


@of_the_base
def check_inputs_are_not_mutated(make):
    inputs, same = full_inputs(), full_inputs()
    arrays = [id(x) for x in keras.tree.flatten(inputs)]
    make()(inputs)
    assert list(inputs) == list(same)
    assert list(inputs["bounding_boxes"]) == list(same["bounding_boxes"])
    assert [id(x) for x in keras.tree.flatten(inputs)] == arrays
    keras.tree.map_structure(np.testing.assert_array_equal, inputs, same)
