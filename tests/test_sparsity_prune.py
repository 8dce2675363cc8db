"""Pruning at once: which weights, who keeps the zeros, files, clones."""

import keras
import numpy as np
import pytest

from perfkit import compress, regularizers
from perfkit.compress.sparsity._masked import Masked
from tests.sparse_models import numpy

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 6)).astype("float32")
Y = RNG.normal(size=(32, 3)).astype("float32")
IMAGES = RNG.normal(size=(16, 8, 8, 3)).astype("float32")


def dense_model(**options):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, activation="relu", name="a", **options),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(3, name="b"),
        ]
    )


def image_model():
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, name="conv", activation="relu")(inputs)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.SeparableConv2D(8, 3, name="separable")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, name="out")(x))


def trained(model, x=X, y=Y, **options):
    model.compile(keras.optimizers.Adam(0.05), "mse", **options)
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    return model


def zeros(variable):
    return int((numpy(variable) == 0).sum())


# Which weights


def test_the_smallest_of_each_kernel_are_zero_and_nothing_else_changes():
    model = dense_model()
    before = model.get_weights()
    report = compress.prune(model, 0.75)
    for old, variable in zip(before, model.weights, strict=True):
        if variable.name == "kernel":
            cut = np.sort(np.abs(old).ravel())[old.size * 3 // 4]
            expected = np.where(np.abs(old) >= cut, old, 0)
        else:
            expected = old
        np.testing.assert_array_equal(numpy(variable), expected)
    assert {kernel.path: kernel.zeros for kernel in report.kernels} == {
        "a/kernel": 36,
        "b/kernel": 18,
    }
    assert (report.zeros, report.weights, report.sparsity) == (54, 72, 0.75)


def test_a_constant_kernel_gets_exactly_the_sparsity():
    model = dense_model(kernel_initializer="ones")
    compress.prune(model, 0.8, where="a")
    kernel = numpy(model.get_layer("a").kernel)
    assert (kernel == 0).sum() == 48 - round(48 * 0.2)
    assert not np.signbit(kernel).any()


def test_a_global_threshold_is_one_for_all_kernels():
    model = dense_model()
    model.get_layer("b").kernel.assign(10 * numpy(model.get_layer("b").kernel))
    before = np.concatenate([numpy(model.get_layer(n).kernel).ravel() for n in "ab"])
    compress.prune(model, 0.5, scope="global")
    after = np.concatenate([numpy(model.get_layer(n).kernel).ravel() for n in "ab"])
    cut = np.sort(np.abs(before))[36]
    np.testing.assert_array_equal(after, np.where(np.abs(before) >= cut, before, 0))
    assert zeros(model.get_layer("a").kernel) > 30


def test_a_criterion_of_ones_own_decides():
    model = dense_model()
    scores = {"a": RNG.random((6, 8)), "b": RNG.random((8, 3))}
    compress.prune(model, 0.5, criterion=lambda v: scores[v.path.split("/")[-2]])
    for name, score in scores.items():
        mask = numpy(model.get_layer(name).kernel) != 0
        np.testing.assert_array_equal(
            mask, score >= np.sort(score.ravel())[mask.size // 2]
        )


def test_embeddings_and_depthwise_kernels_are_left_out_unless_selected():
    model = image_model()
    report = compress.prune(model, 0.5)
    assert [kernel.path for kernel in report.kernels] == [
        "conv/kernel",
        "separable/pointwise_kernel",
        "out/kernel",
    ]
    assert set(report.left_out) == {"depthwise/kernel", "separable/depthwise_kernel"}
    assert "depthwise/kernel: left out unless" in str(report)
    compress.prune(model, 0.5, where="depthwise")
    assert zeros(model.get_layer("depthwise").kernel) == 36
    table = keras.Sequential([keras.Input((4,)), keras.layers.Embedding(9, 4)])
    with pytest.raises(ValueError, match="unlike any in this model"):
        compress.prune(table, 0.5)
    compress.prune(table, 0.5, where=keras.layers.Embedding)
    assert zeros(table.layers[0].embeddings) == 18


def test_what_cannot_be_pruned_is_named_all_at_once_or_reported():
    model = image_model()
    where = ["depthwise", "out", "separable"]
    with pytest.raises(ValueError, match=r"prune\(where=...\)") as told:
        compress.prune(model, pattern="2:4", where=where)
    for path in ("depthwise/kernel", "separable/depthwise_kernel"):
        assert path in str(told.value)
    assert "out/kernel" not in str(told.value).partition("Received")[0]
    assert not any(zeros(weight) for weight in model.weights if "kernel" in weight.name)
    report = compress.prune(model, pattern="2:4", where=where, strict=False)
    assert len(report.kernels) == 2
    assert "one input channel" in report.left_out["depthwise/kernel"]


def test_what_a_pattern_does_not_fit_is_left_out_unless_it_was_asked_for():
    layers = keras.layers
    stem, middle = layers.Conv2D(4, 3, name="stem"), layers.Conv2D(4, 3, name="middle")
    model = keras.Sequential([keras.Input((8, 8, 1)), stem, middle])
    report = compress.prune(model, pattern="2:4")
    assert [kernel.path for kernel in report.kernels] == ["middle/kernel"]
    assert report.left_out == {"stem/kernel": "1 input channel, where 2 of 4 stay"}
    with pytest.raises(ValueError, match=r"prune\(where=...\).*stem/kernel \(1 input"):
        compress.prune(model, pattern="2:4", where=["stem", "middle"])
    alone = keras.Sequential([keras.Input((8, 8, 1)), stem])
    with pytest.raises(ValueError, match=r"unlike stem/kernel \(1 input channel"):
        compress.prune(alone, pattern="2:4")


def test_a_layer_without_a_kernel_is_named_and_one_that_is_not_there_is_an_error():
    model = dense_model()
    with pytest.raises(ValueError, match=r"norm \(owns no kernel\)"):
        compress.prune(model, 0.5, where=["a", "norm"])
    report = compress.prune(model, 0.5, where=["a", "norm"], strict=False)
    assert report.left_out == {"norm": "owns no kernel"}
    for strict in (True, False):
        with pytest.raises(ValueError, match=r"a, b. Received: where='c'"):
            compress.prune(model, 0.5, where=["a", "c"], strict=strict)


def test_a_kernel_with_an_adapter_is_named():
    model = dense_model()
    model.get_layer("a").enable_lora(2)
    with pytest.raises(ValueError, match=r"a/kernel \(the layer multiplies by"):
        compress.prune(model, 0.5)


# Models of every kind


class Block(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = keras.layers.Dense(6, name="first")
        self.norm = keras.layers.LayerNormalization(name="norm")

    def build(self, shape):
        self.first.build(shape)
        self.norm.build(shape)
        self.mixer = self.add_weight(shape=(6, 6), name="mixer")

    def call(self, x):
        x = keras.ops.matmul(self.norm(self.first(x)), self.mixer)
        return self.first(x)  # shared


def test_subclassed_models_and_matrices_of_their_own():
    model = Block()
    model(X)
    report = compress.prune(model, 0.5)
    assert [kernel.path for kernel in report.kernels] == ["first/kernel"]
    assert "name the layer" in report.left_out["mixer"]
    trained(model, X, X)
    assert zeros(model.first.kernel) == 18


def test_nested_models_of_several_outputs_and_shared_layers():
    inner = dense_model()
    one, two = keras.Input((6,)), keras.Input((6,))
    outputs = [keras.layers.Dense(2, name="head")(inner(one)), inner(two)]
    model = keras.Model([one, two], outputs)
    report = compress.prune(model, 0.5)
    paths = [kernel.path.split("/", 1)[-1] for kernel in report.kernels]
    assert sorted(paths) == ["a/kernel", "b/kernel", "kernel"]
    trained(model, [X, X], [Y[:, :2], Y])
    assert zeros(inner.get_layer("a").kernel) == 24
    assert zeros(model.get_layer("head").kernel) == 3


def test_half_precision_kernels_are_pruned_exactly():
    keras.config.set_dtype_policy("float16")
    try:
        model = dense_model(kernel_initializer="ones")
    finally:
        keras.config.set_dtype_policy("float32")
    compress.prune(model, 0.75)
    kernel = model.get_layer("a").kernel
    assert numpy(kernel).dtype == "float16"
    assert zeros(kernel) == 36


# Who keeps the zeros


@pytest.mark.parametrize("jit", [False, True])
def test_zeros_stay_zeros_while_all_else_learns(jit):
    model = dense_model()
    compress.prune(model, 0.5)
    before = numpy(model.get_layer("a").kernel)
    trained(model, jit_compile=jit)
    after = numpy(model.get_layer("a").kernel)
    np.testing.assert_array_equal(after == 0, before == 0)
    assert (after != before)[before != 0].mean() > 0.5  # not those of dead units
    assert not np.signbit(after[after == 0]).any()


def test_a_model_that_has_trained_notices_that_it_is_pruned_and_stripped():
    model = trained(dense_model())
    compress.prune(model, 0.5)
    model.fit(X, Y, batch_size=8, verbose=0)
    assert zeros(model.get_layer("a").kernel) == 24
    report = compress.strip_pruning(model, where="a")
    assert [kernel.path for kernel in report.kernels] == ["a/kernel"]
    model.fit(X, Y, batch_size=8, verbose=0)
    assert zeros(model.get_layer("a").kernel) == 0
    assert zeros(model.get_layer("b").kernel) == 12
    assert [k.path for k in compress.strip_pruning(model).kernels] == ["b/kernel"]
    with pytest.raises(ValueError, match=r"strip_pruning\(model=...\).*masks"):
        compress.strip_pruning(model)


def test_zeros_stay_when_the_model_is_trained_inside_another():
    student = dense_model()
    compress.prune(student, 0.5)
    inputs = keras.Input((6,))
    trained(keras.Model(inputs, student(2.0 * inputs)))
    assert zeros(student.get_layer("a").kernel) == 24


def test_the_constraint_that_was_there_is_kept_and_sees_zeros_in_their_place():
    own = keras.constraints.UnitNorm(axis=0)
    model = dense_model(kernel_constraint=own)
    compress.prune(model, 0.5, where="a")
    compress.prune(model, 0.75, where="a")
    trained(model)
    kernel = numpy(model.get_layer("a").kernel)
    assert (kernel == 0).sum() == 36
    norms = np.linalg.norm(kernel, axis=0)
    np.testing.assert_allclose(norms[norms > 0], 1.0, rtol=1e-5)
    compress.strip_pruning(model)
    assert model.get_layer("a").kernel.constraint is own


class Shifted(keras.constraints.Constraint):
    def __call__(self, w):
        return w + 1.0


def test_a_constraint_that_moves_zeros_does_not_win():
    model = dense_model(kernel_constraint=Shifted())
    compress.prune(model, 0.5, where="a")
    trained(model)
    assert zeros(model.get_layer("a").kernel) == 24


def test_a_penalty_or_constraint_put_on_later_is_taken_off_again():
    model = dense_model()
    compress.prune(model, 0.5)
    attached = regularizers.constrain(model, regularizers.max_norm(1.0), where="a")
    attached.undo()
    assert isinstance(model.get_layer("a").kernel.constraint, Masked)
    trained(model)
    assert zeros(model.get_layer("a").kernel) == 24


def test_clones_and_files_have_zeros_and_the_constraints_of_their_layers(tmp_path):
    model = dense_model(kernel_constraint=keras.constraints.MaxNorm(2.0))
    compress.prune(model, 0.5)
    trained(model)
    model.save(tmp_path / "m.keras")
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for again in (keras.models.load_model(tmp_path / "m.keras"), copy):
        kernel = again.get_layer("a").kernel
        assert type(kernel.constraint) is keras.constraints.MaxNorm
        np.testing.assert_array_equal(numpy(kernel), numpy(model.get_layer("a").kernel))
        assert compress.hold_zeros(again).zeros == 36
        trained(again)
        assert zeros(kernel) == 24


def test_a_mask_has_no_config():
    model = dense_model()
    compress.prune(model, 0.5)
    with pytest.raises(NotImplementedError, match="in the zeros"):
        model.get_layer("a").kernel.constraint.get_config()


def test_holding_zeros_leaves_kernels_without_any_alone():
    model = dense_model()
    with pytest.raises(
        ValueError, match=r"hold_zeros\(model=...\).*a/kernel, b/kernel"
    ):
        compress.hold_zeros(model)
    model.get_layer("b").kernel.assign(np.eye(8, 3))
    report = compress.hold_zeros(model)
    assert [kernel.path for kernel in report.kernels] == ["b/kernel"]
    assert model.get_layer("a").kernel.constraint is None
    with pytest.raises(ValueError, match=r"hold_zeros\(where=...\).*, unlike a/kernel"):
        compress.hold_zeros(model, where="a")
    with pytest.raises(ValueError, match=r"strip_pruning\(where=...\).*: b/kernel"):
        compress.strip_pruning(model, where="a")


@pytest.mark.parametrize("back", [compress.hold_zeros, compress.strip_pruning])
def test_zeros_that_averages_of_keras_went_over_come_back_from_the_masks(back):
    model = dense_model()
    compress.prune(model, 0.5)
    kernel = model.get_layer("a").kernel
    model.compile(keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5), "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    assert zeros(kernel) < 24  # Keras assigns past the constraint
    assert back(model).sparsity == 0.5
    assert zeros(kernel) == 24


# Wrong arguments


@pytest.mark.parametrize(
    ("arguments", "name", "error"),
    [
        ({"sparsity": 1.0}, "sparsity", ValueError),
        ({"sparsity": "half"}, "sparsity", ValueError),
        ({"sparsity": 0.8, "pattern": "2:4"}, "sparsity", ValueError),
        ({"pattern": "blocks"}, "pattern", ValueError),
        ({"pattern": 4}, "pattern", ValueError),
        ({"pattern": "4:2"}, "pattern", ValueError),
        ({"scope": "model"}, "scope", ValueError),
        ({"scope": "global", "pattern": "2:4"}, "scope", ValueError),
        ({"criterion": "movement"}, "criterion", ValueError),
        ({"criterion": lambda kernel: np.ones(3)}, "criterion", ValueError),
        ({"criterion": lambda kernel: kernel * np.nan}, "criterion", ValueError),
        ({"where": 3}, "where", TypeError),
        ({"strict": 1}, "strict", TypeError),
        ({"pattern": compress.Block((8, 8))}, "where", ValueError),
    ],
)
def test_wrong_arguments_change_nothing(arguments, name, error):
    model = dense_model()
    with pytest.raises(error, match=rf"\({name}=...\)` must be "):
        compress.prune(model, **arguments)
    assert zeros(model.get_layer("a").kernel) == 0
    assert model.get_layer("a").kernel.constraint is None


def test_wrong_models():
    with pytest.raises(TypeError, match=r"prune\(model=...\)"):
        compress.prune("model")
    with pytest.raises(ValueError, match="a built model"):
        compress.prune(keras.Sequential([keras.layers.Dense(2)]))
    model = dense_model()
    model.get_layer("b").kernel.assign(np.full((8, 3), np.nan))
    with pytest.raises(ValueError, match=r"prune\(model=...\).*unlike `b/kernel`"):
        compress.prune(model)
    assert zeros(model.get_layer("a").kernel) == 0
