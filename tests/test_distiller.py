"""Students with teachers: what is trained, what stays, and which layers are seen."""

import keras
import numpy as np
import pytest

from perfkit import transfer
from tests import teaching
from tests.teaching import LOSS, STEPS, X, Y, divergence, fit, network, same, values


def losses_of(layer="first"):
    pair = layer, layer
    return [
        transfer.SoftTargets(2.0),
        transfer.FeatureDistillation(*pair),
        transfer.RelationalDistillation(*pair),
    ]


def test_teacher_stays_bit_for_bit_and_as_trainable_as_it_was():
    teacher, student = network(7, dropout=0.5), network(4, 2, dropout=0.5)
    before = values(teacher), values(student)
    fit(transfer.Distiller(teacher, student, losses_of()))
    assert same(values(teacher), before[0])
    assert len(teacher.trainable_variables) == 6
    changed = [
        not np.array_equal(*pair)
        for pair in zip(values(student), before[1], strict=True)
    ]
    assert all(changed)  # moving statistics and the state of dropout too


def test_loss_is_that_of_labels_of_teacher_and_of_penalties():
    teacher, student = network(5), network(4, 2)
    student.layers[0].kernel_regularizer = keras.regularizers.L2(0.1)
    student.layers[0].kernel.regularizer = student.layers[0].kernel_regularizer
    weights = np.linspace(0.0, 2.0, len(Y)).astype("float32")
    logits = keras.ops.convert_to_numpy(student(X, training=True))
    labels = -np.log(teaching.softmax(logits)[np.arange(len(Y)), Y])
    penalty = 0.1 * np.sum(student.layers[0].get_weights()[0] ** 2)
    taught = divergence(keras.ops.convert_to_numpy(teacher(X)), logits, 2.0)
    expected = 0.3 * np.mean(weights * labels) + 0.7 * 0.5 * taught + penalty
    model = transfer.Distiller(teacher, student, transfer.SoftTargets(2.0), [0.5], 0.3)
    model.compile("sgd", LOSS, metrics=["accuracy"], **STEPS)
    history = model.fit(X, Y, sample_weight=weights, batch_size=len(X), verbose=0)
    assert history.history["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert history.history["distillation_loss"][0] == pytest.approx(
        0.5 * taught, rel=1e-5
    )


def test_evaluation_and_prediction_are_the_students():
    student = network(4, 2, dropout=0.5)
    model = transfer.Distiller(network(), student, losses_of())
    model.compile("sgd", LOSS, metrics=["accuracy"], **STEPS)
    student.compile("sgd", LOSS, metrics=["accuracy"], **STEPS)
    before = values(student)
    ours, theirs = (
        {name: float(value) for name, value in scores.items()}
        for scores in (
            each.evaluate(X, Y, verbose=0, return_dict=True)
            for each in (model, student)
        )
    )
    assert same(values(student), before)
    assert ours == pytest.approx(theirs)
    np.testing.assert_array_equal(
        model.predict(X, verbose=0), student.predict(X, verbose=0)
    )


@pytest.mark.slow
def test_steps_compile_with_xla():
    histories = []
    for compiling in ({}, {"run_eagerly": False, "jit_compile": True}):
        losses = [x for x in losses_of() if not hasattr(x, "temperature")]
        model = transfer.Distiller(network(7), network(4, 2), losses)
        histories.append(fit(model, epochs=1, **compiling)["loss"])
    assert histories[0] == pytest.approx(histories[1], rel=1e-4)


def test_with_labels_alone_it_is_training_without_a_teacher_bit_for_bit():
    taught, alone = network(4, 2, dropout=0.5), network(4, 2, dropout=0.5)
    fit(transfer.Distiller(network(), taught, losses_of(), None, 1.0))
    fit(alone)
    assert same(values(taught), values(alone))


def test_student_passes_once_a_step():
    student = network(4, 2)
    model = transfer.Distiller(network(), student, losses_of(), None, 0.0)
    kernel, bias = student.layers[0].get_weights()
    mean = 0.5 * np.mean(X[:5] @ kernel + bias, axis=0)  # of a momentum of 0.5, from 0
    model.compile(keras.optimizers.SGD(0.0), LOSS, **STEPS)
    model.fit(X[:5], Y[:5], verbose=0)
    moving = student.layers[1].moving_mean
    np.testing.assert_allclose(keras.ops.convert_to_numpy(moving), mean, atol=1e-6)


@pytest.mark.slow
def test_bridges_are_trained_and_no_part_of_the_student():
    teacher, student = network(7), network(4, 2)
    names = [v.path for v in student.variables]
    loss = transfer.FeatureDistillation("first", "first")
    model = transfer.Distiller(teacher, student, loss, None, 0.0)
    own = {id(v) for v in student.variables}
    extra = [v for v in model.trainable_variables if id(v) not in own]
    assert [tuple(v.shape) for v in extra] == [(4, 7), (7,)]
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in extra]
    history = fit(model, keras.optimizers.Adam(0.1), epochs=10)["distillation_loss"]
    assert history[-1] < 0.5 * history[0]
    after = [keras.ops.convert_to_numpy(v) for v in extra]
    assert not any(np.array_equal(*pair) for pair in zip(before, after, strict=True))
    assert [v.path for v in student.variables] == names


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    "kind", [transfer.FeatureDistillation, transfer.AttentionDistillation]
)
def test_maps_of_another_size_are_resized(kind, data_format):
    theirs, ours = (2, 4, 6, 5), (2, 2, 3, 3)
    if data_format == "channels_first":
        theirs, ours = (2, 5, 4, 6), (2, 3, 2, 3)
    loss = kind("a", "b", data_format=data_format)
    bridge = loss.bridge((None, *theirs[1:]), (None, *ours[1:]))
    bridged = bridge(np.ones(ours, "float32"))
    teacher = np.ones(theirs, "float32")
    assert keras.ops.shape(loss.compute_loss(teacher, bridged)) == ()
    if kind is transfer.FeatureDistillation:
        assert tuple(bridged.shape) == theirs


@pytest.mark.parametrize(
    "kind", [transfer.FeatureDistillation, transfer.AttentionDistillation]
)
def test_what_no_bridge_fits_is_refused(kind):
    with pytest.raises(ValueError, match=r"teacher \(None, 9, 4\)"):
        kind("a", "b").bridge((None, 9, 4), (None, 7, 4))


def test_layers_inside_nested_models_are_found_and_trained():
    teacher, student = teaching.nested(6), teaching.nested(3, 2)
    loss = transfer.FeatureDistillation("backbone/inner/deep", "deep")
    model = transfer.Distiller(teacher, student, loss, None, 0.0)
    features = model.taught(X).features[0]
    kernel, bias = teacher.get_layer("backbone").get_layer("inner").get_weights()
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(features), X @ kernel + bias, rtol=1e-5, atol=1e-6
    )
    head = student.layers[-1].get_weights()
    deep = student.get_weights()[0]
    fit(model)
    assert same(student.layers[-1].get_weights(), head)
    assert not np.array_equal(student.get_weights()[0], deep)


def test_what_is_trainable_stays_so_where_layers_are_looked_at():
    student = teaching.nested(3, 2)
    backbone = student.get_layer("backbone")
    backbone.trainable = False
    backbone.get_layer("inner").trainable = True
    before = [weight.trainable for weight in student.weights]
    assert before == [True] * 4
    loss = transfer.FeatureDistillation("deep", "deep")
    model = transfer.Distiller(teaching.nested(6), student, loss)
    assert [weight.trainable for weight in student.weights] == before
    assert not backbone.trainable
    start = values(student)
    fit(model)
    moved = [
        not np.array_equal(*pair) for pair in zip(start, values(student), strict=True)
    ]
    assert moved == before


def test_a_nested_model_is_a_layer_too():
    loss = transfer.RelationalDistillation("backbone", "backbone/inner")
    model = transfer.Distiller(teaching.nested(6), teaching.nested(3), loss)
    assert model.taught(X).features[0].shape == (20, 6)
    fit(model)


def twice():
    dense = keras.layers.Dense(4, name="first")
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(3)(dense(dense(inputs))))


@pytest.mark.parametrize(
    ("student", "layer", "message"),
    [
        (network, "third", r"student_layer_name=\.\.\.\).*there are \['first'"),
        (twice, "first", "called once"),
    ],
)
def test_layers_that_cannot_be_seen_are_named(student, layer, message):
    loss = transfer.RelationalDistillation("first", layer)
    with pytest.raises(ValueError, match=message):
        transfer.Distiller(network(), student(), loss)


def five():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"teacher": 1}, TypeError, "teacher"),
        ({"student": None}, TypeError, "student"),
        ({"distillation_losses": "mse"}, TypeError, "distillation_losses"),
        ({"distillation_losses": []}, ValueError, "distillation_losses"),
        ({"distillation_loss_weights": [1.0, 2.0]}, ValueError, "one a loss"),
        ({"student_loss_weight": 1.5}, ValueError, "student_loss_weight"),
        ({"teacher": five()}, ValueError, r"teacher=.*of shape \[\(3,\)\]"),
    ],
)
def test_wrong_arguments_are_named(change, error, message):
    arguments = {
        "teacher": network(),
        "student": network(),
        "distillation_losses": transfer.SoftTargets(),
    }
    with pytest.raises(error, match=message):
        transfer.Distiller(**{**arguments, **change})


def test_student_is_saved_as_the_plain_model_it_is(tmp_path):
    student = network(4, 2)
    fit(transfer.Distiller(network(7), student, losses_of()))
    assert not student.compiled
    student.save(tmp_path / "student.keras")
    loaded = keras.models.load_model(tmp_path / "student.keras")
    assert type(loaded) is keras.Sequential
    assert same(values(loaded), values(student))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "ema",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("teacher", "students")),
    ],
)
def test_a_run_goes_on_from_weights_and_the_whole_is_not_saved(kind, tmp_path):
    def made():
        keras.utils.set_random_seed(0)  # of bridges
        student = network(4, 2)
        if kind == "students":
            return transfer.MutualLearning([student, network(5, 3)])
        teacher = network(7) if kind == "teacher" else transfer.EMATeacher(student, 0.5)
        return transfer.Distiller(teacher, student, losses_of())

    whole, first = made(), made()
    fit(whole, epochs=4)
    fit(first)
    with pytest.raises(NotImplementedError, match=r"`student.*save_weights"):
        first.save(tmp_path / "run.keras")
    first.save_weights(tmp_path / "run.weights.h5")
    again = made()
    fit(again, epochs=1)  # another state, which goes
    again.load_weights(tmp_path / "run.weights.h5")
    options = {"epochs": 4, "initial_epoch": 2, "verbose": 0}
    again.fit(X, Y, batch_size=5, shuffle=False, **options)
    assert same(values(again), values(whole))


def test_average_teacher_is_the_weighted_mean_of_softened_predictions():
    models = [network(4, 1), network(5, 2, "softmax"), network(6, 3)]
    teacher = transfer.AverageTeacher(models, [1, 3, 0], temperature=4.0)
    logits, soft = (keras.ops.convert_to_numpy(model(X)) for model in models[:2])
    mean = 0.25 * teaching.softmax(logits, 4) + 0.75 * teaching.softmax(np.log(soft), 4)
    ours = teaching.softmax(keras.ops.convert_to_numpy(teacher(X)), 4)
    np.testing.assert_allclose(ours, mean, rtol=1e-4)
    before = values(teacher)
    fit(transfer.Distiller(teacher, network(), transfer.SoftTargets(4.0)))
    assert same(values(teacher), before)
    with pytest.raises(ValueError, match="temperature"):
        transfer.Distiller(teacher, network(), transfer.SoftTargets(2.0))


@pytest.mark.parametrize("models", [[], [network()], network(), [network(), 1]])
def test_average_teacher_needs_models(models):
    with pytest.raises((TypeError, ValueError), match="models"):
        transfer.AverageTeacher(models)
