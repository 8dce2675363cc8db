"""What is left of a pipeline once XLA has optimized it."""

import re

import keras
import numpy as np
import pytest

from perfkit import augment

SIZE = (64, 64)


def geometry():
    return [
        augment.RandomFlip(),
        augment.RandomRotation(0.1),
        augment.RandomZoom(0.2),
        augment.RandomTranslation(0.1, 0.1),
    ]


def colours():
    return [
        augment.RandomBrightness(0.2),
        augment.RandomContrast(0.2),
        augment.RandomSaturation((0.4, 0.6)),
        augment.RandomHue(0.1),
        augment.Normalization(mean=[120.0] * 3, variance=[60.0**2] * 3),
    ]


def reader(layers, dtype="uint8", **kwargs):
    """A function from a stage of compiling a whole call to the program's text."""
    pipeline = augment.Pipeline(layers, seed=1, **kwargs)
    images = np.zeros((8, *SIZE, 3), dtype)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        call = tf.function(lambda x: pipeline(x, training=True), jit_compile=True)
        read = call.experimental_get_compiler_ir(tf.constant(images))
        return lambda stage: read(stage=stage)

    import jax

    def call(variables, images):
        return pipeline.stateless_call([], variables, images, training=True)

    variables = [v.value for v in pipeline.non_trainable_variables]
    lowered = jax.jit(call).lower(variables, images)
    stages = {
        "stablehlo": lowered.as_text,
        "optimized_hlo": lambda: lowered.compile().as_text(),
    }
    return lambda stage: stages[stage]()


def optimized(layers, **kwargs):
    return reader(layers, **kwargs)("optimized_hlo")


def count(program, operation):
    """How often an operation stands in an optimized program, custom calls too."""
    return len(re.findall(rf"= \S+ {operation}\(", program))


def statements(read):
    """Lines of the program before it is optimized.

    TensorFlow says of each line, in one more, where it comes from.
    """
    lines = read("stablehlo").splitlines()
    return sum(not line.startswith("#loc") for line in lines)


ALL = geometry() + colours()


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_pipeline_is_one_bilinear_resample(dtype):
    read = reader(ALL, dtype)
    compiled = read("optimized_hlo")
    assert count(compiled, "gather") == 4
    assert count(compiled, "convolution") == 0
    assert count(compiled, "dot") == 0  # contrast's mean had the images computed
    assert statements(read) < 3000


@pytest.mark.slow
def test_rand_augment_is_one_resample_and_a_small_program():
    read = reader([augment.RandAugment(num_ops=2)], "uint8")
    compiled = read("optimized_hlo")
    whole_batch, one_image = 8 * SIZE[0] * SIZE[1], SIZE[0] * SIZE[1] * 3
    rows = [int(n) for n in re.findall(r"= \w+\[(\d+),[^ ]* gather\(", compiled)]
    assert rows.count(whole_batch) == 4
    # Each slot looks one image up in the table that equalizes it, and 8 numbers.
    assert sorted(set(rows)) == [8, one_image, whole_batch]
    assert rows.count(one_image) == 2
    assert count(compiled, "convolution") == 0
    assert statements(read) < 3000


@pytest.mark.slow
def test_without_fusing_each_layer_resamples():
    compiled = optimized(ALL, fused=False)
    assert count(compiled, "gather") == 1 + 3 * 4  # whole pixels are one gather


def test_two_fill_modes_are_two_resamples():
    layers = [augment.RandomRotation(0.1), augment.RandomZoom(0.1, fill_mode="wrap")]
    compiled = optimized(layers)
    assert count(compiled, "gather") == 2 * 4


@pytest.mark.slow
def test_contrast_before_geometry_resamples_for_its_mean():
    layers = [augment.RandomRotation(0.1), augment.RandomContrast(0.1)]
    compiled = optimized([*layers, augment.RandomZoom(0.1)])
    assert count(compiled, "gather") == 2 * 4


@pytest.mark.parametrize(
    "resize",
    [augment.Resizing(32, 48), augment.RandomResizedCrop(32, 48)],
    ids=["resize", "resized crop"],
)
def test_a_resize_is_part_of_the_resample(resize):
    layers = [augment.RandomRotation(0.1), resize, augment.RandomFlip()]
    compiled = optimized(layers)
    assert count(compiled, "gather") == 4
    assert count(compiled, "dot") == 0


def test_whole_pixels_are_gathered_once():
    compiled = optimized([augment.RandomFlip(), augment.RandomCrop(48, 40)])
    assert count(compiled, "gather") == 1


def test_a_field_alone_is_read_by_products_and_one_resample():
    read = reader([augment.RandomElasticTransform(), *colours()], "uint8")
    assert count(read("optimized_hlo"), "gather") == 4
    assert statements(read) < 3000


def test_a_field_between_matrices_adds_four_readings_of_its_small_grid():
    bend = augment.RandomElasticTransform()
    layers = [augment.RandomRotation(0.1), bend, augment.RandomFlip()]
    assert count(optimized(layers), "gather") == 4 + 4


def test_colours_are_one_pass_over_the_pixels():
    compiled = optimized(colours())
    for operation in ("gather", "convolution", "dot"):
        assert count(compiled, operation) == 0


def test_mixing_colours_does_not_repeat_the_resample():
    compiled = optimized([*geometry(), augment.RandomHue(0.1)])
    assert count(compiled, "gather") == 4
    assert count(compiled, "dot") == 1


def test_the_count_sees_what_it_counts():
    program = """
      %g = f32[8,4]{1,0} gather(f32[9,4]{1,0} %x, s32[8]{0} %i), offset_dims={1}
      ROOT %c = f32[1,4,4,2]{3,2,1,0} convolution(%a, %b), window={size=3x3}
      %gather_fusion = f32[8,4]{1,0} fusion(%g), kind=kLoop, calls=%gather
    """
    assert count(program, "gather") == 1
    assert count(program, "convolution") == 1
    assert count(program, "dot") == 0
