"""What Keras's optimizers get wrong, by the numbers of the findings, and ours not."""

import keras
import numpy as np
import pytest

from perfkit import optimizers

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = np.sin(X.sum(axis=1, keepdims=True)).astype("float32")


def blocks():
    return [
        keras.layers.Dense(4, activation="tanh", name="enc"),
        keras.layers.Dense(1, name="head"),
    ]


def sequential():
    return keras.Sequential([keras.Input((3,)), *blocks()])


def functional():
    outputs = inputs = keras.Input((3,))
    for layer in blocks():
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def fit(model, *hooks, epochs=1):
    model.fit(
        X, Y, batch_size=6, epochs=epochs, shuffle=False, verbose=0, callbacks=[*hooks]
    )


class At(keras.callbacks.Callback):
    """Call a function of the model as an epoch begins."""

    def __init__(self, epoch, function):
        super().__init__()
        self.epoch, self.function = epoch, function

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.function(self.model)


def moved(model, before):
    return [(new != old).any() for new, old in zip(model.get_weights(), before)]  # noqa: B905


def test_k4_a_layer_that_is_unfrozen_in_fit_is_not_trained_by_keras_and_by_ours():
    def unfreeze(model):
        model.get_layer("enc").trainable = True

    theirs = sequential()
    theirs.get_layer("enc").trainable = False
    theirs.compile("sgd", "mse", jit_compile=True)
    before = theirs.get_layer("enc").get_weights()
    if keras.backend.backend() == "jax":
        with pytest.raises(ValueError):  # noqa: PT011  Keras has several words for it
            fit(theirs, At(1, unfreeze), epochs=2)
    else:
        fit(theirs, At(1, unfreeze), epochs=2)
        after = theirs.get_layer("enc").get_weights()
        np.testing.assert_array_equal(after[0], before[0])

    ours = sequential()
    ours.compile(
        optimizers.LayerwiseRates(keras.optimizers.SGD(0.1), {"enc": 0.0}),
        "mse",
        jit_compile=True,
    )
    before = ours.get_weights()
    fit(ours)
    assert moved(ours, before) == [False, False, True, True]
    fit(ours, At(0, lambda model: model.optimizer.set("enc", 0.5)))
    assert moved(ours, before) == [True] * 4


def test_k5_a_factor_may_change_within_an_epoch_and_is_not_traced_again():
    traces = []

    class Counting(keras.layers.Layer):
        def call(self, inputs):
            traces.append(1)
            return inputs

    class Freeze(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch in (1, 3):
                self.model.optimizer.set("enc", 0.0 if batch == 1 else 1.0)
                weights.append(self.model.get_weights()[0].copy())

    model = keras.Sequential([keras.Input((3,)), Counting(), *blocks()])
    inner = keras.optimizers.AdamW(0.01)
    model.compile(
        optimizers.LayerwiseRates(inner, {"enc": 1.0}), "mse", jit_compile=True
    )
    weights = []
    fit(model)
    before = len(traces)
    fit(model, Freeze())
    assert len(traces) == before
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (model.get_weights()[0] != weights[1]).all()


def test_k6_a_pattern_of_keras_matches_in_one_kind_of_model_only_and_ours_in_both():
    theirs, ours = [], []
    for make in (sequential, functional):
        variables = make().trainable_variables
        chosen = keras.optimizers.SGD(0.0)
        rest = keras.optimizers.SGD(1.0)
        pairs = keras.optimizers.OptimizerMap(rest, {"enc/.*": chosen})
        mapped = keras.optimizers.MultiOptimizer(pairs)
        mapped.build(variables)
        theirs.append(bool(chosen.built))
        wrapped = optimizers.LayerwiseRates(keras.optimizers.SGD(1.0), {"enc/*": 0.0})
        wrapped.build(variables)
        ours.append(list(wrapped.multipliers.values()))
    assert theirs == [False, True]
    assert ours == [[0.0, 0.0, 1.0, 1.0]] * 2


def test_k7_a_norm_is_that_of_each_optimizer_in_keras_and_of_all_gradients_in_ours():
    def steps(optimizer):
        variables = [keras.Variable([0.0], name=name) for name in ("a", "b")]
        gradients = [keras.ops.array([3.0]), keras.ops.array([4.0])]
        optimizer.apply(gradients, variables)
        return [-float(v.numpy()[0]) for v in variables]

    def clipped():
        return keras.optimizers.SGD(1.0, global_clipnorm=1.0)

    pairs = keras.optimizers.OptimizerMap(clipped(), {"a": clipped()})
    theirs = keras.optimizers.MultiOptimizer(pairs)
    assert steps(theirs) == pytest.approx([1.0, 1.0])
    ours = optimizers.LayerwiseRates(clipped(), {"a": 0.5})
    assert steps(ours) == pytest.approx([0.5 * 0.6, 0.8])


def nothing(y, predicted):
    """A loss without a gradient."""
    return 0.0 * predicted


@pytest.mark.parametrize("no_decay", [True, ["bias"]])
def test_k12_what_is_spared_from_decay_stays_so_after_loading(no_decay, tmp_path):
    def loaded(optimizer):
        model = sequential()
        model.set_weights([np.ones_like(w) for w in model.get_weights()])
        model.compile(optimizer, nothing)
        optimizer.build(model.trainable_variables)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(
            tmp_path / "model.keras", custom_objects={"nothing": nothing}
        )
        fit(again)
        return again.get_weights()

    theirs = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    theirs.exclude_from_weight_decay(var_names=["bias"])
    assert all((weights < 1.0).all() for weights in loaded(theirs))
    inner = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    for weights in loaded(optimizers.NoDecay(inner, no_decay)):
        assert (weights == 1.0).all() == (weights.ndim == 1)


@pytest.mark.parametrize(
    ("inner", "no_decay", "message"),
    [
        (keras.optimizers.SGD(0.1), True, "with `weight_decay`"),
        (optimizers.LAMB(0.1), True, "give `no_decay=` to this one"),
        (keras.optimizers.AdamW(), False, "True or a list"),
        (keras.optimizers.AdamW(), "bias", "list of name patterns"),
    ],
)
def test_where_nothing_is_to_be_spared_it_is_an_error(inner, no_decay, message):
    with pytest.raises(ValueError, match=message):
        optimizers.NoDecay(inner, no_decay)


def test_what_is_spared_is_seen_through_other_wrappers():
    decaying = keras.optimizers.SGD(0.5, weight_decay=0.5)
    inner = optimizers.GradientCentralization(decaying)
    variables = [keras.Variable([1.0], name=name) for name in ("kernel", "bias")]
    optimizers.NoDecay(inner, ["bias"]).apply([keras.ops.zeros(1)] * 2, variables)
    assert [float(v.numpy()[0]) for v in variables] == [0.75, 1.0]


def test_rows_of_an_embedding_go_through_every_wrapper():
    for wrap in (
        optimizers.GradientCentralization,
        optimizers.Lookahead,
        lambda inner: optimizers.Accumulate(inner, 1),
        optimizers.SharpnessAware,
    ):
        table = keras.layers.Embedding(5, 2, embeddings_initializer="ones")
        model = keras.Sequential([keras.Input((2,), dtype="int32"), table])
        model.compile(wrap(keras.optimizers.SGD(0.1)), "mse", jit_compile=True)
        optimizers.attach(model)
        targets = np.random.default_rng(0).normal(size=(2, 2, 2))
        model.fit(np.array([[1, 1], [3, 1]]), targets, verbose=0)
        changed = (table.get_weights()[0] != 1.0).any(axis=1)
        assert changed[[1, 3]].all()
        if wrap is not optimizers.GradientCentralization:
            assert not changed[[0, 2, 4]].any()
