"""What penalties are, against NumPy."""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import regularizers

slow = pytest.mark.slow

# Kernels of layers, the axis of their output units, and the matrix that they are.
KERNELS = {
    "dense": ((6, 4), None, lambda w: w),
    "wide": ((4, 6), None, lambda w: w),
    "conv 1d": ((3, 2, 5), None, lambda w: w.reshape(6, 5)),
    "conv 2d": ((3, 3, 2, 5), -1, lambda w: w.reshape(18, 5)),
    "conv 3d": ((2, 2, 2, 3, 4), None, lambda w: w.reshape(24, 4)),
    "depthwise": ((3, 3, 4, 2), (-2, -1), lambda w: w.reshape(9, 8)),
    "transposed": ((3, 3, 5, 2), -2, lambda w: w.swapaxes(2, 3).reshape(18, 5)),
    "first": ((7, 3), 0, lambda w: w.T),
}


def kernel_of(shape):
    return np.random.default_rng(3).normal(0.0, 0.5, shape).astype("float32")


def gradient(function, x):
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    import tensorflow as tf

    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x).numpy()


def soft(matrix):
    return np.sum((matrix.T @ matrix - np.eye(matrix.shape[1])) ** 2)


def smaller(matrix):
    return matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T


ORACLES = {
    "soft": lambda m: soft(smaller(m)),
    "double_soft": lambda m: soft(m) + soft(m.T),
    "srip": lambda m: np.abs(np.linalg.svd(m)[1] ** 2 - 1.0).max(),
    "spectral": lambda m: np.linalg.svd(m)[1][0] ** 2,
    "group_lasso": lambda m: sum(
        np.sqrt(len(unit)) * np.linalg.norm(unit) for unit in m.T
    ),
}


def penalty_of(kind, strength, **kwargs):
    if kind == "group_lasso":
        return regularizers.group_lasso(strength, **kwargs)
    if kind == "spectral":
        return regularizers.spectral(strength, steps=300, **kwargs)
    return regularizers.orthogonal(strength, kind, steps=300, **kwargs)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("kind", ORACLES)
def test_a_penalty_is_that_of_the_matrix(kind, name):
    shape, axis, matrix = KERNELS[name]
    kernel = kernel_of(shape)
    found = penalty_of(kind, 0.3, axis=axis)(kernel)
    expected = 0.3 * ORACLES[kind](matrix(kernel).astype("float64"))
    np.testing.assert_allclose(float(found), expected, rtol=2e-4)


@pytest.mark.parametrize("kind", ORACLES)
def test_the_gradient_is_that_of_the_closed_form(kind):
    kernel = kernel_of((3, 3, 2, 5))
    w = kernel.reshape(18, 5).astype("float64")
    u, s, v = np.linalg.svd(w, full_matrices=False)
    worst = np.argmax(np.abs(s**2 - 1.0))
    gap = w @ (w.T @ w - np.eye(5))
    expected = {
        "soft": 4.0 * gap,
        "double_soft": 8.0 * gap,
        "srip": 2.0
        * np.sign(s[worst] - 1)
        * s[worst]
        * np.outer(u[:, worst], v[worst]),
        "spectral": 2.0 * s[0] * np.outer(u[:, 0], v[0]),
        "group_lasso": np.sqrt(18.0) * w / np.linalg.norm(w, axis=0),
    }[kind]
    found = gradient(penalty_of(kind, 1.0), kernel).reshape(18, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-3)


def orthonormal(rows, columns):
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(rows, rows)))[0]
    return q[:, :columns].astype("float32")


@pytest.mark.parametrize("mode", ["soft", "srip"])
@pytest.mark.parametrize("kernel", [orthonormal(8, 3), orthonormal(8, 3).T, np.eye(4)])
def test_orthonormal_units_cost_nothing(mode, kernel):
    penalty = regularizers.orthogonal(1.0, mode)
    kernel = kernel.astype("float32")
    assert float(penalty(kernel)) < 1e-5
    assert float(penalty(1.1 * kernel)) > 0.1
    assert np.isfinite(gradient(penalty, kernel)).all()


@pytest.mark.parametrize("kind", ORACLES)
def test_gradients_at_zero_are_finite(kind):
    kernel = kernel_of((3, 3, 2, 5))
    kernel[..., 1] = 0.0
    for where in (kernel, np.zeros_like(kernel)):
        found = gradient(penalty_of(kind, 1.0), where)
        assert np.isfinite(found).all()
        assert (found[..., 1] == 0.0).all()


def test_units_of_zeros_do_not_stop_the_others():
    kernel = kernel_of((3, 2))
    kernel[:, 0] = 0.0
    found = gradient(regularizers.group_lasso(1.0), kernel)
    unit = kernel[:, 1]
    np.testing.assert_allclose(
        found[:, 1], np.sqrt(3) * unit / np.linalg.norm(unit), 1e-5
    )


def test_ten_steps_are_near_the_singular_value_and_never_above():
    for seed in range(5):
        kernel = np.random.default_rng(seed).normal(size=(288, 64)).astype("float32")
        exact = np.linalg.svd(kernel)[1][0] ** 2
        found = float(regularizers.spectral(1.0)(kernel))
        assert 0.85 * exact < found < 1.0001 * exact


def test_single_weights():
    kernel = kernel_of((3, 4))
    size, squares = np.abs(kernel).sum(), np.square(kernel).sum()
    l1, l2 = regularizers.l1(0.1), regularizers.l2(0.2)
    both = regularizers.l1_l2(0.1, 0.2)
    assert (type(l1), type(l2)) == (keras.regularizers.L1, keras.regularizers.L2)
    np.testing.assert_allclose(float(l1(kernel)), 0.1 * size, 1e-5)
    np.testing.assert_allclose(float(l2(kernel)), 0.2 * squares, 1e-5)
    np.testing.assert_allclose(float(both(kernel)), 0.1 * size + 0.2 * squares, 1e-5)


def test_strengths_change_with_the_depth_in_a_straight_line():
    function = regularizers.by_depth((0.1, 0.0), 0.4)
    for depth in (0.0, 0.25, 1.0):
        at = function(depth)
        np.testing.assert_allclose(
            [float(at.l1), float(at.l2)], [0.1 * (1 - depth), 0.4 * depth], atol=1e-6
        )


def test_K12_orthogonality_of_keras_takes_matrices_alone():
    kernel = kernel_of((3, 3, 2, 5))
    with pytest.raises(ValueError, match="rank"):
        keras.regularizers.OrthogonalRegularizer(0.1)(kernel)
    assert float(regularizers.orthogonal(0.1)(kernel)) > 0.1


PENALTIES = {
    "soft": lambda: regularizers.orthogonal(0.05),
    "double_soft": lambda: regularizers.orthogonal(0.05, "double_soft"),
    "srip": lambda: regularizers.orthogonal(0.05, "srip", steps=3),
    "spectral": lambda: regularizers.spectral(0.05, steps=4),
    "group_lasso": lambda: regularizers.group_lasso(0.05),
    "by_depth": lambda: regularizers.by_depth((0.1, 0.0), 0.2),
}


def network():
    image = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, name="conv")(image)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.SeparableConv2D(4, 3, name="separable")(x)
    x = layers.Conv2DTranspose(3, 2, name="transposed")(x)
    x = layers.Dense(4, name="dense")(layers.Flatten()(x))
    return keras.Model(image, x)


def total(model):
    return sum(float(loss) for loss in model.losses)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in ("srip", "by_depth") else pytest.param(kind, marks=slow)
        for kind in PENALTIES
    ],
)
def test_a_penalty_attached_to_a_model_trains_in_float16_and_is_saved(kind, tmp_path):
    with_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = network()
    finally:
        keras.config.set_dtype_policy(with_policy)
    report = regularizers.attach(model, PENALTIES[kind]())
    assert len(report.kernels) == 6
    assert not report.unsaved
    assert {keras.backend.standardize_dtype(x.dtype) for x in model.losses} == {
        "float32"
    }
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 2)).astype("float32")
    # At its usual scale the first steps overflow, and are left out.
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05), 4.0)
    model.compile(optimizer, "mse", jit_compile=True)
    before = total(model)
    outputs = np.asarray(keras.ops.cast(model(images), "float32"))
    model.fit(images, outputs, epochs=3, verbose=0)  # little gradient but the penalty's
    assert 0 < total(model) < before
    assert len(keras.models.clone_model(model).losses) == 6
    model.save(tmp_path / "model.keras", include_optimizer=False)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(total(loaded), total(model), 1e-4)


def test_a_half_kernel_is_summed_up_in_float32():
    kernel = np.full((64, 64), 30.0, "float16")  # a sum of squares of 3.7e6
    found = float(regularizers.group_lasso(1.0)(kernel))
    np.testing.assert_allclose(found, 64 * 8 * 240.0, 1e-3)
    assert np.isfinite(float(regularizers.spectral(1.0)(kernel)))


@pytest.mark.parametrize("kind", list(PENALTIES)[:-1])
def test_a_penalty_is_what_its_config_says(kind):
    penalty = PENALTIES[kind]()
    assert not isinstance(penalty.get_config().get("axis"), list)
    for axis in (None, -2, (-2, -1)):
        config = {**penalty.get_config(), "axis": axis}
        kernel = kernel_of((3, 3, 2, 5))
        made = type(penalty).from_config(config)
        stored = keras.saving.serialize_keras_object(made)
        again = keras.regularizers.get(stored)
        assert again.get_config() == config
        np.testing.assert_allclose(float(again(kernel)), float(made(kernel)), 1e-6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: regularizers.l1(-1), r"l1\(strength=...\)` must be a finite number"),
        (lambda: regularizers.l2("x"), r"l2\(strength=...\)` must be a finite number"),
        (lambda: regularizers.l1_l2(0, -1), r"l1_l2\(l2=...\)` must be"),
        (lambda: regularizers.orthogonal(-1), r"orthogonal\(strength=...\)` must be"),
        (lambda: regularizers.orthogonal(1, "hard"), r"mode=...\)` must be one of"),
        (lambda: regularizers.orthogonal(1, steps=0), r"orthogonal\(steps=...\)` must"),
        (lambda: regularizers.spectral(1, steps=0), r"spectral\(steps=...\)` must be"),
        (lambda: regularizers.group_lasso(1, axis=1.5), r"group_lasso\(axis=...\)` mu"),
        (lambda: regularizers.group_lasso(1, axis=(1, 1)), r"axis=...\)` must be diff"),
        (lambda: regularizers.by_depth(0, -1), r"by_depth\(last=...\)` must be"),
        (lambda: regularizers.by_depth((1, 2, 3), 0), r"by_depth\(first=...\)` must"),
        (lambda: regularizers.max_norm(-1), r"max_norm\(max_value=...\)` must be"),
        (lambda: regularizers.unit_norm(axis="last"), r"unit_norm\(axis=...\)` must"),
    ],
)
def test_a_wrong_argument_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_penalty_by_depth_is_no_regularizer_of_a_layer():
    with pytest.raises(TypeError, match="to `attach`, no layer"):
        regularizers.by_depth(0, 1)(keras.ops.ones((3, 1)))  # as a layer would call it
