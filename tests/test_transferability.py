"""Scores of features, against the papers' algorithms, SciPy and scikit-learn."""

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from perfkit.ops import transferability as ours


def problem(samples=60, width=8, classes=3, noise=1.0, seed=0):
    """Features of clusters and the labels of these."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, samples)
    centres = rng.normal(size=(classes, width))
    return centres[labels] + noise * rng.normal(size=(samples, width)), labels


def algorithm_1(features, y, steps=300):
    """Evidence of one target as in Algorithm 1 of arXiv 2102.11005, by inverses."""
    n, d = features.shape
    values, vectors = np.linalg.eigh(features.T @ features)
    values = np.maximum(values, 0.0)
    alpha, beta = 1.0, 1.0
    for _ in range(steps):
        gamma = (beta * values / (alpha + beta * values)).sum()
        inner = np.diag(1.0 / (alpha + beta * values))
        m = beta * vectors @ inner @ vectors.T @ features.T @ y
        alpha = gamma / (m @ m)
        beta = (n - gamma) / np.sum((features @ m - y) ** 2)
    a = alpha * np.eye(d) + beta * features.T @ features
    m = beta * np.linalg.inv(a) @ features.T @ y
    return (
        n / 2 * np.log(beta)
        + d / 2 * np.log(alpha)
        - n / 2 * np.log(2 * np.pi)
        - beta / 2 * np.sum((features @ m - y) ** 2)
        - alpha / 2 * (m @ m)
        - 0.5 * np.linalg.slogdet(a)[1]
    ) / n


@pytest.mark.parametrize(("samples", "width"), [(60, 8), (30, 50), (40, 40)])
def test_logme_is_the_papers_algorithm(samples, width):
    features, labels = problem(samples, width, noise=2.0)
    expected = np.mean([algorithm_1(features, labels == k * 1.0) for k in range(3)])
    assert ours.logme(features, labels) == pytest.approx(expected, abs=1e-5)
    targets = features[:, :2] @ [[1.0, 0.5], [0.0, 2.0]]
    targets += np.random.default_rng(1).normal(size=targets.shape)
    expected = np.mean([algorithm_1(features, y) for y in targets.T])
    assert ours.logme(features, targets) == pytest.approx(expected, abs=1e-5)
    alone = algorithm_1(features, targets[:, 0])
    assert ours.logme(features, targets[:, 0]) == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize(("samples", "width"), [(60, 8), (20, 30)])
def test_the_evidence_is_the_likelihood_of_a_gaussian(samples, width):
    features, labels = problem(samples, width)
    found, alpha, beta = ours.evidence(features, labels)
    for k in range(3):
        noise = np.eye(samples) / beta[k] + features @ features.T / alpha[k]
        gaussian = stats.multivariate_normal(np.zeros(samples), noise)
        expected = gaussian.logpdf((labels == k) * 1.0) / samples
        assert found[k] == pytest.approx(expected, abs=1e-8)


def test_the_precisions_are_those_of_bayesian_ridge_regression():
    features, labels = problem()
    _, alpha, beta = ours.evidence(features, labels)
    flat = {"alpha_1": 0.0, "alpha_2": 0.0, "lambda_1": 0.0, "lambda_2": 0.0}
    for k in range(3):
        ridge = BayesianRidge(fit_intercept=False, tol=1e-9, max_iter=3000, **flat)
        ridge.fit(features, (labels == k) * 1.0)
        np.testing.assert_allclose(alpha[k], ridge.lambda_, rtol=1e-3)
        np.testing.assert_allclose(beta[k], ridge.alpha_, rtol=1e-3)


def test_logme_is_finite_where_features_are_dead_or_say_all():
    features, labels = problem()
    dead = np.concatenate([features, np.zeros_like(features)], axis=1)
    assert ours.logme(dead, labels) == pytest.approx(ours.logme(features, labels))
    assert np.isfinite(ours.logme(np.zeros((60, 4)), labels))
    assert np.isfinite(ours.logme(np.eye(3)[labels], labels))
    assert ours.logme(np.eye(3)[labels], labels) > ours.logme(features, labels)


def test_the_scale_of_features_does_not_matter():
    features, labels = problem()
    for score in (ours.logme, ours.nleep, ours.knn, ours.linear_probe):
        tiny = score(1e-9 * features, labels)
        assert tiny == pytest.approx(score(features, labels), abs=1e-6)


def leep_by_loops(probabilities, labels):
    """Formulas 1 and 2 of arXiv 2002.12462, entry by entry."""
    n, sources = probabilities.shape
    joint = {}
    for y in set(labels.tolist()):
        for z in range(sources):
            rows = [i for i in range(n) if labels[i] == y]
            joint[y, z] = sum(probabilities[i, z] for i in rows) / n
    total = 0.0
    for i in range(n):
        likelihood = 0.0
        for z in range(sources):
            of_z = sum(joint[y, z] for y in set(labels.tolist()))
            likelihood += joint[int(labels[i]), z] / of_z * probabilities[i, z]
        total += np.log(likelihood)
    return total / n


def test_leep_is_its_formula_entry_by_entry():
    _, labels = problem()
    probabilities = np.random.default_rng(2).dirichlet(np.ones(5), size=60)
    expected = leep_by_loops(probabilities, labels)
    assert ours.leep(probabilities, labels) == pytest.approx(expected, abs=1e-12)
    assert ours.leep(probabilities, 10 * labels - 7) == pytest.approx(expected)


def test_leep_is_zero_where_classes_are_told_and_their_entropy_where_not():
    labels = np.repeat([0, 1], [30, 10])
    assert ours.leep(np.eye(4)[labels + 2], labels) == pytest.approx(0.0, abs=1e-12)
    blind = ours.leep(np.full((40, 4), 0.25), labels)
    assert blind == pytest.approx(-stats.entropy([0.75, 0.25]))


def test_nleep_is_leep_of_a_mixture_over_principal_components():
    features, labels = problem(90, 12)
    few = PCA(0.8).fit_transform(features)
    few /= few.std()
    assert few.shape[1] < 12
    mixture = GaussianMixture(15, random_state=3).fit(few)
    expected = leep_by_loops(mixture.predict_proba(few), labels)
    assert ours.nleep(features, labels, seed=3) == pytest.approx(expected, abs=1e-6)
    mixture = GaussianMixture(6, random_state=3).fit(few)
    expected = leep_by_loops(mixture.predict_proba(few), labels)
    found = ours.nleep(features, labels, components=2, seed=3)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("neighbors", [1, 5])
def test_knn_is_leave_one_out_by_cosine(neighbors, monkeypatch):
    monkeypatch.setattr(ours, "_BLOCK", 16)
    features, labels = problem(noise=1.5)
    features *= np.random.default_rng(4).uniform(0.1, 9.0, size=(60, 1))
    right = 0
    for i in range(60):
        rest = np.arange(60) != i
        judge = KNeighborsClassifier(neighbors, metric="cosine")
        judge.fit(features[rest], labels[rest])
        right += judge.predict(features[i : i + 1])[0] == labels[i]
    assert 0.4 < right / 60 < 0.95
    assert ours.knn(features, labels, neighbors=neighbors) == pytest.approx(right / 60)


@pytest.mark.parametrize("classes", [True, False])
def test_the_linear_probe_is_cross_validation_of_scikit_learn(classes):
    features, labels = problem(noise=2.0)
    features *= np.geomspace(1e-3, 1e3, 8)
    targets = labels if classes else features[:, 0] + 1e-3 * labels
    kind = LogisticRegression(C=0.02) if classes else Ridge(50.0)
    split = PredefinedSplit(ours.dealt(targets, 4, 7))
    model = make_pipeline(StandardScaler(), kind)
    predicted = cross_val_predict(model, features, targets, cv=split)
    if classes:
        expected = np.mean(predicted == targets)
    else:
        expected = 1 - np.var(targets - predicted) / np.var(targets)
    found = ours.linear_probe(features, targets, folds=4, seed=7, penalty=50.0)
    assert found == pytest.approx(expected, abs=1e-3)
    assert 0.4 < found < 0.99
    weak = ours.linear_probe(features, targets, folds=4, seed=7, penalty=1.0)
    assert abs(weak - found) > 5e-3


def test_parts_have_of_each_class_its_share():
    labels = np.random.default_rng(5).choice(3, 100, p=[0.7, 0.2, 0.1])
    place = ours.dealt(labels, 5, 0)
    for k in range(3):
        shares = np.bincount(place[labels == k], minlength=5)
        assert shares.max() - shares.min() <= 1
    assert np.bincount(place).tolist() == [20] * 5
    assert not np.array_equal(place, ours.dealt(labels, 5, 1))
    floats = np.random.default_rng(6).normal(size=50)
    for part in range(5):
        ranks = stats.rankdata(floats)[ours.dealt(floats, 5, 0) == part]
        assert np.all(np.diff(np.sort(ranks)) == 5)
