"""What quantization does with models of unusual make: right, or refused by name."""

import keras
import numpy as np
import pytest

from perfkit import compress, transfer
from perfkit.ops.signal_to_noise import sqnr

layers = keras.layers
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
IMAGES = np.random.default_rng(0).normal(size=(32, 6, 6, 4)).astype("float32")
pytestmark = pytest.mark.usefixtures("seeded")


def network(*steps, shape=(6, 6, 4)):
    return keras.Sequential([keras.Input(shape), *steps])


def answers(model, x=IMAGES):
    return keras.ops.convert_to_numpy(model(x, training=False))


def quantized(model, x=IMAGES, **options):
    return compress.quantize(model, x, verbose=False, **options)


def assert_the_file_agrees(small, folder, x=IMAGES, steps=2.01):
    if not ON_TENSORFLOW:
        return
    written = compress.export_tflite(small, folder / "model.tflite", verbose=False)
    assert not any("float" in dtype for dtype in written.tensor_dtypes)
    made = compress.LiteModel(written.path).predict(x)
    difference = np.abs(made - answers(small, x)).max()
    assert difference <= steps * written.output.scale


def normalization():
    layer = layers.Normalization()
    layer.adapt(IMAGES * 3 + 5)
    return layer


@pytest.mark.parametrize(
    "factors",
    [
        lambda: [layers.Rescaling(0.5, 0.25), normalization()],
        lambda: [layers.Rescaling(0.5), layers.Rescaling(3.0, 1.0), normalization()],
        lambda: [layers.DepthwiseConv2D(1), layers.DepthwiseConv2D(1)],
    ],
    ids=["two", "three", "own"],
)
def test_several_factors_for_each_channel_go_into_one_layer(factors, tmp_path):
    model = network(*factors(), layers.Conv2D(5, 3))
    small = quantized(model)
    assert sqnr(answers(model), answers(small)) > 30
    assert_the_file_agrees(small, tmp_path)


def rows_normalized():
    layer = layers.Normalization(axis=1)
    layer.adapt(IMAGES)
    return layer


@pytest.mark.parametrize(
    "make",
    [
        rows_normalized,
        lambda: layers.Rescaling(np.arange(1.0, 7.0)[:, None]),
        lambda: layers.BatchNormalization(axis=1),
        lambda: layers.ReLU(3.0),
        lambda: layers.UpSampling2D(interpolation="bicubic"),
        lambda: layers.Conv3D(2, 1),
    ],
    ids=["rows", "scales", "axis", "bounded", "bicubic", "three_axes"],
)
def test_settings_without_an_integer_form_are_refused_by_name(make):
    layer = make()
    shape = (4, 4, 4, 2) if isinstance(layer, layers.Conv3D) else (6, 6, 4)
    model = network(layer, layers.Flatten(), layers.Dense(2), shape=shape)
    with pytest.raises(ValueError, match=f"not so: {layer.name} "):
        quantized(model, np.zeros((4, *shape), "float32"))


def test_a_function_of_ones_own_is_not_taken_for_that_of_keras_with_its_name():
    def tanh(x):
        return 1.7 * keras.ops.tanh(x)

    with pytest.raises(ValueError, match="activation of its own"):
        quantized(network(layers.Conv2D(2, 3), layers.Activation(tanh)))


@pytest.mark.parametrize("kind", [layers.Add, layers.Average, layers.Multiply])
def test_three_are_joined_two_by_two(kind, tmp_path):
    inputs = keras.Input((6, 6, 4))
    parts = [layers.Conv2D(3, 3, activation="relu")(inputs) for _ in range(3)]
    model = keras.Model(inputs, layers.Conv2D(2, 1)(kind()(parts)))
    small = quantized(model)
    assert sqnr(answers(model), answers(small)) > 25
    assert_the_file_agrees(small, tmp_path)


def test_layers_may_be_called_by_keyword():
    inputs = keras.Input((6, 6, 4))
    x = layers.Conv2D(3, 3, activation="hard_silu")(inputs=inputs)
    model = keras.Model(inputs, layers.BatchNormalization()(inputs=x))
    assert sqnr(answers(model), answers(quantized(model))) > 25


def test_a_loaded_model_may_have_the_names_that_keras_gives_next():
    inputs = keras.Input((6, 6, 4))
    x = layers.Conv2D(3, 3, activation="hard_silu", name="conv2d")(inputs)
    for number in range(3):  # as if made in another process
        suffix = f"_{number}" if number else ""
        x = layers.ReLU(name=f"re_lu{suffix}")(x)
        x = layers.Add(name=f"add{suffix}")([x, x])
        x = layers.Multiply(name=f"multiply{suffix}")([x, x])
    model = keras.Model(inputs, x)
    keras.utils.clear_session()
    assert sqnr(answers(model), answers(quantized(model))) > 20


def test_a_layer_that_is_never_active_is_written(tmp_path):
    conv = layers.Conv2D(3, 3, activation="relu")
    model = network(conv, layers.Conv2D(2, 1, activation="relu"))
    conv.bias.assign([-1e3] * 3)
    small = quantized(model)
    assert np.abs(answers(small) - answers(model)).max() < 1e-6
    assert_the_file_agrees(small, tmp_path)


@pytest.mark.parametrize("calibration", ["mse", "percentile", "kl"])
def test_constants_have_ranges(calibration):
    for constant in (0.0, 20_000.0):
        conv = layers.Conv2D(2, 3, kernel_initializer="zeros")
        model = network(conv, layers.ReLU())
        conv.bias.assign([constant] * 2)
        small = quantized(model, calibration=calibration)
        assert answers(small) == pytest.approx(answers(model), rel=0.01)


def test_what_is_not_a_number_is_an_error_that_names_the_layer():
    conv = layers.Conv2D(2, 3, name="wild")
    model = network(conv)
    conv.bias.assign([np.nan, 0.0])
    with pytest.raises(ValueError, match="'wild_range' rounds is not finite"):
        quantized(model)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="the file is the same")
def test_ranges_that_are_not_numbers_are_not_written(tmp_path):
    small = quantized(network(layers.Conv2D(2, 3, name="conv")))
    small.get_layer("conv_range").high.assign(np.inf)
    with pytest.raises(ValueError, match="finite; not so: conv_range"):
        compress.export_tflite(small, tmp_path / "model.tflite")


def test_ranges_move_in_half_precision_as_in_full():
    x = np.array([[-1.2, 1.2]], "float32")
    for dtype in ("float32", "mixed_bfloat16", "mixed_float16"):
        layer = compress.FakeQuantization(momentum=0.99, dtype=dtype)
        layer.build((1, 2))
        layer.set_range(-1.0, 1.0)
        for _ in range(100):
            layer(x, training=True)
        assert float(layer.high) == pytest.approx(1.2 - 0.2 * 0.99**100, abs=0.01)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16", "float16"])
def test_other_precisions_are_quantized_and_written_as_float32(dtype, tmp_path):
    conv = layers.Conv2D(3, 3, activation="relu", dtype=dtype)
    model = network(layers.Rescaling(0.5, dtype=dtype), conv, layers.Dense(2))
    small = quantized(model)
    assert sqnr(answers(model), answers(small)) > 20
    assert_the_file_agrees(small, tmp_path)


def test_convolutions_of_groups_are_left_alone_when_equalizing():
    model = network(
        layers.Conv2D(8, 3, groups=2, activation="relu"), layers.Conv2D(2, 1)
    )
    small = quantized(model, equalized=True)
    assert sqnr(answers(model), answers(small)) > 25


def adapted():
    model = network(layers.Conv2D(3, 3, name="conv"), layers.ReLU())
    transfer.adapt(model, transfer.LoRA(2))
    return model


def of_keras(change):
    dense = layers.Dense(8, name="dense")
    model = network(dense, shape=(8,))
    change(dense)
    return model


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (adapted, "conv"),
        (lambda: of_keras(lambda dense: dense.enable_lora(2)), "dense"),
        (lambda: of_keras(lambda dense: dense.quantize("int8")), "dense"),
    ],
    ids=["LoRA", "of_keras", "int8"],
)
def test_adapted_kernels_are_refused_by_name(make, name):
    with pytest.raises(ValueError, match=f"without adapters.*{name}"):
        compress.quantize_aware(make())


def test_merged_adapters_are_kernels():
    model = adapted()
    transfer.merge(model)
    assert sqnr(answers(model), answers(quantized(model))) > 25


def test_inputs_of_unknown_sizes_are_calibrated_on_one_size():
    model = network(layers.Conv2D(3, 3, activation="relu"), shape=(None, None, 4))
    assert sqnr(answers(model), answers(quantized(model))) > 25
    with pytest.raises(ValueError, match="of one size"):
        quantized(model, [IMAGES, IMAGES[:, :5]])


def test_integers_that_are_no_tokens_are_refused():
    inputs = keras.Input((6, 6, 4), dtype="int32")
    model = keras.Model(inputs, layers.Conv2D(2, 3)(layers.Rescaling(0.5)(inputs)))
    with pytest.raises(ValueError, match="begins with a float32"):
        quantized(model, np.ones((4, 6, 6, 4), "int32"))


def two_inputs():
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    both = layers.Concatenate()([layers.Dense(3)(left), layers.Dense(2)(right)])
    return keras.Model([left, right], layers.Dense(2)(both))


def test_several_inputs_may_come_with_labels_and_have_equal_counts():
    x = [IMAGES[:, 0, 0], IMAGES[:, 0, 1, :3]]
    alone, labelled = (quantized(two_inputs(), data) for data in (x, (x, x[0])))
    for layer in alone.layers:
        if isinstance(layer, compress.FakeQuantization) and "input" in layer.name:
            other = labelled.get_layer(layer.name)
            assert (float(layer.low), float(layer.high)) == (
                float(other.low),
                float(other.high),
            )
    with pytest.raises(ValueError, match="as many samples of each input"):
        quantized(two_inputs(), [x[0], x[1][:5]])


def test_what_is_frozen_stays_frozen_where_layers_become_others():
    inputs = keras.Input((6, 6, 4))
    x = layers.BatchNormalization(name="alone", trainable=False)(inputs)
    x = layers.SeparableConv2D(3, 3, activation="relu", name="both")(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    both = model.get_layer("both")
    both.pointwise_kernel.trainable = False
    aware = compress.quantize_aware(model)
    learning = [variable.path for variable in aware.trainable_variables]
    assert not any("alone" in path for path in learning)
    assert not any("pointwise/kernel" in path for path in learning)
    assert any("depthwise/kernel" in path for path in learning)
    policy = keras.Sequential(
        [keras.Input((6, 6, 4)), layers.BatchNormalization(dtype="mixed_float16")]
    )
    layers_of = compress.quantize_aware(policy).layers
    (factor,) = [x for x in layers_of if isinstance(x, compress.Reparameterized)]
    assert factor.layer.compute_dtype == "float16"


def test_penalties_go_along_and_are_on_what_they_were_on():
    separable = layers.SeparableConv2D(
        3, 3, depthwise_regularizer="l2", pointwise_regularizer="l1", name="both"
    )
    dense = layers.Dense(2, activation="relu", activity_regularizer="l2", name="head")
    model = network(separable, layers.Flatten(), dense)
    aware = compress.quantize_aware(model, momentum=0.0)
    for each in (model, aware):
        each(IMAGES, training=True)
    before, after = (sum(map(float, each.losses)) for each in (model, aware))
    assert len(aware.losses) == len(model.losses) == 3
    assert after == pytest.approx(before, rel=0.05)


def test_a_plan_reads_its_data_once_and_speaks_of_itself():
    model = network(layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(2))
    batches = iter([IMAGES[:16], IMAGES[16:]])
    plan = compress.mixed_precision_plan(model, batches, size=0.9, verbose=False)
    assert set(plan.bits.values()) == {4, 8}
    with pytest.raises(ValueError, match=r"mixed_precision_plan\(samples"):
        compress.mixed_precision_plan(model, IMAGES, size=1.0, samples=0)


def test_bits_are_asked_for_layers_that_are_there():
    model = network(layers.AveragePooling2D(2))
    assert sqnr(answers(model), answers(quantized(model))) > 25
    with pytest.raises(ValueError, match="none in this model"):
        quantized(model, bits={"conv*": 4})


def test_what_stays_in_float_is_said(tmp_path, capsys):
    model = network(
        layers.Conv2D(4, 3), layers.LayerNormalization(name="norm"), layers.Dense(2)
    )
    small = compress.quantize(model, IMAGES, strict=False)
    assert "left in float: norm (LayerNormalization)" in capsys.readouterr().out
    compress.quantize_aware(model, strict=False, verbose=False)
    assert not capsys.readouterr().out
    if ON_TENSORFLOW:
        path = tmp_path / "mixed.tflite"
        with pytest.raises(ValueError, match="With strict=False these stay in float"):
            compress.export_tflite(small, path)
        written = compress.export_tflite(small, path, strict=False)
        assert any("norm" in name for name in written.floats)
        assert not any("dense" in name for name in written.floats)
        assert written.floats[0] in str(written)


def test_the_bridge_is_there_when_it_is_asked_for():
    assert compress.tfmot.__name__ == "perfkit.compress.tfmot"
    assert "tfmot" in dir(compress)


def test_only_layers_with_one_kernel_are_reparameterized():
    with pytest.raises(TypeError, match=r"Reparameterized\(layer"):
        compress.Reparameterized(3, [])
    for layer in (layers.ReLU(), layers.LSTM(2)):
        wrapper = compress.Reparameterized(layer, [compress.QuantizedKernel()])
        with pytest.raises(ValueError, match=r"Reparameterized\(layer"):
            wrapper.build((None, 3, 2))
