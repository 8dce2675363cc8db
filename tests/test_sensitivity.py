"""What a model loses if one of its layers is pruned, and that it is left as it was."""

import keras
import numpy as np
import pytest

from perfkit import compress

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6)).astype("float32")
Y = (X[:, :1] * 2.0).astype("float32")


def model_of():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", name="a"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5),
            layers.Dense(1, name="b"),
        ]
    )
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def state(model):
    values = [keras.ops.convert_to_numpy(v) for v in model.variables]
    return [np.array(value).tobytes() for value in values]


def mean_absolute_error(kernels):
    """By NumPy, of the model at inference."""
    first, second = kernels
    hidden = np.maximum(X @ first, 0) / np.sqrt(1 + 1e-3)
    return float(np.abs(hidden @ second - Y).mean())


def test_values_are_those_of_a_model_that_numpy_prunes_and_runs():
    model = model_of()
    before = state(model)
    found = compress.sensitivity(
        model, (X, Y), sparsities=(0.25, 0.75), metric="mae", verbose=False
    )
    assert state(model) == before
    kernels = [np.array(w) for w in (model.get_weights()[0], model.get_weights()[6])]
    assert found.baseline == pytest.approx(mean_absolute_error(kernels), rel=1e-4)
    for place, path in enumerate(("a/kernel", "b/kernel")):
        for share, value in zip((0.25, 0.75), found.values[path], strict=True):
            pruned = list(kernels)
            magnitudes = np.abs(kernels[place])
            cut = np.sort(magnitudes.ravel())[int(magnitudes.size * share)]
            pruned[place] = np.where(magnitudes >= cut, kernels[place], 0)
            assert value == pytest.approx(mean_absolute_error(pruned), rel=1e-4)
    assert found.weights == {"a/kernel": 48, "b/kernel": 8}
    assert model.layers[0].kernel.constraint is None


def test_the_report_is_a_table_a_dict_and_a_picture(tmp_path):
    found = compress.Sensitivity(
        "accuracy",
        0.9,
        (0.5, 0.9),
        {"a/kernel": (0.9, 0.85), "b/kernel": (0.8, 0.2)},
        {"a/kernel": 1000, "b/kernel": 10},
        {},
    )
    assert found.order == ("b/kernel", "a/kernel")
    assert found.changes["b/kernel"] == pytest.approx((-0.1, -0.7))
    assert str(found).splitlines() == [
        "accuracy 0.9; change if only one is pruned",
        "                weights      50%      90%",
        "  b/kernel           10  -0.1000  -0.7000",
        "  a/kernel        1,000  +0.0000  -0.0500",
    ]
    figure = found.show()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        "a/kernel",
        "b/kernel",
    ]
    assert found.show(size=(3, 2))._repr_png_()[:4] == b"\x89PNG"
    found.show(tmp_path / "found.png")
    assert (tmp_path / "found.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match=r"show\(path=...\).*an existing folder"):
        found.show(tmp_path / "missing" / "found.png")


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        part = slice(16 * index, 16 * index + 16)
        return X[part], Y[part]


def test_data_sets_weights_and_functions_are_taken():
    model = model_of()
    options = {"sparsities": (0.5,), "where": "b", "verbose": False}
    by_arrays = compress.sensitivity(model, (X, Y), **options)
    by_batches = compress.sensitivity(model, Batches(), **options)
    assert by_arrays.metric == "mae"
    for one, other in zip(by_arrays.values, by_batches.values, strict=True):
        assert by_arrays.values[one] == pytest.approx(by_batches.values[other])
    counted = compress.sensitivity(
        model,
        None,
        metric=lambda model: (np.array(model.get_weights()[6]) == 0).sum(),
        **options,
    )
    assert (counted.baseline, counted.values) == (0.0, {"b/kernel": (4.0,)})
    weights = np.zeros(64)
    weighted = compress.sensitivity(model, (X, Y, weights), metric="loss", **options)
    assert weighted.values == {"b/kernel": (0.0,)}


def test_broken_off_it_leaves_the_model_as_it_was():
    model = model_of()
    model.fit(X, Y, verbose=0)
    before = state(model)
    calls = []

    class Stops(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            calls.append(index)
            if len(calls) > 10:
                raise RuntimeError("power cut")
            return X[:16], Y[:16]

    with pytest.raises(Exception, match="power cut"):  # TensorFlow has its own
        compress.sensitivity(model, Stops(), verbose=False)
    assert state(model) == before
    names = []
    seen = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: names.append(seen.model.name)
    )
    model.fit(X, Y, verbose=0, epochs=0, callbacks=[seen])
    assert state(model) == before


def test_masks_that_are_there_stay():
    model = model_of()
    compress.prune(model, 0.25)
    before = state(model)
    compress.sensitivity(model, (X, Y), sparsities=(0.5,), verbose=False)
    assert state(model) == before
    model.fit(X, Y, verbose=0)
    assert (np.array(model.get_weights()[0]) == 0).sum() == 12


@pytest.mark.parametrize(
    ("arguments", "name", "error"),
    [
        ({"sparsities": ()}, "sparsities", ValueError),
        ({"sparsities": (0.5, 0.3)}, "sparsities", ValueError),
        ({"sparsities": (0.0, 0.5)}, "sparsities", ValueError),
        ({"sparsities": 0.5}, "sparsities", ValueError),
        ({"pattern": "2:4"}, "sparsities", ValueError),
        ({"metric": "accuracy"}, "metric", ValueError),
        ({"metric": 3}, "metric", TypeError),
        ({"metric": lambda model: "good"}, "metric", TypeError),
        ({"data": None}, "data", TypeError),
        ({"data": (X,)}, "data", TypeError),
        ({"where": "norm"}, "where", ValueError),
        ({"batch_size": 0}, "batch_size", ValueError),
        ({"verbose": 2}, "verbose", TypeError),
    ],
)
def test_wrong_arguments(arguments, name, error):
    model = model_of()
    before = state(model)
    with pytest.raises(error, match=rf"sensitivity\({name}=...\)` must be "):
        compress.sensitivity(**{"model": model, "data": (X, Y), **arguments})
    assert state(model) == before


def test_data_without_labels_are_refused():
    model = model_of()
    batches = pytest.importorskip("tensorflow").data.Dataset.from_tensor_slices(X)
    for bare in (X, {"x": X}, batches.batch(8)):
        with pytest.raises(TypeError, match=r"sensitivity\(data=...\).* with labels"):
            compress.sensitivity(model, bare)


def test_a_model_that_is_not_compiled_is_refused_without_a_function():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"sensitivity\(model=...\).*`metric`"):
        compress.sensitivity(model, (X, Y))
