"""Models with adapters, and adapters alone, written to files and read again."""

import io
import os

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import transfer
from tests.tuned_models import LABELS, compiled, far, made, outputs, trained, values

EVERYTHING = ["*"]


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def tune(name, method, **arguments):
    model, x = made(name)
    transfer.adapt(model, method, train="head", **arguments)
    return model, x


def same(values, others):
    for one, other in zip(values, others, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        slow("text", transfer.DoRA(2)),
        slow("text", transfer.LoRA(2)),
        slow("subclassed", transfer.LoRA(2)),
        slow("images", transfer.DoRA(2)),
    ],
    ids=str,
)
def test_a_run_that_is_saved_and_loaded_goes_on_as_if_it_had_not_been(
    name, method, tmp_path
):
    model, x = tune(name, method, where=EVERYTHING)
    compiled(model)
    fit = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model.fit(x, LABELS, epochs=1, **fit)
    model.save(tmp_path / "model.keras")
    keras.utils.set_random_seed(5)  # loading makes names and values of its own
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    paths = [weight.path.split("/")[-1] for weight in model.trainable_weights]
    assert [w.path.split("/")[-1] for w in loaded.trainable_weights] == paths
    same(values(model.weights), values(loaded.weights))
    same(values(model.optimizer.variables), values(loaded.optimizer.variables))
    for old, new in zip(model.variables, loaded.variables, strict=True):
        if "seed" in old.path:  # which Keras does not save
            new.assign(np.copy(old))  # JAX gives away what both would hold
    model.fit(x, LABELS, epochs=1, **fit)
    loaded.fit(x, LABELS, epochs=1, **fit)
    for old, new in zip(values(model.weights), values(loaded.weights), strict=True):
        np.testing.assert_allclose(old, new, rtol=1e-5, atol=1e-6)
    transfer.unload(loaded)
    assert len(loaded.trainable_weights) == len(
        transfer.unload(model).trainable_weights
    )


@pytest.mark.parametrize("name", ["subclassed", slow("text"), slow("images")])
@pytest.mark.filterwarnings("ignore:`build:UserWarning")  # Keras, of a plain `Block`
def test_a_merged_model_is_saved_as_a_plain_one(name, tmp_path):
    model, x = tune(name, transfer.LoRA(2))
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1)
    transfer.merge(model).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(model, x), outputs(loaded, x))
    assert "perfkit" not in loaded.to_json()


def test_the_weights_of_a_base_have_the_same_places_in_files_with_adapters(tmp_path):
    model, x = made("text")
    first = outputs(model, x)
    model.save_weights(tmp_path / "base.weights.h5")
    other, _ = made("text")
    for weight in other.weights:
        weight.assign(weight + 1.0)
    transfer.adapt(other, transfer.LoRA(2))
    with pytest.warns(UserWarning, match="LowRank"):
        other.load_weights(tmp_path / "base.weights.h5", skip_mismatch=True)
    transfer.unload(other)
    np.testing.assert_array_equal(first, outputs(other, x))


@pytest.mark.parametrize("method", [transfer.LoRA(2), transfer.DoRA(2)], ids=str)
def test_a_matrix_of_a_name_of_ones_own_is_adapted(method, tmp_path):
    model, x = made("own")
    matrix = model.get_layer("own").matrix
    before, first = np.array(matrix), outputs(model, x)
    transfer.adapt(model, method, where="own")
    learnt = values(model.trainable_weights)
    trained(model, x)
    for old, new in zip(learnt, values(model.trainable_weights), strict=True):
        assert np.abs(old - new).max() > 0
    tuned = outputs(model, x)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(tuned, outputs(loaded, x))
    assert far(tuned, outputs(transfer.merge(loaded), x)) < 1e-6
    transfer.unload(model)
    np.testing.assert_array_equal(np.array(matrix), before)
    np.testing.assert_array_equal(outputs(model, x), first)


def test_a_clone_has_adapters_and_what_learns():
    model, _ = tune("text", transfer.DoRA(2))
    clone = keras.models.clone_model(model)
    shapes = [tuple(weight.shape) for weight in model.trainable_weights]
    assert [tuple(weight.shape) for weight in clone.trainable_weights] == shapes
    assert len(clone.weights) == len(model.weights)


def test_a_model_can_be_loaded_without_compiling_it(tmp_path):
    model, _ = tune("subclassed", transfer.LoRA(2))
    compiled(model).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert not loaded.compiled
    assert len(loaded.trainable_weights) == len(model.trainable_weights)


def test_a_wrapper_that_saves_its_layer_has_one_adapter(tmp_path):
    dense = layers.Dense(3, name="inner")
    model = keras.Sequential([keras.Input((4, 5)), layers.TimeDistributed(dense)])
    transfer.adapt(model, transfer.LoRA(2))
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1)
    x = np.ones((1, 4, 5))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(model, x), outputs(loaded, x))
    assert len(loaded.weights) == len(model.weights) == 4


@pytest.mark.parametrize("name", ["text", "images", slow("subclassed")])
def test_an_adapter_file_makes_a_fresh_base_the_tuned_model(name, tmp_path):
    path = tmp_path / "task.npz"
    model, x = tune(name, transfer.DoRA(2, alpha=3))
    numbers = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1 * numbers.normal(size=weight.shape))
    transfer.save_adapter(model, path)
    base, _ = made(name)
    head = base.get_layer("head").weights[0]
    head.assign(np.zeros(head.shape))
    report = transfer.load_adapter(base, path)
    np.testing.assert_array_equal(outputs(model, x), outputs(base, x))
    assert len(base.trainable_weights) == len(model.trainable_weights)
    assert "DoRA(rank=2, alpha=3)" in report.places.values()
    with np.load(path) as file:
        assert sum(file[name].size for name in file.files if name != "text") == (
            sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        )
    transfer.load_adapter(base, path)  # and again, on itself
    np.testing.assert_array_equal(outputs(model, x), outputs(base, x))


def test_an_adapter_file_has_statistics_that_were_trained(tmp_path):
    model, x = made("images")
    transfer.adapt(model, transfer.LoRA(2), where="inner", train=["bn", "head"])
    bn = model.get_layer("bn")
    bn.moving_mean.assign(bn.moving_mean + 0.5)
    transfer.save_adapter(model, tmp_path / "task.npz")
    base, _ = made("images")
    transfer.load_adapter(base, tmp_path / "task.npz")
    np.testing.assert_array_equal(outputs(model, x), outputs(base, x))
    assert base.get_layer("bn").trainable


@pytest.mark.parametrize("kind", ["bit_fit", "insert_adapters"])
def test_an_adapter_file_serves_other_methods(kind, tmp_path):
    def start():
        model, x = made("images")
        if kind == "bit_fit":
            transfer.bit_fit(model, train="head")
        else:
            model, _ = transfer.insert_adapters(model, "conv", 2, train="head")
        return model, x

    model, x = start()
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1)
    transfer.save_adapter(model, tmp_path / "task.npz")
    fresh = start()[0] if kind == "insert_adapters" else made("images")[0]
    transfer.load_adapter(fresh, tmp_path / "task.npz")
    np.testing.assert_array_equal(outputs(model, x), outputs(fresh, x))
    learning = [weight.path.split("/")[-1] for weight in model.trainable_weights]
    assert [w.path.split("/")[-1] for w in fresh.trainable_weights] == learning


def rewritten(path, **changes):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **{**arrays, **changes})


def with_text(path, old, new):
    with np.load(path) as file:
        text = file["text"].tobytes().replace(old, new)
    rewritten(path, text=np.frombuffer(text, "uint8"))


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[data.index(b"adapter 0 a.npy") + 200] ^= 1
    path.write_bytes(bytes(data))


def one_array():
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


DAMAGES = {
    "truncated": truncated,
    "flipped": flipped,
    "empty": lambda path: path.write_bytes(b""),
    "no archive": lambda path: path.write_bytes(b"text" * 100),
    "one array": lambda path: path.write_bytes(one_array()),
    "another kind": lambda path: np.savez(path, a=np.ones(3)),
    "a pickle": lambda path: rewritten(path, text=np.array([{}], object)),
    "a changed array": lambda path: rewritten(path, **{"adapter 0 a": np.ones((8, 2))}),
    "a changed text": lambda path: with_text(path, b'"alpha": 2', b'"alpha": 9'),
    "a later version": lambda path: with_text(path, b'"version": 1', b'"version": 2'),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("adapter") / "task.npz"
    transfer.save_adapter(tune("text", transfer.LoRA(2))[0], path)
    return path.read_bytes()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_and_changes_nothing(damage, written, tmp_path):
    path = tmp_path / "task.npz"
    path.write_bytes(written)
    DAMAGES[damage](path)
    model, _ = made("text")
    before = values(model.weights), model.to_json(), len(model.trainable_weights)
    with pytest.raises(ValueError, match="a whole file that `save_adapter` wrote"):
        transfer.load_adapter(model, path)
    same(before[0], values(model.weights))
    assert (model.to_json(), len(model.trainable_weights)) == before[1:]


def test_another_base_is_refused_or_warned_of(written, tmp_path):
    path = tmp_path / "task.npz"
    path.write_bytes(written)
    model, _ = made("text")
    table = model.get_layer("table").weights[0]
    table.assign(table * 1.001)
    with pytest.raises(ValueError, match="the weights that the adapter was learnt on"):
        transfer.load_adapter(model, path)
    assert len(model.weights) == len(made("text")[0].weights)
    with pytest.warns(UserWarning, match="the weights that the adapter was learnt on"):
        transfer.load_adapter(model, path, strict=False)
    other, _ = made("images")
    with pytest.raises(ValueError, match="a model that the file fits"):
        transfer.load_adapter(other, path)
    wider = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="layers"):
        transfer.load_adapter(wider, path)
    with pytest.raises(FileNotFoundError):
        transfer.load_adapter(model, tmp_path / "none.npz")


def test_kernels_of_other_shapes_are_refused(tmp_path):
    def base(units):
        return keras.Sequential([keras.Input((4,)), layers.Dense(units), layers.ReLU()])

    model = base(3)
    transfer.adapt(model, transfer.LoRA(2))
    transfer.save_adapter(model, tmp_path / "task.npz")
    with pytest.raises(ValueError, match=r"is \(2, 3\), not \(2, 5\)"):
        transfer.load_adapter(base(5), tmp_path / "task.npz")
    other = base(3)
    other.set_weights(model.get_weights()[:2])
    transfer.adapt(other, transfer.DoRA(2))
    with pytest.raises(ValueError, match="another adapter"):
        transfer.load_adapter(other, tmp_path / "task.npz")


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "task.npz"
    model, _ = tune("text", transfer.LoRA(2))
    transfer.save_adapter(model, path)
    before = path.read_bytes()

    def broken(file, **arrays):
        file.write(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(OSError, match="full"):
        transfer.save_adapter(model, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_a_file_may_be_read_by_whom_the_umask_allows(tmp_path):
    path = tmp_path / "task.npz"
    model, _ = tune("text", transfer.LoRA(2))
    before = os.umask(0o027)
    try:
        transfer.save_adapter(model, path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_model_in_which_nothing_learns_has_no_adapter_file(tmp_path):
    model, _ = made("text")
    model.trainable = False
    with pytest.raises(ValueError, match="something is trainable"):
        transfer.save_adapter(model, tmp_path / "task.npz")
    with pytest.raises(TypeError, match="path"):
        transfer.save_adapter(model, 3)


def test_a_model_of_which_all_learns_is_no_adapter(tmp_path):
    path = tmp_path / "task.npz"
    with pytest.raises(ValueError, match=r"all of it learns.*`model\.save`"):
        transfer.save_adapter(made("images")[0], path)
    assert not path.exists()
    for tune in (transfer.bit_fit, lambda model: transfer.freeze(model, "conv")):
        model, _ = made("images")
        tune(model)
        transfer.save_adapter(model, path)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        transfer.save_adapter(loaded, path)
