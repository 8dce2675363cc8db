"""Stages begin to learn one by one; the others stay exactly as they are."""

import keras
import numpy as np
import pytest

from perfkit import optimizers, transfer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 4)).astype("float32")
Y = RNG.normal(size=(32, 2)).astype("float32")
NAMES = ("a", "b", "c", "head_dense")


class Traced(keras.layers.Layer):
    """Identity that counts how often its Python code runs: once per trace."""

    traces = 0

    def call(self, inputs):
        Traced.traces += 1
        return inputs


def model_of(*, norms="frozen", optimizer="adam", wrap=None, nested=True):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    x = Traced(name="traced")(inputs)
    for name in NAMES[:3]:
        x = keras.layers.Dense(4, activation="tanh", name=name)(x)
        x = keras.layers.BatchNormalization(name=f"norm_{name}")(x)
    body = keras.Model(inputs, x, name="body")
    head = keras.layers.Dense(2, name="head_dense")
    if nested:
        new = keras.Input((4,))
        model = keras.Model(new, head(body(new)), name="net")
    else:
        model = keras.Model(inputs, head(x), name="net")
    transfer.unfreeze(model, batch_norm=norms)
    rates = optimizers.LayerwiseRates(optimizer, {"*": 1.0})
    model.compile(wrap(rates) if wrap else rates, "mse")
    return model


def layer_of(model, name):
    inside = [x for x in model.layers if isinstance(x, keras.Model)]
    holders = [*inside, model] if inside else [model]
    return next(x for h in holders for x in h.layers if x.name == name)


class Watching(keras.callbacks.Callback):
    """What layers hold at the end of each epoch, and how many traces there were."""

    def __init__(self, names):
        super().__init__()
        self.names, self.values, self.traces = names, [], []

    def _note(self):
        self.values.append(
            {
                name: [np.copy(w) for w in layer_of(self.model, name).weights]
                for name in self.names
            }
        )

    def on_train_begin(self, logs=None):
        self._note()

    def on_epoch_end(self, epoch, logs=None):
        self._note()
        self.traces.append(Traced.traces)

    def moved(self):
        """Names of the layers that moved, for each epoch."""
        pairs = zip(self.values, self.values[1:], strict=False)
        return [
            {
                name
                for name in self.names
                if any(
                    (a != b).any() for a, b in zip(old[name], new[name], strict=True)
                )
            }
            for old, new in pairs
        ]


def fit(model, thawing, epochs, first=0, **arguments):
    watching = Watching([*NAMES, *(f"norm_{name}" for name in NAMES[:3])])
    history = model.fit(
        X,
        Y,
        epochs=epochs,
        initial_epoch=first,
        batch_size=16,
        shuffle=False,
        verbose=0,
        callbacks=[thawing, watching],
        **arguments,
    )
    return watching, history.history


@pytest.mark.parametrize("nested", [True, False])
def test_one_stage_after_the_other_moves_and_nothing_is_compiled_again(nested):
    model = model_of(nested=nested, optimizer=keras.optimizers.AdamW(weight_decay=0.1))
    stages = ["b", "c", "head_dense"]
    unfreeze = transfer.GradualUnfreeze(stages=stages)
    watching, history = fit(model, unfreeze, 5)
    everything = set(NAMES)
    assert watching.moved() == [
        {"head_dense"},
        {"head_dense", "c"},
        {"head_dense", "c", "b"},
        everything,
        everything,
    ]
    assert history["stages"] == [1, 2, 3, 4, 4]
    assert len(set(watching.traces)) == 1


def test_every_says_after_how_many_epochs():
    watching, _ = fit(model_of(), transfer.GradualUnfreeze(2, stages=2), 4)
    assert watching.moved()[:2] == [{"head_dense"}] * 2
    assert watching.moved()[2:] == [set(NAMES)] * 2


@pytest.mark.parametrize("stop", [1, 2])
def test_a_run_that_is_resumed_equals_one_that_was_not_broken_off(stop, tmp_path):
    whole = model_of()
    fit(whole, transfer.GradualUnfreeze(stages=4), 4)
    begun = model_of()
    fit(begun, transfer.GradualUnfreeze(stages=4), stop)
    begun.save(tmp_path / "m.keras")
    resumed = keras.models.load_model(
        tmp_path / "m.keras", custom_objects={"Traced": Traced}
    )
    fit(resumed, transfer.GradualUnfreeze(stages=4), 4, first=stop)
    for a, b in zip(whole.weights, resumed.weights, strict=True):
        np.testing.assert_array_equal(np.array(a), np.array(b))


def test_rates_fall_by_the_ratio_from_stage_to_stage():
    model = model_of(optimizer=keras.optimizers.SGD(0.1))
    plain = model_of(optimizer=keras.optimizers.SGD(0.1))
    stages = ["b", "c", "head_dense"]
    start = [np.copy(layer_of(model, name).kernel) for name in NAMES]
    unfreeze = transfer.GradualUnfreeze(stages=stages, ratio=2.0)
    for net, more in ((model, [unfreeze]), (plain, [])):
        net.fit(X, Y, 32, 4, 0, initial_epoch=3, shuffle=False, callbacks=more)
    ratios = []
    for name, begun in zip(NAMES, start, strict=True):
        there = np.copy(layer_of(model, name).kernel) - begun
        alone = np.copy(layer_of(plain, name).kernel) - begun
        ratios.append(np.median(there / alone))
    np.testing.assert_allclose(ratios, [0.125, 0.25, 0.5, 1.0], rtol=1e-3)


def test_linear_probe_then_fine_tune():
    model = model_of()
    probe = transfer.LinearProbeThenFineTune(2, fine_tune_rate=0.25)
    watching, history = fit(model, probe, 3)
    assert watching.moved() == [{"head_dense"}, {"head_dense"}, set(NAMES)]
    assert history["stages"] == [1, 1, 2]
    assert set(model.optimizer.multipliers.values()) == {0.25}
    assert len(set(watching.traces)) == 1


def test_it_works_inside_of_other_optimizers_and_with_jit_compile():
    model = model_of(wrap=optimizers.WeightAverage)
    watching, _ = fit(model, transfer.GradualUnfreeze(stages=2), 2)
    assert watching.moved() == [{"head_dense"}, set(NAMES)]
    model = model_of()
    model.compile(model.optimizer, "mse", jit_compile=True)
    watching, _ = fit(model, transfer.GradualUnfreeze(stages=2), 2)
    assert watching.moved() == [{"head_dense"}, set(NAMES)]


def test_batch_normalization_that_learns_is_an_error_unless_asked_for():
    model = model_of(norms="train")
    with pytest.raises(ValueError, match=r"batch_norm=...\).*3 layers.*norm_a"):
        fit(model, transfer.GradualUnfreeze(), 1)
    unfreeze = transfer.GradualUnfreeze(stages=2, batch_norm="train")
    watching, _ = fit(model_of(norms="train"), unfreeze, 1)
    # Statistics move; scales and offsets belong to the stages that rest.
    assert watching.moved() == [{"head_dense", "norm_a", "norm_b", "norm_c"}]


def test_a_stage_that_is_frozen_is_an_error():
    model = model_of()
    layer_of(model, "a").trainable = False
    optimizer = optimizers.LayerwiseRates("adam", {"*": 1.0})
    model.compile(optimizer, "mse")
    stages = ["b", "head_dense"]
    with pytest.raises(ValueError, match=r"stages=...\).*body/a.*call `unfreeze`"):
        fit(model, transfer.GradualUnfreeze(stages=stages), 1)


def test_batch_normalization_that_learns_in_the_last_stage_is_an_error_too():
    model = model_of()
    layer_of(model, "norm_c").trainable = True
    model.compile(optimizers.LayerwiseRates("adam", {"*": 1.0}), "mse")
    with pytest.raises(ValueError, match=r"batch_norm=...\).*1 layers.*norm_c"):
        fit(model, transfer.GradualUnfreeze(stages=["c"]), 1)


@pytest.mark.parametrize("norms", ["frozen", "train"])
def test_a_number_of_stages_counts_the_layers_that_can_learn(norms):
    model = model_of(norms=norms)
    fit(model, transfer.GradualUnfreeze(stages=4, batch_norm=norms), 1)
    with pytest.raises(ValueError, match=r"within \[2, [47]\]") as told:
        fit(model, transfer.GradualUnfreeze(stages=8, batch_norm=norms), 1)
    assert ("[2, 4]" in str(told.value)) == (norms == "frozen")


def test_of_a_distiller_it_is_the_student_that_thaws():
    teacher, student = model_of(), model_of()
    taught = transfer.Distiller(
        teacher,
        student,
        transfer.FeatureDistillation("body/b", "body/b"),
    )
    taught.compile(optimizers.LayerwiseRates("adam", {"*": 1.0}), "mse")
    before = [np.copy(w) for w in layer_of(student, "a").weights]
    unfreeze = transfer.GradualUnfreeze(stages=["c", "head_dense"])
    taught.fit(X, Y, epochs=2, verbose=0, callbacks=[unfreeze])
    for old, new in zip(before, layer_of(student, "a").weights, strict=True):
        np.testing.assert_array_equal(old, np.copy(new))
    taught.fit(X, Y, epochs=3, initial_epoch=2, verbose=0, callbacks=[unfreeze])
    assert (before[0] != np.copy(layer_of(student, "a").kernel)).any()


def test_verbose_says_what_learns(capsys):
    fit(model_of(), transfer.GradualUnfreeze(stages=2, verbose=True), 3)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "epoch 1: body/a ... body/norm_c at 0 of the rate",
        "epoch 1: head_dense at 1 of the rate",
        "epoch 2: body/a ... body/norm_c at 0.385 of the rate",
        "epoch 2: head_dense at 1 of the rate",
    ]


def test_an_optimizer_without_rates_is_an_error():
    model = model_of()
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"LayerwiseRates.*Received: Adam"):
        fit(model, transfer.GradualUnfreeze(), 1)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (1, r"stages=...\)` must be a whole number of at least 2"),
        (["conv"], r"stages=...\)` must be something that selects a layer"),
        (["c", "b"], r"stages=...\).*in the order of the model"),
        (["a"], r"stages=...\).*begin at \['body/a'\]"),
        (99, r"stages=...\)` must be a whole number within \[2, 4\]"),
    ],
)
def test_wrong_stages(stages, message):
    with pytest.raises(ValueError, match=message):
        fit(model_of(), transfer.GradualUnfreeze(stages=stages), 1)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"GradualUnfreeze\(every=...\)"):
        transfer.GradualUnfreeze(0)
    with pytest.raises(ValueError, match=r"GradualUnfreeze\(ratio=...\)"):
        transfer.GradualUnfreeze(ratio=0.5)
    with pytest.raises(ValueError, match=r"GradualUnfreeze\(batch_norm=...\)"):
        transfer.GradualUnfreeze(batch_norm="off")
    with pytest.raises(ValueError, match=r"LinearProbeThenFineTune\(epochs=...\)"):
        transfer.LinearProbeThenFineTune(0)
    with pytest.raises(ValueError, match=r"fine_tune_rate=...\).*2"):
        transfer.LinearProbeThenFineTune(1, fine_tune_rate=2)


def test_discriminative_rates_are_kept_in_a_file(tmp_path):
    model = model_of()
    optimizer = transfer.discriminative_rates(
        model, "sgd", stages=["c", "head_dense"], ratio=4.0
    )
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(
        tmp_path / "m.keras", custom_objects={"Traced": Traced}
    )
    found = list(again.optimizer.multipliers.values())
    assert found == [1 / 16] * 4 + [1 / 4] * 2 + [1.0] * 2
    assert found == list(model.optimizer.multipliers.values())
