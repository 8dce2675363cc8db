"""How well the features of a pretrained model suit labels, in NumPy and float64."""

import numpy as np

from perfkit import _check

_TINY = np.finfo("float64").tiny
_BLOCK = 1024  # samples whose neighbours are looked for at a time


def logme(features, targets, *, steps=1000, tolerance=1e-10) -> float:
    """Logarithm of the evidence that linear functions of the features are the targets.

    Of a linear model with a Gaussian prior on its weights and Gaussian noise, per
    sample, at the most likely variances of both, and the mean over the targets.

    Args:
        features: `(samples, features)`.
        targets: `(samples,)` whole numbers, the classes, of which each is a target of
            0 and 1; or `(samples,)` or `(samples, targets)` floats.
        steps: The most fixed-point steps. At least 1.
        tolerance: Change of the evidence per sample at which they end. Above 0.

    Reference: You et al., LogME: Practical Assessment of Pre-trained Models for
    Transfer Learning, 2021, arXiv 2102.11005. Our deviation: one singular value
    decomposition for all targets, and steps until the evidence stands still.
    """
    evidences, _, _ = evidence(features, targets, steps=steps, tolerance=tolerance)
    return float(np.mean(evidences))


def evidence(features, targets, *, steps=1000, tolerance=1e-10):
    """Logarithm of the evidence per sample, and at which precisions: see `logme`.

    Returns:
        Three arrays of an entry a target: the logarithm of the evidence per sample, the
        precision of the weights (alpha), the precision of the noise (beta).
    """
    features = np.asarray(features, "float64")
    targets = np.asarray(targets)
    if targets.dtype.kind in "iub":
        targets = targets[:, None] == np.unique(targets)
    targets = targets.reshape(len(targets), -1).astype("float64")
    samples, width = features.shape
    # Of the same size whatever the scale, so that the steps begin close by.
    scale = np.sqrt(np.mean(np.square(features))) or 1.0
    features = features / scale
    basis, singular, _ = np.linalg.svd(features, full_matrices=False)
    squares = np.square(singular)[:, None]
    parts = basis.T @ targets  # along each direction of the features
    outside = np.square(targets - basis @ parts).sum(axis=0)
    parts = np.square(parts)
    alpha, beta = np.ones((2, targets.shape[1]))
    found = np.full_like(alpha, -np.inf)
    for _ in range(steps):
        ratio = alpha / beta
        error = (np.square(ratio / (ratio + squares)) * parts).sum(axis=0) + outside
        norm = (squares / np.square(ratio + squares) * parts).sum(axis=0)
        determinant = np.log(alpha + beta * squares).sum(axis=0)
        determinant += (width - len(squares)) * np.log(alpha)
        before, found = (
            found,
            0.5
            / samples
            * (
                samples * np.log(beta)
                + width * np.log(alpha)
                - samples * np.log(2 * np.pi)
                - beta * error
                - alpha * norm
                - determinant
            ),
        )
        if np.all(np.abs(found - before) <= tolerance):
            break
        # Of the directions, how many the weights are free in, and how many are noise.
        free = (squares / (ratio + squares)).sum(axis=0)
        noise = (ratio / (ratio + squares)).sum(axis=0) + samples - len(squares)
        alpha = np.maximum(free, _TINY) / np.maximum(norm, _TINY)
        beta = np.maximum(noise, _TINY) / np.maximum(error, _TINY)
    return found, alpha * scale**2, beta


def leep(probabilities, labels) -> float:
    """Mean logarithm of the likelihood of labels, told from a model's own classes.

    Each of its classes stands for the labels that it occurs with; the likelihood of a
    label is their mixture. At most 0.

    Args:
        probabilities: `(samples, classes of the model)`, rows that sum to 1.
        labels: `(samples,)` whole numbers.

    Reference: Nguyen et al., LEEP: A New Measure to Evaluate Transferability of Learned
    Representations, 2020, arXiv 2002.12462.
    """
    probabilities = np.asarray(probabilities, "float64")
    _, labels = np.unique(labels, return_inverse=True)
    joint = np.eye(labels.max() + 1)[labels].T @ probabilities
    given = joint / np.maximum(joint.sum(axis=0), _TINY)
    likelihood = (given[labels] * probabilities).sum(axis=1)
    return float(np.mean(np.log(np.maximum(likelihood, _TINY))))


def nleep(features, labels, *, energy=0.8, components=5, seed=0) -> float:
    """LEEP with the components of a Gaussian mixture as the model's own classes.

    Args:
        features: `(samples, features)`.
        labels: `(samples,)` whole numbers.
        energy: Share of the variance that the principal components keep. Between 0
            and 1.
        components: Components of the mixture for each class of the labels. At least 1.
            There are no more than a third of the samples.
        seed: Whole number, of the mixture's start.

    Reference: Li et al., Ranking Neural Checkpoints, 2021, arXiv 2011.11200. Our
    deviation: the principal components are scaled, all by the same number.
    """
    _check.installed("transfer.rank_backbones", "sklearn", "transfer")
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    features = np.asarray(features, "float64")
    few = PCA(energy, svd_solver="full").fit_transform(features)
    few /= max(few.std(), _TINY)  # the mixture knows smallest variances
    many = min(components * len(np.unique(labels)), max(1, len(features) // 3))
    mixture = GaussianMixture(many, random_state=seed).fit(few)
    return leep(mixture.predict_proba(few), labels)


def knn(features, labels, *, neighbors=5) -> float:
    """Share of the samples that their nearest neighbours have the label of.

    Nearest by cosine, without the sample itself; of labels with as many votes the
    smallest is taken.

    Args:
        features: `(samples, features)`.
        labels: `(samples,)` whole numbers.
        neighbors: How many vote. At least 1; all others if there are fewer.

    Reference: none (standard).
    """
    features = np.asarray(features, "float64")
    _, labels = np.unique(labels, return_inverse=True)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    features = features / np.maximum(norms, _TINY)
    neighbors, right = min(neighbors, len(features) - 1), 0
    for start in range(0, len(features), _BLOCK):
        block = features[start : start + _BLOCK]
        alike = block @ features.T
        rows = np.arange(len(block))
        alike[rows, start + rows] = -np.inf
        nearest = np.argpartition(-alike, neighbors - 1, axis=1)[:, :neighbors]
        votes = np.eye(labels.max() + 1)[labels[nearest]].sum(axis=1)
        right += np.sum(votes.argmax(axis=1) == labels[start : start + _BLOCK])
    return float(right / len(features))


def linear_probe(features, targets, *, folds=5, seed=0, penalty=1.0) -> float:
    """Quality of linear functions of the features on samples they were not fitted to.

    Multinomial logistic regression and its accuracy where the targets are classes,
    ridge regression and the share of the variance that it explains otherwise. Features
    are standardized with what those samples give that the functions are fitted to.

    Args:
        features: `(samples, features)`.
        targets: `(samples,)` whole numbers, the classes; or `(samples,)` or
            `(samples, targets)` floats.
        folds: Parts that are left out, one after the other. At least 2.
        seed: Whole number, of how samples are dealt to the folds.
        penalty: Of the squared weights, against the summed loss. Above 0.

    Reference: none (standard).
    """
    _check.installed("transfer.rank_backbones", "sklearn", "transfer")
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, targets = np.asarray(features, "float64"), np.asarray(targets)
    classes = targets.dtype.kind in "iub"
    if classes:
        model: object = LogisticRegression(C=1.0 / penalty, max_iter=1000)
    else:
        model = Ridge(alpha=penalty)
    probe = make_pipeline(StandardScaler(), model)
    place = dealt(targets, folds, seed)
    predicted = np.empty_like(targets)
    for fold in range(folds):
        within, without = place != fold, place == fold
        probe.fit(features[within], targets[within])
        predicted[without] = probe.predict(features[without]).reshape(
            predicted[without].shape
        )
    if classes:
        return float(np.mean(predicted == targets))
    error = np.square(targets - predicted).sum(axis=0)
    spread = np.square(targets - targets.mean(axis=0)).sum(axis=0)
    return float(np.mean(1.0 - error / np.maximum(spread, _TINY)))


def dealt(targets, parts, seed) -> np.ndarray:
    """Number of the part, from 0, that each sample is dealt to.

    Parts are of the same size and have the same share of each class, as nearly as can
    be; where targets are floats, of each piece of their range.

    Args:
        targets: See `by_label`.
        parts: How many parts. At least 1.
        seed: Whole number.
    """
    place = np.empty(len(targets), "int64")
    place[by_label(targets, seed)] = np.arange(len(targets)) % parts
    return place


def by_label(targets, seed) -> np.ndarray:
    """Numbers of the samples in the order of their targets, else in a random one.

    Args:
        targets: `(samples,)` classes or floats, or `(samples, targets)` floats, of
            which the first counts.
        seed: Whole number.
    """
    targets = np.asarray(targets).reshape(len(targets), -1)[:, 0]
    order = np.random.default_rng(seed).permutation(len(targets))
    return order[np.argsort(targets[order], kind="stable")]
