"""Run a frozen backbone once and keep what it makes."""

import pathlib
import warnings

import keras

import perfkit
from perfkit import _check
from perfkit.transfer.features import _columns, _feature_files, _fingerprint
from perfkit.transfer.features._feature_data import Batches
from perfkit.transfer.features._inference import Inference
from perfkit.transfer.features.cached_features import CachedFeatures

_OWNER = "cache_features"


def cache_features(
    backbone, data, *, path=None, batch_size=32, dtype=None, verbose=True
) -> CachedFeatures:
    """Run a frozen backbone once and keep its features, to train a head on.

    The backbone runs as at inference: no dropout, no augmentation, moving statistics
    as they are. So a head that is trained on the features becomes what it would have
    become behind the frozen backbone, called with `training=False` in a `call` of one's
    own: a Functional model of Keras 3.15 drops in its backbone whatever it was called
    with. Augmentation has to be in the head, or in the data, of which each sample is
    then seen in one state only.

    With a path the features are kept in files, in a folder named by a hash of the
    backbone's architecture and weights, of the data and of `dtype`. Called again with
    the same, it finds them, checks them, and does not run the backbone. Data that is
    shuffled or augmented when it is read is other data each time; make it fixed first,
    such as by `dataset.shuffle(..., reshuffle_each_iteration=False, seed=0)`. The hash
    does not see the code of your own layers: clear the folder when that has changed.
    Files come into being under another name and are whole once they have their own.

    Args:
        backbone: A built `keras.Model` or layer whose outputs are the features: a
            tensor, or a structure of tensors, with a row for each sample. See
            `split_model` for one that has its head with it.
        data: Arrays `(x, y)` or `(x, y, sample_weight)`, or x alone, each of them an
            array or a list or dict of arrays; or batches of these: a `tf.data.Dataset`,
            a `PyDataset`, anything that can be iterated over more than once. What is
            not x is kept beside the features as it is.
        path: Folder for caches; made if need be. None for memory.
        batch_size: Samples the backbone sees at once, where `data` is arrays. At least
            1. A data set comes in batches already; where these are not all of
            one size they are filled up to the largest so far.
        dtype: `"float32"`, also for None, `"float16"`, which takes half the space, or
            `"float64"`. Of floating-point features; others stay as they are.
        verbose: Whether to show a progress bar and say what was found.

    Returns:
        A `CachedFeatures`, with `x`, `y`, `sample_weight` and `batches`.

    Raises:
        ValueError: If the backbone is not built, its features carry a mask or are too
            large for `dtype`, or samples are not alike.
        TypeError: If an argument has the wrong type.
        OSError: If the files cannot be written. Nothing half-written is left.

    Example:
        >>> import numpy as np
        >>> images, labels = np.ones((5, 8, 8, 3), "float32"), np.arange(5)
        >>> pool = keras.layers.GlobalAveragePooling2D()
        >>> backbone = keras.Sequential([keras.Input((8, 8, 3)), pool])
        >>> cache = cache_features(backbone, (images, labels), verbose=False)
        >>> cache.x.shape, cache.x.dtype.name
        ((5, 3), 'float32')
        >>> head = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
        >>> head.compile("adam", "mse")
        >>> history = head.fit(*cache.data, verbose=0)

    Reference: none (standard).
    """
    _check.instance(_OWNER, "backbone", backbone, keras.Layer)
    if not backbone.built:
        _check.fail(_OWNER, "backbone", "built; call it once", backbone)
    _check.boolean(_OWNER, "verbose", verbose)
    choices = ("float16", "float32", "float64")
    dtype = _check.one_of(_OWNER, "dtype", dtype or "float32", choices)
    batches = Batches(_OWNER, data, _check.integer(_OWNER, "batch_size", batch_size))
    of_backbone = _fingerprint.of_backbone(_OWNER, backbone)
    run = _Run(backbone, batches, dtype, of_backbone, verbose)
    return run.in_memory() if path is None else run.in_files(_folder(path))


class _Run:
    """One call of `cache_features`, after its arguments are checked."""

    def __init__(self, backbone, batches, dtype, of_backbone, verbose):
        self._backbone, self._batches, self._dtype = backbone, batches, dtype
        self._of_backbone, self._verbose = of_backbone, verbose

    def in_memory(self):
        table = _columns.Table(lambda *_: _columns.InMemory())
        key = self._fill(table)
        return self._done(CachedFeatures(table.close(), key))

    def in_files(self, root):
        expected = None
        if self._is_known(root):  # else no data could have features here
            expected = self._key_of_data()
            if (root / expected).exists():
                try:
                    arrays = _feature_files.read(root / expected)
                except _feature_files.Damaged as error:
                    self._say(f"the features in {root / expected} are damaged: {error}")
                else:
                    found = CachedFeatures(arrays, expected, root / expected)
                    self._say(f"found {len(found)} samples in {found.path}")
                    return found
            else:
                self._say(f"{root} has features of this backbone, but of other data")
        with _feature_files.Entry(root) as entry:
            key = self._fill(entry)
            if expected not in (None, key):
                warnings.warn(
                    "`cache_features`: the data was other data when it was read once "
                    "more, as if shuffled or augmented. These features are never found "
                    "again.",
                    stacklevel=4,
                )
            folder = entry.keep(key, self._about())
        return self._done(CachedFeatures(_feature_files.read(folder), key, folder))

    def _fill(self, table):
        """Append features and labels to a table; return the key."""
        backbone = Inference(_OWNER, self._backbone, self._dtype)
        seen = _fingerprint.Fingerprint()
        for batch in self._shown():
            seen.add(batch)
            table.append({**batch, "x": backbone.features(batch["x"])})
        return self._key(seen)

    def _key_of_data(self):
        seen = _fingerprint.Fingerprint()
        self._say("reading the data to look for its features")
        for batch in self._shown():
            seen.add(batch)
        return self._key(seen)

    def _key(self, seen):
        return _fingerprint.joined(self._of_backbone, seen.digest(), self._dtype)

    def _is_known(self, root):
        said = _feature_files.about(root).values()
        return any(one.get("backbone_key") == self._of_backbone for one in said)

    def _about(self):
        return {
            "backbone": self._backbone.name,
            "backbone_key": self._of_backbone,
            "dtype": self._dtype,
            "keras": keras.__version__,
            "perfkit": perfkit.__version__,
        }

    def _shown(self):
        """The batches, with a progress bar."""
        bar = keras.utils.Progbar(
            self._batches.many, verbose=int(self._verbose), unit_name="batch"
        )
        seen = 0
        for seen, batch in enumerate(self._batches, 1):
            yield batch
            bar.update(seen, finalize=seen == self._batches.many)
        if not seen:
            _check.fail(_OWNER, "data", "at least one batch", self._batches)
        if self._batches.many is None:
            bar.update(seen, finalize=True)

    def _done(self, cache):
        size = sum(array.nbytes for array in keras.tree.flatten(cache.data))
        where = "memory" if cache.path is None else cache.path
        self._say(f"{len(cache)} samples, {size / 1e6:.1f} MB, in {where}")
        return cache

    def _say(self, text):
        if self._verbose:
            print(f"cache_features: {text}")


def _folder(path):
    try:
        folder = pathlib.Path(path)
    except TypeError:
        _check.fail(_OWNER, "path", "a folder", path, TypeError)
    if folder.exists() and not folder.is_dir():
        _check.fail(_OWNER, "path", "a folder, not a file", path)
    return folder
