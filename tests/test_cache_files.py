"""Features of a frozen backbone in files: found again, whole or not at all."""

import errno
import json
import pathlib

import keras
import numpy as np
import pytest

from perfkit import transfer
from perfkit.transfer.features import _columns
from perfkit.transfer.features._inference import Inference
from tests.test_cache_features import Iterable, X, Y, body, by_hand, kept


@pytest.fixture
def ran(monkeypatch):
    """How many batches backbones ran on."""
    sizes = []
    features = Inference.features

    def counted(self, x):
        sizes.append(len(x))
        return features(self, x)

    monkeypatch.setattr(Inference, "features", counted)
    return sizes


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_kept_is_found_and_the_backbone_does_not_run(tmp_path, ran, capsys):
    first = transfer.cache_features(body(), (X, Y), path=tmp_path, batch_size=4)
    assert ran == [4, 4, 2]
    assert "found 10" not in capsys.readouterr().out
    second = transfer.cache_features(body(), (X, Y), path=tmp_path)
    assert len(ran) == 3
    assert f"found 10 samples in {tmp_path / first.key}" in capsys.readouterr().out
    assert (second.key, second.path) == (first.key, tmp_path / first.key)
    np.testing.assert_allclose(second.x, by_hand(body()), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(second.y, Y)
    assert names(tmp_path) == [first.key]


def test_other_weights_and_other_data_are_other_caches(tmp_path, ran, capsys):
    keys = {kept(body(), X, path=tmp_path).key}
    keys |= {kept(body(seed=1), X, path=tmp_path).key}
    assert "other data" not in capsys.readouterr().out
    keys |= {transfer.cache_features(body(), X + 1, path=tmp_path).key}
    assert "features of this backbone, but of other data" in capsys.readouterr().out
    assert len(ran) == 3
    assert set(names(tmp_path)) == keys
    assert len(keys) == 3


def test_files_are_plain_numpy_and_their_description_says_what_they_hold(tmp_path):
    cache = kept(body(), (X, {"a": Y, "b": [X]}), path=tmp_path, dtype="float16")
    about = json.loads((cache.path / "cache.json").read_text())
    assert about["keras"] == keras.__version__
    assert about["backbone"].startswith("sequential")
    files = sorted(cache.path.glob("*.npy"))
    arrays = [np.load(file, allow_pickle=False) for file in files]
    by_shape = {(array.dtype.name, array.shape): array for array in arrays}
    assert set(by_shape) == {
        ("float16", (10, 5)),
        (Y.dtype.name, (10,)),
        ("float32", (10, 6)),
    }
    np.testing.assert_array_equal(by_shape["float16", (10, 5)], cache.x)
    assert isinstance(cache.x, np.memmap)
    assert isinstance(cache.y["b"], list)
    with pytest.raises(ValueError, match="read-only"):
        cache.x[0] = 0
    again = kept(body(), (X, {"a": Y, "b": [X]}), path=tmp_path, dtype="float16")
    np.testing.assert_array_equal(again.y["b"][0], X)


def test_a_hundred_batches_of_unknown_number_are_one_file(tmp_path):
    rows = np.arange(1200, dtype="float32").reshape(200, 6)
    cache = kept(body(), Iterable(np.split(rows, 100)), path=tmp_path)
    assert cache.x.shape == (200, 5)
    np.testing.assert_allclose(cache.x, by_hand(body(), rows), rtol=1e-4, atol=1e-4)


def test_a_run_that_breaks_off_leaves_nothing_and_the_next_one_works(tmp_path):
    class Broken:
        breaks = True

        def __iter__(self):
            yield X[:4], Y[:4]
            if self.breaks:
                raise RuntimeError("the disk of the images is gone")
            yield X[4:], Y[4:]

    data = Broken()
    for error in (RuntimeError, RuntimeError):
        with pytest.raises(error, match="images is gone"):
            kept(body(), data, path=tmp_path)
        assert names(tmp_path) == []
    data.breaks = False
    assert len(kept(body(), data, path=tmp_path)) == 10


def test_a_full_disk_is_an_error_that_leaves_nothing(tmp_path, monkeypatch):
    def full(self, rows):
        with _columns.writing(self._path):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_columns.InFile, "append", full)
    with pytest.raises(
        OSError, match=r"cannot write .*x-0\.npy: No space left"
    ) as error:
        kept(body(), X, path=tmp_path)
    assert error.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="Linux has it")
def test_a_disk_that_is_full_says_so(tmp_path):
    column = _columns.InFile(tmp_path / "x.npy", X)
    column._file.close()
    column._file = pathlib.Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    with pytest.raises(OSError, match=r"cannot write .*No space left"):
        column.append(X)
    column.abandon()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ValueError, match=r"path=\.\.\.\)` must be a folder, not a file"
    ):
        kept(body(), X, path=tmp_path / "file")
    with pytest.raises(NotADirectoryError, match="cannot write"):
        kept(body(), X, path=tmp_path / "file" / "inside")
    with pytest.raises(TypeError, match=r"cache_features\(path="):
        kept(body(), X, path=3)


def truncate(folder):
    file = next(folder.glob("x*.npy"))
    file.write_bytes(file.read_bytes()[:-7])


def lengthen(folder):
    file = next(folder.glob("x*.npy"))
    file.write_bytes(file.read_bytes() + b"more")


def flip(folder):
    file = next(folder.glob("x*.npy"))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def remove(folder):
    next(folder.glob("y*.npy")).unlink()


def reshape(folder):
    file = next(folder.glob("x*.npy"))
    np.save(file, np.load(file, allow_pickle=False).reshape(5, 10))


def lose_arrays(folder):
    (folder / "cache.json").write_text(
        json.dumps({**json.loads((folder / "cache.json").read_text()), "arrays": {}})
    )


def cut_description(folder):
    (folder / "cache.json").write_text('{"arrays": ')


@pytest.mark.parametrize(
    "damage", [truncate, lengthen, flip, remove, reshape, lose_arrays, cut_description]
)
def test_a_damaged_cache_is_made_again(damage, tmp_path, ran, capsys):
    cache = kept(body(), (X, Y), path=tmp_path)
    expected = np.array(cache.x)
    damage(cache.path)
    again = transfer.cache_features(body(), (X, Y), path=tmp_path)
    assert len(ran) == 2
    if damage is not cut_description:  # of which nobody knows what it was
        assert "are damaged" in capsys.readouterr().out
    np.testing.assert_array_equal(again.x, expected)
    assert names(tmp_path) == [cache.key]
    assert names(again.path) == ["cache.json", "x-0.npy", "y-1.npy"]
    assert kept(body(), (X, Y), path=tmp_path).key == cache.key
    assert len(ran) == 2


def test_data_that_changes_when_read_again_is_said(tmp_path):
    class Shuffled:
        reads = 0

        def __iter__(self):
            self.reads += 1
            return iter([np.roll(X, self.reads, axis=0)])

    data = Shuffled()
    kept(body(), data, path=tmp_path)
    assert data.reads == 2  # `iter` once to look, and once to read
    with pytest.warns(UserWarning, match="as if shuffled or augmented"):
        cache = kept(body(), data, path=tmp_path)
    np.testing.assert_allclose(
        cache.x, by_hand(body(), np.roll(X, data.reads, axis=0)), rtol=1e-5, atol=1e-5
    )


def test_a_data_set_is_read_once_where_nothing_can_be_found(tmp_path, ran):
    class Counted(Iterable):
        reads = 0

        def __iter__(self):
            self.reads += 1
            return super().__iter__()

    data = Counted([X])
    kept(body(), data, path=tmp_path)
    first = data.reads
    kept(body(), data, path=tmp_path)
    assert (first, data.reads - first) == (2, 2)  # the first `iter` only looks
    assert len(ran) == 1


def test_labels_that_are_no_numbers_are_an_error_that_leaves_nothing(tmp_path):
    labels = np.array(["cat", {}] * 5, dtype=object)
    with pytest.raises(TypeError, match="keeps arrays of numbers, not of object"):
        kept(body(), (X, labels), path=tmp_path)
    assert names(tmp_path) == []


def test_a_backbone_that_does_not_say_how_it_was_made_is_an_error(tmp_path):
    class Silent(keras.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, inputs):
            return self.inner(inputs)

        def get_config(self):
            raise NotImplementedError("no config")

    backbone = Silent(body())
    backbone(X)
    with pytest.raises(ValueError, match="`get_config` says how it was made"):
        kept(backbone, X, path=tmp_path)


def test_a_text_model_and_its_tokens(tmp_path):
    ids = np.random.default_rng(1).integers(1, 9, (7, 4))
    read = keras.layers.Embedding(9, 3)
    pool = keras.layers.GlobalAveragePooling1D()
    backbone = keras.Sequential([keras.Input((4,), dtype="int32"), read, pool])
    cache = kept(backbone, (ids, ids[:, 0]), path=tmp_path, batch_size=3)
    table = np.array(backbone.get_weights()[0])
    np.testing.assert_allclose(cache.x, table[ids].mean(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(cache.y, ids[:, 0])


class Noise(keras.layers.Layer):
    """Works in training, and wherever nothing else is said."""

    def call(self, inputs, training=True):
        return inputs + 1.0 if training else inputs


def test_an_image_model(tmp_path):
    images = np.random.default_rng(2).integers(0, 256, (5, 6, 6, 3)).astype("uint8")
    layers = [
        keras.layers.Rescaling(1 / 255),
        keras.layers.RandomFlip(),  # nothing at inference
        Noise(),
        keras.layers.Flatten(),
    ]
    backbone = keras.Sequential([keras.Input((6, 6, 3), dtype="uint8"), *layers])
    cache = kept(backbone, images, path=tmp_path, batch_size=2)
    np.testing.assert_allclose(cache.x, images.reshape(5, -1) / 255, rtol=1e-6)
    changed = images.copy()
    changed[2, 3, 4, 1] ^= 1
    assert kept(backbone, changed, path=tmp_path).key != cache.key
