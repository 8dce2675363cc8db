"""What has no twin in Keras 2 is an error that names it."""

import keras
import numpy as np
import pytest

from perfkit.compress import tfmot

layers = keras.layers


def doubled(x):
    return 2.0 * x


class Doubled(layers.Dense):
    pass


class Called(keras.Model):
    def call(self, inputs):
        return inputs


def lora(x):
    dense = layers.Dense(2, name="dense")
    outputs = dense(x)
    dense.enable_lora(1)
    return outputs


def own_penalty(x):
    dense = layers.Dense(2, name="dense")
    outputs = dense(x)
    dense.kernel.regularizer = keras.regularizers.L2()
    return outputs


def half_frozen(x):
    dense = layers.Dense(2, name="dense")
    outputs = dense(x)
    dense.bias.trainable = False
    return outputs


def inside(x):
    inner = keras.Sequential(
        [keras.Input((4,)), layers.RMSNormalization(name="rms")], name="inner"
    )
    return inner(x)


def resized(x):
    return layers.Resizing(2, 2, antialias=True)(x[:, :, None, None])


def padded(x):
    return layers.Embedding(9, 2, mask_zero=True)(x)


def cell_activation(x):
    rows = layers.RepeatVector(2)(x)
    return layers.LSTM(2, recurrent_activation="celu", name="lstm")(rows)


REFUSED = {
    "inner/rms, a layer that Keras 2 lacks": inside,
    "lambda.*Keras 2 lacks": layers.Lambda(lambda x: x, name="lambda"),
    "doubled.*Keras 2 lacks": Doubled(2, name="doubled"),
    "half, a layer in mixed_float16": layers.Dense(
        2, dtype="mixed_float16", name="half"
    ),
    "activation='celu'": layers.Dense(2, "celu"),
    "activation='ReLU'": layers.Dense(2, layers.ReLU()),
    "activation='function'": layers.Dense(2, doubled),
    "recurrent_activation='celu'": cell_activation,
    "antialias=True": resized,
    "lora_rank=1": lora,
    "masking.* Keras 2 lacks or computes": lambda x: layers.Masking()(x[:, None]),
    "makes masks": padded,
    "kernel has a regularizer of its own": own_penalty,
    "other trainable_weights": half_frozen,
    "cumsum.* an operation": lambda x: keras.ops.cumsum(x, axis=1),
    "variable of no layer": lambda x: x * keras.Variable(np.ones(4, "float32")),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_keras_2_lacks_is_refused_by_name(said):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, REFUSED[said](inputs))
    with pytest.raises(ValueError, match=rf"to_tf_keras\(model=...\).*{said}"):
        tfmot.to_tf_keras(model)


@pytest.mark.parametrize(
    ("said", "compute"),
    [
        ("float64 .* and not float32", lambda x: x / 2),
        ("cannot call so: TypeError", lambda x: x * 2.5),
    ],
)
def test_what_keras_2_would_make_another_dtype_of_is_refused(said, compute):
    inputs = keras.Input((4,), dtype="int32")
    with pytest.raises(ValueError, match=said):
        tfmot.to_tf_keras(keras.Model(inputs, compute(inputs)))


@pytest.mark.parametrize(
    "call",
    [
        lambda x, mask: layers.GRU(2, return_sequences=True)(x, mask=mask),
        lambda x, mask: layers.GlobalAveragePooling1D()(x, mask),
        lambda x, mask: layers.Attention()([x, x], mask=[mask, mask]),
    ],
)
def test_a_call_with_a_mask_is_refused(call):
    inputs = [keras.Input((5, 3)), keras.Input((5,), dtype="bool")]
    with pytest.raises(ValueError, match="called with a mask"):
        tfmot.to_tf_keras(keras.Model(inputs, call(*inputs)))


def test_what_is_no_graph_or_not_built_is_refused():
    for model in (Called(), keras.Sequential([layers.Dense(2)])):
        with pytest.raises(ValueError, match=r"to_tf_keras\(model=...\)"):
            tfmot.to_tf_keras(model)


def test_a_quantized_model_is_refused():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="dense")])
    model.layers[0].quantize("int8")
    with pytest.raises(ValueError, match="dense, a layer in int8_from_float32"):
        tfmot.to_tf_keras(model)
