"""Constraints on the kernels of built models."""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import regularizers


def network():
    image = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, name="conv")(image)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.SeparableConv2D(5, 3, name="separable")(x)
    x = layers.Conv2DTranspose(3, 2, name="transposed")(x)
    x = layers.Dense(7, name="dense")(layers.Flatten()(x))
    return keras.Model(image, x)


def unit_norms(model):
    """Norms of the output units of all kernels, each summed as its layer multiplies."""
    norms = {}
    for layer in model.layers:
        for weight in layer.trainable_weights:
            w = keras.ops.convert_to_numpy(weight)
            name = f"{layer.name}/{weight.name}"
            if "bias" in name:
                continue
            if "depthwise" in name:
                norms[name] = np.sqrt(np.square(w).sum((0, 1)))
            elif "transposed/kernel" in name:
                norms[name] = np.sqrt(np.square(w).sum((0, 1, 3)))
            else:
                norms[name] = np.sqrt(np.square(w).sum(tuple(range(w.ndim - 1))))
    return norms


def trained(model, **kwargs):
    # At its usual scale a float16 network would leave out the first steps.
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), 4.0)
    model.compile(optimizer, "mse", **kwargs)
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 2)).astype("float32")
    model.fit(images, 5 * np.ones((4, 7)), verbose=0)
    return model


def test_K12_max_norm_of_keras_takes_a_kernel_of_a_convolution_for_a_matrix():
    ones = np.ones((3, 3, 4, 8), "float32")
    default = np.asarray(keras.constraints.MaxNorm(1.0)(ones))
    told = np.asarray(keras.constraints.MaxNorm(1.0, axis=[0, 1, 2])(ones))
    np.testing.assert_allclose(default.flat[0], 0.577, atol=1e-3)
    np.testing.assert_allclose(told.flat[0], 1 / 6, atol=1e-3)
    ours = np.asarray(regularizers.max_norm(1.0)(ones))
    np.testing.assert_allclose(ours, np.full(ones.shape, 1 / 6), 1e-6)


@pytest.mark.parametrize(
    ("axis", "others"),
    [(None, (0, 1, 2)), (-2, (0, 1, 3)), ((2, 3), (0, 1)), (0, (1, 2, 3))],
)
def test_constraints_bound_the_norm_of_each_unit(axis, others):
    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 5)).astype("float32")
    norms = np.sqrt(np.square(kernel).sum(others, keepdims=True))
    bound = float(np.median(norms))
    found = np.asarray(regularizers.max_norm(bound, axis=axis)(kernel))
    expected = kernel * np.minimum(1.0, bound / norms)
    np.testing.assert_allclose(found, expected, 1e-5)
    within = np.broadcast_to(norms < bound, kernel.shape)
    assert within.any()
    assert (found == kernel)[within].all()
    unit = np.asarray(regularizers.unit_norm(axis=axis)(kernel))
    np.testing.assert_allclose(unit, kernel / norms, 1e-5)


def test_a_unit_of_zeros_stays_one():
    zeros = np.zeros((3, 2), "float32")
    for constraint in (regularizers.max_norm(0.0), regularizers.unit_norm()):
        assert (np.asarray(constraint(zeros)) == 0).all()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_constraint_keeps_the_dtype(dtype):
    kernel = np.full((600, 2), 100.0, dtype)  # its squares are beyond float16
    for constraint in (regularizers.max_norm(1.0), regularizers.unit_norm()):
        found = constraint(keras.ops.convert_to_tensor(kernel))
        assert keras.backend.standardize_dtype(found.dtype) == dtype
        np.testing.assert_allclose(np.asarray(found), 600**-0.5, rtol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_every_kind_of_kernel_keeps_to_its_bound(policy):
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = network()
    finally:
        keras.config.set_dtype_policy(former)
    report = regularizers.constrain(model, regularizers.unit_norm())
    assert len(report.kernels) == 6
    assert not report.unsaved
    norms = unit_norms(trained(model, jit_compile=True))
    sizes = [4, 8, 8, 5, 3, 7]
    assert sorted(norm.size for norm in norms.values()) == sorted(sizes)
    for norm in norms.values():
        np.testing.assert_allclose(norm, 1.0, 1e-5)


def test_a_constraint_holds_in_a_model_that_has_trained_and_in_its_copies(tmp_path):
    model = trained(network())
    wide = max(norm.max() for norm in unit_norms(model).values())
    bound = 0.5 * wide
    regularizers.constrain(model, regularizers.max_norm(bound))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    copy = keras.models.clone_model(model)
    copy.set_weights([10 * weight for weight in copy.get_weights()])
    images = np.ones((4, 8, 8, 2), "float32")
    model.fit(images, np.ones((4, 7)), verbose=0)  # not compiled again
    for one in (model, trained(copy), trained(loaded)):
        norms = unit_norms(one)
        assert max(norm.max() for norm in norms.values()) < 1.0001 * bound


def test_a_layer_is_given_a_constraint_at_once():
    kernel = regularizers.max_norm(0.5, axis=-2)
    layer = layers.Conv2DTranspose(3, 2, kernel_constraint=kernel, name="transposed")
    layer.build((None, 4, 4, 2))
    w = np.asarray(layer.kernel.constraint(10 * np.ones(layer.kernel.shape, "float32")))
    np.testing.assert_allclose(np.sqrt(np.square(w).sum((0, 1, 3))), 0.5, 1e-5)


def test_an_axis_that_is_given_is_kept():
    model = network()
    constraint = regularizers.max_norm(1.0, axis=-1)
    report = regularizers.constrain(model, constraint, where="transposed")
    assert report.placed == (constraint,)


def test_constraints_replace_each_other_and_leave_penalties():
    model = network()
    regularizers.attach(model, regularizers.l2(0.1))
    regularizers.constrain(model, "non_neg", where="dense")
    report = regularizers.constrain(model, regularizers.max_norm(1.0), where="dense")
    assert report.replaced == {"dense/kernel": "NonNeg()"}
    assert str(report) == (
        "MaxNorm(max_value=1) on 1 kernel\n  dense/kernel, was NonNeg()"
    )
    assert len(model.losses) == 6
    report.undo()
    assert type(model.get_layer("dense").kernel_constraint).__name__ == "NonNeg"


@pytest.mark.parametrize(
    ("constraint", "error", "words"),
    [
        ("norm", ValueError, "Keras name of a constraint"),
        ("max_norm", ValueError, "an object, such as"),
        (0.1, TypeError, "of type Constraint"),
        (regularizers.l2(0.1), TypeError, "of type Constraint"),
        (
            regularizers.max_norm(1.0, axis=3),
            ValueError,
            "computable on `dense/kernel`",
        ),
    ],
)
def test_a_wrong_constraint_is_named_and_changes_nothing(constraint, error, words):
    model = network()
    with pytest.raises(
        error, match=rf"`constrain\(constraint=...\)` must be .*{words}"
    ):
        regularizers.constrain(model, constraint)
    assert model.get_layer("conv").kernel_constraint is None
