"""Losses between teacher and student, against the formulas of the papers."""

import itertools

import keras
import numpy as np
import pytest

from perfkit import transfer
from perfkit.ops import distillation
from tests import teaching
from tests.teaching import divergence, softmax

RNG = np.random.default_rng(1)
TEACHER, STUDENT = RNG.normal(0, 3, (2, 7, 5)).astype("float32")


def of(loss, teacher, student):
    return float(loss.compute_loss(*map(keras.ops.array, (teacher, student))))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("soft", list(itertools.product([False, True], repeat=2)))
def test_soft_targets_are_hintons_of_logits_and_of_probabilities(temperature, soft):
    given = [
        softmax(x) if y else x for x, y in zip((TEACHER, STUDENT), soft, strict=True)
    ]
    expected = divergence(TEACHER, STUDENT, temperature)
    loss = transfer.SoftTargets(temperature)
    assert of(loss, *given) == pytest.approx(expected, rel=1e-5)


def test_keras_takes_probabilities_for_logits_and_its_default_no_softmax_at_all():
    fine = keras.distillation.LogitsDistillation(4.0, keras.losses.KLDivergence())
    expected = divergence(TEACHER, STUDENT, 4.0)
    assert of(fine, TEACHER, STUDENT) == pytest.approx(expected, rel=1e-5)
    assert of(fine, softmax(TEACHER), softmax(STUDENT)) < 0.2 * expected
    named = keras.distillation.LogitsDistillation(4.0)
    p, q = (np.clip(x / 4, 1e-7, 1) for x in (TEACHER, STUDENT))
    raw = np.mean(np.sum(p * np.log(p / q), axis=-1))
    assert of(named, TEACHER, STUDENT) == pytest.approx(raw, rel=1e-4)
    with pytest.raises(ValueError, match="SoftTargets"):
        transfer.Distiller(teaching.network(), teaching.network(), named)


def test_soft_targets_of_several_outputs_are_a_sum():
    loss = transfer.SoftTargets(2.0)
    both = loss.compute_loss([TEACHER, STUDENT], [STUDENT, TEACHER])
    expected = divergence(TEACHER, STUDENT, 2.0) + divergence(STUDENT, TEACHER, 2.0)
    assert float(both) == pytest.approx(expected, rel=1e-5)


def test_soft_targets_refuse_a_single_class():
    with pytest.raises(ValueError, match="two classes"):
        of(transfer.SoftTargets(), TEACHER[:, :1], STUDENT[:, :1])


def map_of(features):
    """Zagoruyko and Komodakis: Q / |Q| of the sum of squares over the channels."""
    q = (np.asarray(features, "float64") ** 2).sum(axis=-1).reshape(len(features), -1)
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def test_attention_is_the_distance_of_maps_of_length_one():
    teacher, student = RNG.normal(size=(3, 4, 5, 6)), RNG.normal(size=(3, 4, 5, 2))
    apart = np.linalg.norm(map_of(student) - map_of(teacher), axis=1)
    loss = transfer.AttentionDistillation("a", "b")
    assert of(loss, teacher, student) == pytest.approx(np.mean(apart**2), rel=1e-5)
    loss = transfer.AttentionDistillation("a", "b", data_format="channels_first")
    first = np.moveaxis(teacher, -1, 1), np.moveaxis(student, -1, 1)
    assert of(loss, *first) == pytest.approx(np.mean(apart**2), rel=1e-5)


def huber(x):
    return np.where(np.abs(x) <= 1, 0.5 * x**2, np.abs(x) - 0.5)


def psi_distances(t):
    """Park et al., formulas 4 and 5, by pairs of different samples."""
    pairs = list(itertools.permutations(range(len(t)), 2))
    apart = np.array([np.linalg.norm(t[i] - t[j]) for i, j in pairs])
    return apart / apart.mean()


def psi_angles(t):
    """Park et al., formula 7, by triples of different samples."""

    def towards(i, j):
        return (t[i] - t[j]) / np.linalg.norm(t[i] - t[j])

    triples = itertools.permutations(range(len(t)), 3)
    return np.array([towards(i, j) @ towards(k, j) for i, j, k in triples])


@pytest.mark.parametrize(
    ("weights", "psi"), [((1.0, 0.0), psi_distances), ((0.0, 1.0), psi_angles)]
)
def test_relations_are_those_of_park(weights, psi):
    student = STUDENT[:, :3].copy()
    student[0] *= 9  # beyond the quadratic part
    expected = np.mean(huber(psi(TEACHER.astype("float64")) - psi(student)))
    loss = transfer.RelationalDistillation(
        "a", "b", distance_weight=weights[0], angle_weight=weights[1]
    )
    assert of(loss, TEACHER, student) == pytest.approx(expected, rel=1e-5)


def test_relations_of_equal_samples_have_a_finite_gradient():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="last")])
    loss = transfer.RelationalDistillation("last", "last")
    distiller = transfer.Distiller(teaching.network(), model, loss)
    distiller.compile("sgd", teaching.LOSS, **teaching.STEPS)
    distiller.fit(np.ones((4, 4)), np.zeros(4), verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_features_are_the_mean_squared_difference():
    loss = transfer.FeatureDistillation("a", "b")
    expected = np.mean((TEACHER - STUDENT) ** 2)
    assert of(loss, TEACHER, STUDENT) == pytest.approx(expected, rel=1e-5)


def test_softened_mean_is_the_mean_at_its_temperature():
    logits = distillation.softened_mean([TEACHER, softmax(STUDENT)], [0.25, 0.75], 4.0)
    mean = 0.25 * softmax(TEACHER, 4) + 0.75 * softmax(STUDENT, 4)
    np.testing.assert_allclose(softmax(logits, 4.0), mean, rtol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        transfer.SoftTargets(3.0),
        transfer.SoftTargets(3.0, multi_label=True),
        transfer.FeatureDistillation("first", "first"),
        transfer.AttentionDistillation("first", "last", data_format="channels_first"),
        transfer.RelationalDistillation("first", "last", distance_weight=2.0),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_losses_come_back_from_their_config(loss):
    config = keras.saving.serialize_keras_object(loss)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize(
    "loss",
    [
        transfer.SoftTargets(),
        transfer.FeatureDistillation("first", "first"),
        transfer.RelationalDistillation("first", "last"),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_losses_work_in_the_distiller_of_keras(loss):
    teacher, student = teaching.network(seed=1), teaching.network(seed=2)
    before = teaching.values(teacher), teaching.values(student)
    model = keras.distillation.Distiller(teacher, student, loss)
    model.compile("adam", teaching.LOSS, **teaching.STEPS)
    model.fit(teaching.X, teaching.Y, verbose=0)
    assert teaching.same(teaching.values(teacher), before[0])
    assert not teaching.same(teaching.values(student), before[1])


def test_features_of_other_widths_need_our_distiller():
    loss = transfer.FeatureDistillation("first", "first")
    pair = teaching.network(6), teaching.network(4)
    model = keras.distillation.Distiller(*pair, loss)
    model.compile("adam", teaching.LOSS, **teaching.STEPS)
    with pytest.raises(ValueError, match=r"perfkit\.transfer\.Distiller"):
        model.fit(teaching.X, teaching.Y, verbose=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: transfer.SoftTargets(0.0), "temperature"),
        (lambda: transfer.FeatureDistillation("a"), "student_layer_name"),
        (lambda: transfer.AttentionDistillation(None, "a"), "teacher_layer_name"),
        (lambda: transfer.FeatureDistillation(data_format="first"), "data_format"),
        (
            lambda: transfer.RelationalDistillation(
                "a", "b", distance_weight=0, angle_weight=0
            ),
            "angle_weight",
        ),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-np.asarray(x, "float64")))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("soft", list(itertools.product([False, True], repeat=2)))
def test_soft_targets_of_labels_are_the_divergence_of_yes_and_no(temperature, soft):
    rng = np.random.default_rng(2)
    teacher, student = rng.normal(0.0, 3.0, size=(2, 6, 4))
    p, q = sigmoid(teacher / temperature), sigmoid(student / temperature)
    apart = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    shown = [
        (sigmoid(x) if probabilities else x).astype("float32")
        for x, probabilities in zip((teacher, student), soft, strict=True)
    ]
    loss = transfer.SoftTargets(temperature, multi_label=True)
    assert of(loss, *shown) == pytest.approx(temperature**2 * apart.mean(), rel=1e-3)
    one = [x[:, :1] for x in shown]
    assert of(loss, *one) == pytest.approx(
        temperature**2 * apart[:, 0].mean(), rel=1e-3
    )


def test_sure_labels_have_a_finite_divergence_and_gradient():
    loss = transfer.SoftTargets(1.0, multi_label=True)
    sure = np.array([[0.0, 1.0]], "float32")
    assert of(loss, sure, sure) == pytest.approx(0.0, abs=1e-6)
    assert 10.0 < of(loss, sure, 1.0 - sure) < 20.0
    assert np.isfinite(of(loss, sure, np.array([[300.0, -300.0]], "float32")))


def ending(activation):
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation)])
    inputs = keras.Input((4,))
    return keras.Model(inputs, inner(inputs))


@pytest.mark.parametrize(
    ("end", "multi_label"), [("sigmoid", False), ("softmax", True)]
)
def test_models_for_targets_of_the_other_kind_are_refused(end, multi_label):
    wrong, plain = ending(end), ending(None)
    loss = transfer.SoftTargets(multi_label=multi_label)
    right = transfer.SoftTargets(multi_label=not multi_label)
    with pytest.raises(ValueError, match=rf"teacher.*{end}"):
        transfer.Distiller(wrong, plain, loss)
    with pytest.raises(ValueError, match=rf"student.*{end}"):
        transfer.Distiller(plain, wrong, loss)
    with pytest.raises(ValueError, match=rf"students.*{end}"):
        transfer.MutualLearning([plain, wrong], loss)
    transfer.Distiller(wrong, plain, right)


def test_average_teacher_is_of_classes_that_exclude_each_other():
    with pytest.raises(ValueError, match="exclude each other"):
        transfer.AverageTeacher([ending("sigmoid"), ending(None)])
    average = transfer.AverageTeacher([ending(None), ending(None)])
    loss = transfer.SoftTargets(multi_label=True)
    with pytest.raises(ValueError, match="AverageTeacher"):
        transfer.Distiller(average, ending(None), loss)


@pytest.mark.parametrize("ends", list(itertools.product([None, "sigmoid"], repeat=2)))
def test_models_say_whether_labels_are_logits_whatever_a_batch_holds(ends):
    x = np.full((1, 1), 1.0, "float32")
    models, logits = [], (0.3, 0.6)
    for end, logit in zip(ends, logits, strict=True):
        dense = keras.layers.Dense(1, end, use_bias=False)
        models.append(keras.Sequential([keras.Input((1,)), dense]))
        models[-1].set_weights([np.array([[logit]])])
    p, q = map(sigmoid, np.array(logits))
    expected = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    loss = transfer.SoftTargets(1.0, multi_label=True)
    taught = transfer.Distiller(*models, loss, None, 0.0)
    taught.compile("sgd", "mse")
    found = taught.compute_loss(x, x, taught(x, training=True))
    assert float(found) == pytest.approx(expected, rel=1e-3)
    together = transfer.MutualLearning(models, loss)
    together.compile("sgd", "mse")
    apart = [
        together.compute_loss(x, x, together(x, training=True), training=training)
        for training in (True, False)
    ]
    back = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
    found = float(apart[0]) - float(apart[1])
    assert found == pytest.approx(expected + back, rel=1e-2)
