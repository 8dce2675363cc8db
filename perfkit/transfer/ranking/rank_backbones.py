"""Which pretrained model suits some data, without training any of them."""

import contextlib
import dataclasses
import math
import re
import textwrap
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph.latency import Latencies
from perfkit.graph.macs import macs
from perfkit.ops import transferability
from perfkit.transfer.preprocessing import preprocessing_of
from perfkit.transfer.ranking import _candidates, _labelled
from perfkit.transfer.ranking._features import Extractor, Features
from perfkit.transfer.ranking._inputs import inputs_of, resizing
from perfkit.transfer.ranking.ranking import MEAN_RANK, Ranking, Row

_OWNER = "rank_backbones"
SCORES = ("logme", "leep", "nleep", "knn", "linear_probe")
_OF_NUMBERS = ("logme", "linear_probe")  # those that targets of regression have


def rank_backbones(
    candidates,
    data,
    *,
    scores=SCORES,
    by="mean_rank",
    batch_size=32,
    samples=None,
    folds=5,
    repeats=10,
    preprocessing="auto",
    seed=0,
    verbose=True,
) -> Ranking:
    """Rank pretrained models by how well their features suit some data.

    No model is trained. Each says once what it makes of the samples; what scores cost
    is little beside that. Scores are higher the better:

    - `"logme"`: how likely linear functions of the features are to give the labels, the
      logarithm of the evidence per sample.
    - `"leep"`: how well the model's own classes tell the labels; only of models that
      end in probabilities of classes.
    - `"nleep"`: the same of the components of a mixture of Gaussians.
    - `"knn"`: share of the samples that their 5 nearest ones have the label of.
    - `"linear_probe"`: accuracy of logistic regression under cross-validation; for
      regression, the share of the variance that ridge regression explains.

    They err in different ways (LogME likes wide features, `benchmarks/ranking.py`), so
    by default it is the mean of its ranks that orders a candidate.

    Features are what the model returns, the mean over all axes between the first and
    the last; of a classifier, what its last dense layer or convolution takes.

    A candidate that fails is a row that says why. An interrupt (Ctrl-C) ends the
    ranking with the candidates so far. `"nleep"` and `"linear_probe"` need
    scikit-learn, which `pip install 'perfkit[transfer]'` installs.

    Times are those of compiled predictions: by XLA, but for TensorFlow on a CPU, where
    depthwise convolutions are slow by XLA.

    Args:
        candidates: Dict from names to built models, or to functions without arguments
            that make one, which is dropped before the next is made (the first one is
            kept, to compare times with); or a list of models.
        data: `(x, y)`, arrays; or batches of them, such as a `tf.data.Dataset` or a
            `PyDataset`, which are read into memory. Whole numbers, strings and one-hot
            rows are classes; floats are targets of regression, for which there are
            `"logme"` and `"linear_probe"`.
        scores: Names of scores.
        by: Name of the score that orders the rows, or "mean_rank".
        batch_size: Samples that a model sees, and is timed on, at once. At least 1.
        samples: The most samples to look at, of each class its share, or `None`. At
            least 2, with `"linear_probe"` at least `folds`.
        folds: Of the cross-validation. At least 2.
        repeats: Times that a prediction is timed; 0 for no times. At least 0.
        preprocessing: What turns `x` into what a model takes: "auto" for what
            `preprocessing_of` finds; `"tf"`, `"torch"`, `"caffe"` or `"none"`, see
            `Preprocessing`; a function of a batch; or a dict of these by the
            candidates' names. Images are resized to what a model takes before.
        seed: Whole number, of the samples, the folds and the mixtures. At least 0.
        verbose: Whether to show a progress bar.

    Returns:
        `Ranking`: prints as a table; `best`, `rows`, `plot()`, `to_csv(path)`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of bounds, or there is but one class.
        ImportError: If scikit-learn is needed and missing.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(60) % 3
        >>> x = np.eye(3)[y] + 0.1 * rng.normal(size=(60, 3))
        >>> def features(first):
        ...     keep = keras.layers.Lambda(lambda x: x[:, first:])
        ...     return keras.Sequential([keras.Input((3,)), keep])
        >>> candidates = {"all": features(0), "one": features(2)}
        >>> ranking = rank_backbones(candidates, (x, y), scores=["knn"], by="knn",
        ...                          repeats=0, verbose=False)
        >>> ranking.best, ranking.rows[0].scores
        ('all', {'knn': 1.0})

    Reference: You et al., LogME: Practical Assessment of Pre-trained Models for
    Transfer Learning, 2021, arXiv 2102.11005; Nguyen et al., LEEP: A New Measure to
    Evaluate Transferability of Learned Representations, 2020, arXiv 2002.12462; Li et
    al., Ranking Neural Checkpoints, 2021, arXiv 2011.11200. Our deviation: targets of
    regression are standardized; a mixture has no more components than a third of the
    samples, and what it sees is scaled.
    """
    makers = _candidates.makers(candidates)
    x, y = _labelled.arrays(_OWNER, data)
    y, classes = _labelled.targets(_OWNER, y)
    scores = _scores(scores, classes)
    by = _check.one_of(_OWNER, "by", by, (MEAN_RANK, *scores))
    batch_size = _check.integer(_OWNER, "batch_size", batch_size)
    folds = _check.integer(_OWNER, "folds", folds, 2, len(y))
    repeats = _check.integer(_OWNER, "repeats", repeats, 0)
    seed = _check.integer(_OWNER, "seed", seed, 0, 2**32 - 1)
    verbose = _check.boolean(_OWNER, "verbose", verbose)
    prepare = _candidates.preprocessing(preprocessing, makers)
    if samples is not None:
        least = folds if "linear_probe" in scores else 2
        samples = _check.integer(_OWNER, "samples", samples, least)
        chosen = _labelled.subset(y, samples, seed)
        x, y = keras.tree.map_structure(lambda each: each[chosen], x), y[chosen]
    if {"nleep", "linear_probe"} & set(scores):
        _check.installed(f"transfer.{_OWNER}", "sklearn", "transfer")

    study = _Study(x, y, scores, batch_size, folds, seed, Latencies(repeats))
    bar = keras.utils.Progbar(len(makers) * study.steps, verbose=int(verbose))
    rows: list[Row] = []
    for name, make in makers.items():
        try:
            row = study.row(name, make(), prepare[name], bar)
        except KeyboardInterrupt:
            if not rows:
                raise
            break
        except Exception as error:  # whatever it is, the others count
            row = Row(name, error=_said(error))
        rows.append(row)
        bar.update(len(rows) * study.steps)
    rows += [Row(name, error="interrupted") for name in list(makers)[len(rows) :]]
    took = study.clock.milliseconds()
    rows = [dataclasses.replace(row, latency_ms=took.get(row.name)) for row in rows]
    return Ranking(rows, by)


@dataclasses.dataclass(frozen=True)
class _Study:
    """What all candidates have in common."""

    x: Any
    y: np.ndarray
    scores: tuple[str, ...]
    batch_size: int
    folds: int
    seed: int
    clock: Latencies

    @property
    def starts(self):
        return range(0, len(self.y), self.batch_size)

    @property
    def steps(self):
        """Steps of the progress bar for each candidate."""
        return len(self.starts) + len(self.scores) + 1

    def batch(self, start, model, prepare):
        """A batch as the model takes it; the last one is filled up.

        Another size would be another program.
        """
        many = min(self.batch_size, len(self.y) - start)
        places = np.resize(np.arange(start, start + many), self.batch_size)
        x = keras.tree.map_structure(lambda each: each[places], self.x)
        return inputs_of(model, x, prepare)

    def row(self, name, model, prepare, bar) -> Row:
        _check.instance(_OWNER, "candidates", model, keras.Model)
        if not model.built:
            _check.fail(_OWNER, "candidates", "built models", model)
        if prepare == "auto":
            prepare, _ = preprocessing_of(model)
        first = self.batch(0, model, prepare)
        extract = Extractor(model, first)
        found = []
        for start in self.starts:
            found.append(extract(self.batch(start, model, prepare)))
            bar.add(1)
        found = _joined(found, len(self.y))
        scores, notes, errors = {}, resizing(model, self.x), []
        for score in self.scores:
            with _noted(errors, score):
                scores[score] = math.nan
                scores[score] = _SCORES[score](found, self)
            bar.add(1)
        with _noted(errors, "latency"):
            self.clock.add(name, lambda: extract(first))
        total = None
        with _noted(errors, "MACs"):
            total, uncounted = macs(model, first)
            notes += [f"not counted: {', '.join(uncounted)}"] * bool(uncounted)
        bar.add(1)
        said = "; ".join(notes), "; ".join(errors)
        return Row(name, scores, model.count_params(), total, None, *said)


@contextlib.contextmanager
def _noted(errors, what):
    """Note an error of one part of a row, so that the others count."""
    try:
        yield
    except Exception as error:
        errors.append(f"{what}: {_said(error)}")


def _leep(found, study):
    if found.probabilities is None:
        return math.nan
    return transferability.leep(found.probabilities, study.y)


_SCORES = {
    "logme": lambda found, study: transferability.logme(found.values, study.y),
    "leep": _leep,
    "nleep": lambda found, study: transferability.nleep(
        found.values, study.y, seed=study.seed
    ),
    "knn": lambda found, study: transferability.knn(found.values, study.y),
    "linear_probe": lambda found, study: transferability.linear_probe(
        found.values, study.y, folds=study.folds, seed=study.seed
    ),
}


def _joined(found, samples) -> Features:
    """Features of all batches, without what fills up the last of them."""
    whole = [np.concatenate(parts)[:samples] for parts in _columns(found)]
    if not np.all(np.isfinite(whole[0])):
        raise ValueError("the features are not finite")
    if not np.any(np.ptp(whole[0], axis=0)):
        raise ValueError("the features are the same for all samples")
    return Features(*whole)


def _columns(found):
    return [part for part in zip(*found, strict=True) if part[0] is not None]


def _said(error):
    """An error on one line: of Keras's errors what is between heading and arguments."""
    text = re.sub(r"\x1b\[\d*m", "", str(error))
    text = text.partition("Arguments received by")[0]
    if text.startswith("Exception encountered when calling"):
        text = text.partition("\n")[2] or text
    return textwrap.shorten(f"{type(error).__name__}: {text}", 400, placeholder=" ...")


def _scores(names, classes):
    names = (names,) if isinstance(names, str) else names
    if not isinstance(names, Iterable):
        _check.fail(_OWNER, "scores", f"some of {SCORES}", names)
    names = tuple(names)
    for name in names:
        _check.one_of(_OWNER, "scores", name, SCORES)
    kept = tuple(name for name in names if classes or name in _OF_NUMBERS)
    if not kept:
        expected = "one score or more that there is for such labels"
        _check.fail(_OWNER, "scores", expected, names)
    return kept
