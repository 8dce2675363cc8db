"""What the tests of the bridge to Keras 2 share."""

import keras
import numpy as np

layers = keras.layers
SERIES, IMAGE, VIDEO = (12, 4), (9, 9, 4), (8, 8, 8, 2)


def assert_same(model, twin, data, tolerance=1e-5):
    ours = keras.tree.flatten(model(data, training=False))
    theirs = keras.tree.flatten(twin(data, training=False))
    for expected, got in zip(ours, theirs, strict=True):
        expected = keras.ops.convert_to_numpy(expected)
        size = np.abs(expected).max()
        np.testing.assert_allclose(got.numpy(), expected, atol=tolerance * size)


def _recurrent(kind, **arguments):
    inner = kind(3, return_sequences=True, recurrent_activation="hard_sigmoid")
    return lambda: layers.Bidirectional(inner, **arguments)


# Of each layer that has a twin a setting that shows: a function to the layer, and the
# shapes of the inputs that it is called on.
CASES = {
    "Activation": (lambda: layers.Activation("gelu"), IMAGE),
    "ActivityRegularization": (lambda: layers.ActivityRegularization(l1=0.1), IMAGE),
    "Add": (lambda: layers.Add(), IMAGE, IMAGE),
    "AlphaDropout": (lambda: layers.AlphaDropout(0.3), IMAGE),
    "Attention": (lambda: layers.Attention(use_scale=True), SERIES, SERIES),
    "Average": (lambda: layers.Average(), IMAGE, IMAGE),
    "AveragePooling1D": (lambda: layers.AveragePooling1D(3, 2, "same"), SERIES),
    "AveragePooling2D": (lambda: layers.AveragePooling2D(2, 2, "same"), IMAGE),
    "AveragePooling3D": (lambda: layers.AveragePooling3D(3, 2), VIDEO),
    "BatchNormalization": (lambda: layers.BatchNormalization(epsilon=0.1), IMAGE),
    "Bidirectional": (_recurrent(layers.LSTM, merge_mode="sum"), SERIES),
    "Concatenate": (lambda: layers.Concatenate(axis=1), IMAGE, IMAGE),
    "Conv1D": (lambda: layers.Conv1D(3, 3, padding="causal", dilation_rate=2), SERIES),
    "Conv1DTranspose": (lambda: layers.Conv1DTranspose(3, 3, 2, "same"), SERIES),
    "Conv2D": (lambda: layers.Conv2D(4, 3, 2, "same", groups=2), IMAGE),
    "Conv2DTranspose": (
        lambda: layers.Conv2DTranspose(3, 3, 2, output_padding=1, activation="relu"),
        IMAGE,
    ),
    "Conv3D": (lambda: layers.Conv3D(3, (1, 2, 3), 2), VIDEO),
    "Conv3DTranspose": (lambda: layers.Conv3DTranspose(3, 3, 2, "same"), VIDEO),
    "Cropping1D": (lambda: layers.Cropping1D((1, 2)), SERIES),
    "Cropping2D": (lambda: layers.Cropping2D(((1, 2), (0, 3))), IMAGE),
    "Cropping3D": (lambda: layers.Cropping3D(2), VIDEO),
    "Dense": (lambda: layers.Dense(5, "hard_silu"), SERIES),
    "DepthwiseConv1D": (
        lambda: layers.DepthwiseConv1D(3, depth_multiplier=2),
        SERIES,
    ),
    "DepthwiseConv2D": (
        lambda: layers.DepthwiseConv2D(3, 2, "same", depth_multiplier=2),
        IMAGE,
    ),
    "Dot": (lambda: layers.Dot(axes=2, normalize=True), SERIES, SERIES),
    "Dropout": (lambda: layers.Dropout(0.3), IMAGE),
    "ELU": (lambda: layers.ELU(alpha=0.4), IMAGE),
    "EinsumDense": (
        lambda: layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"),
        SERIES,
    ),
    "Embedding": (lambda: layers.Embedding(7, 3), ()),
    "Flatten": (lambda: layers.Flatten("channels_first"), IMAGE),
    "GRU": (_recurrent(layers.GRU, merge_mode="concat"), SERIES),
    "GaussianDropout": (lambda: layers.GaussianDropout(0.3), IMAGE),
    "GaussianNoise": (lambda: layers.GaussianNoise(0.3), IMAGE),
    "GlobalAveragePooling1D": (lambda: layers.GlobalAveragePooling1D(), SERIES),
    "GlobalAveragePooling2D": (
        lambda: layers.GlobalAveragePooling2D("channels_first", keepdims=True),
        IMAGE,
    ),
    "GlobalAveragePooling3D": (lambda: layers.GlobalAveragePooling3D(), VIDEO),
    "GlobalMaxPooling1D": (lambda: layers.GlobalMaxPooling1D(), SERIES),
    "GlobalMaxPooling2D": (lambda: layers.GlobalMaxPooling2D(), IMAGE),
    "GlobalMaxPooling3D": (lambda: layers.GlobalMaxPooling3D(), VIDEO),
    "GroupNormalization": (lambda: layers.GroupNormalization(2, epsilon=0.1), IMAGE),
    "Identity": (lambda: layers.Identity(), IMAGE),
    "LSTM": (lambda: layers.LSTM(3, recurrent_activation="hard_sigmoid"), SERIES),
    "LayerNormalization": (lambda: layers.LayerNormalization(epsilon=0.1), IMAGE),
    "LeakyReLU": (lambda: layers.LeakyReLU(negative_slope=0.4), IMAGE),
    "MaxPooling1D": (lambda: layers.MaxPooling1D(3, 2, "same"), SERIES),
    "MaxPooling2D": (lambda: layers.MaxPooling2D(3, 2, "same"), IMAGE),
    "MaxPooling3D": (lambda: layers.MaxPooling3D(2), VIDEO),
    "Maximum": (lambda: layers.Maximum(), IMAGE, IMAGE),
    "Minimum": (lambda: layers.Minimum(), IMAGE, IMAGE),
    "MultiHeadAttention": (
        lambda: layers.MultiHeadAttention(2, 3, output_shape=5),
        SERIES,
        SERIES,
    ),
    "Multiply": (lambda: layers.Multiply(), IMAGE, IMAGE),
    "Normalization": (
        lambda: layers.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[2.0] * 4),
        IMAGE,
    ),
    "PReLU": (lambda: layers.PReLU(shared_axes=(1, 2)), IMAGE),
    "Permute": (lambda: layers.Permute((3, 1, 2)), IMAGE),
    "ReLU": (lambda: layers.ReLU(1.0, negative_slope=0.1, threshold=0.2), IMAGE),
    "RepeatVector": (lambda: layers.RepeatVector(3), (4,)),
    "Rescaling": (lambda: layers.Rescaling([1.0, 2.0, 3.0, 4.0], offset=-1.0), IMAGE),
    "Reshape": (lambda: layers.Reshape((-1, 2)), IMAGE),
    "Resizing": (lambda: layers.Resizing(5, 14, crop_to_aspect_ratio=True), IMAGE),
    "SeparableConv1D": (lambda: layers.SeparableConv1D(3, 3, 2, "same"), SERIES),
    "SeparableConv2D": (
        lambda: layers.SeparableConv2D(3, 3, 2, "same", depth_multiplier=2),
        IMAGE,
    ),
    "SimpleRNN": (lambda: layers.SimpleRNN(3, go_backwards=True), SERIES),
    "Softmax": (lambda: layers.Softmax(axis=1), IMAGE),
    "SpatialDropout1D": (lambda: layers.SpatialDropout1D(0.3), SERIES),
    "SpatialDropout2D": (lambda: layers.SpatialDropout2D(0.3), IMAGE),
    "SpatialDropout3D": (lambda: layers.SpatialDropout3D(0.3), VIDEO),
    "Subtract": (lambda: layers.Subtract(), IMAGE, IMAGE),
    "TimeDistributed": (
        lambda: layers.TimeDistributed(
            keras.Sequential(
                [
                    keras.Input((4,)),
                    layers.Dense(3),
                    layers.BatchNormalization(),
                    layers.Dense(2),
                ]
            )
        ),
        SERIES,
    ),
    "UnitNormalization": (lambda: layers.UnitNormalization(axis=1), IMAGE),
    "UpSampling1D": (lambda: layers.UpSampling1D(2), SERIES),
    "UpSampling2D": (
        lambda: layers.UpSampling2D((2, 3), interpolation="bilinear"),
        IMAGE,
    ),
    "UpSampling3D": (lambda: layers.UpSampling3D((1, 2, 3)), VIDEO),
    "ZeroPadding1D": (lambda: layers.ZeroPadding1D((1, 2)), SERIES),
    "ZeroPadding2D": (lambda: layers.ZeroPadding2D(((1, 2), (0, 3))), IMAGE),
    "ZeroPadding3D": (lambda: layers.ZeroPadding3D(2), VIDEO),
}
