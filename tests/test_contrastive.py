"""Losses of pairs and views against their papers in NumPy."""

import keras
import numpy as np
import pytest

from perfkit import layers, losses
from perfkit.losses import CLIP, NTXent, SigLIP, SupCon

DRAW = np.random.default_rng(0)
LOGITS = (3.0 * DRAW.normal(size=(5, 5))).astype("float32")
VECTORS = DRAW.normal(size=(6, 4)).astype("float32")
LABELS = np.array([2, 0, 2, 1, 2, 0])  # class 1 has one sample
WEIGHTS = np.array([1.0, 0.0, 2.0, 0.5, 3.0, 1.0], "float32")


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def softmax(logits, axis):
    powers = np.exp(logits.astype("float64"))
    return powers / powers.sum(axis=axis, keepdims=True)


def clip_paper(logits):
    """For each pair, the mean of both cross-entropies."""
    rows, columns = softmax(logits, 1), softmax(logits, 0)
    return np.array([-0.5 * np.log(rows[i, i] * columns[i, i]) for i in range(5)])


def siglip_paper(logits):
    """The double sum over the batch, as printed."""
    total = 0.0
    for i in range(5):
        for j in range(5):
            z = 1.0 if i == j else -1.0
            total += np.log(1.0 / (1.0 + np.exp(-z * float(logits[i, j]))))
    return -total / 5


def sup_con_paper(vectors, labels, temperature):
    """Equation 2, anchor by anchor; 0 for one without positives."""
    z = vectors.astype("float64")
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    costs = []
    for i in range(len(z)):
        others = [a for a in range(len(z)) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        below = sum(np.exp(z[i] @ z[a] / temperature) for a in others)
        logs = [np.log(np.exp(z[i] @ z[p] / temperature) / below) for p in positives]
        costs.append(-np.mean(logs) if logs else 0.0)
    return np.array(costs)


def reduced(each, weights, reduction):
    each = each if weights is None else each * weights
    total = weights.sum() if "with" in str(reduction) and weights is not None else None
    kinds = {None: each, "sum": each.sum()}
    return kinds.get(reduction, each.sum() / (total or len(each)))


REDUCTIONS = pytest.mark.parametrize(
    "reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", None]
)


@REDUCTIONS
@pytest.mark.parametrize("weights", [None, WEIGHTS[:5]])
def test_clip_is_both_cross_entropies_of_the_diagonal(reduction, weights):
    loss = CLIP(reduction=reduction)
    expected = reduced(clip_paper(LOGITS), weights, reduction)
    found = numpy(loss(np.zeros(5), LOGITS, weights))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_siglip_is_the_double_sum_of_the_paper():
    found = float(SigLIP()(np.zeros(5), LOGITS))
    assert found == pytest.approx(siglip_paper(LOGITS), rel=1e-5)


def test_a_pair_of_siglip_is_half_of_its_row_and_of_its_column():
    weights = np.array([0.0, 1.0, 0.0, 0.0, 0.0])
    signs = 2.0 * np.eye(5) - 1.0
    costs = np.log1p(np.exp(-signs * LOGITS.astype("float64")))
    expected = 0.5 * (costs[1].sum() + costs[:, 1].sum())
    found = float(SigLIP(reduction="sum")(np.zeros(5), LOGITS, weights))
    assert found == pytest.approx(expected, rel=1e-5)


@REDUCTIONS
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("column", [False, True])
def test_sup_con_is_equation_2_of_the_paper(reduction, weights, column):
    labels = LABELS[:, None] if column else LABELS
    loss = SupCon(0.3, reduction=reduction)
    expected = reduced(sup_con_paper(VECTORS, LABELS, 0.3), weights, reduction)
    found = numpy(loss(labels, VECTORS, weights))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_views_of_a_sample_have_its_label():
    views = DRAW.normal(size=(4, 3, 5)).astype("float32")
    labels = np.array([7, 1, 7, 3])
    each = sup_con_paper(views.reshape(12, 5), np.repeat(labels, 3), 0.2)
    found = numpy(SupCon(0.2, reduction=None)(labels, views))
    np.testing.assert_allclose(found, each.reshape(4, 3).mean(axis=1), rtol=1e-5)


def nt_xent_paper(pairs, temperature):
    """Equation 1 and algorithm 1: `l(2k-1, 2k) + l(2k, 2k-1)` over `2 N`."""
    z = pairs.reshape(-1, pairs.shape[-1]).astype("float64")
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    s = np.exp(z @ z.T / temperature)
    total = 0.0
    for i in range(len(z)):
        below = s[i].sum() - s[i, i]
        total -= np.log(s[i, i ^ 1] / below)
    return total / len(z)


def test_nt_xent_is_algorithm_1_along_an_axis_and_along_the_batch():
    pairs = DRAW.normal(size=(5, 2, 3)).astype("float32")
    loss, labels = NTXent(0.5), np.array([3, 3, 3, 3, 3])
    expected = nt_xent_paper(pairs, 0.5)
    assert float(loss(labels, pairs)) == pytest.approx(expected, rel=1e-5)
    flat = pairs.reshape(10, 3)
    assert float(loss(labels, flat)) == pytest.approx(expected, rel=1e-5)


def test_one_view_makes_nt_xent_nan_and_a_lonely_class_costs_sup_con_nothing():
    assert np.isnan(float(NTXent()(LABELS, VECTORS)))
    found = numpy(SupCon(reduction=None)(np.arange(6), VECTORS))
    assert found.tolist() == [0.0] * 6


def gradients(function, x):
    """By the backend, of a number, in float32."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.jit(jax.grad(function))(x))
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x).numpy()


def apart(function, x, step=1e-2):
    """Differences of a function in place of its gradient."""
    found = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        ends = []
        for sign in (1.0, -1.0):
            moved = x.astype("float64")
            moved[place] += sign * step
            ends.append(function(moved))
        found[place] = (ends[0] - ends[1]) / (2.0 * step)
    return found


def test_gradients_are_those_of_the_papers_and_no_self_pair_spoils_them():
    loss = SupCon(0.5)
    found = gradients(lambda x: loss(LABELS, x), VECTORS)
    expected = apart(lambda x: sup_con_paper(x, LABELS, 0.5).mean(), VECTORS, 1e-4)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("zeros", [1, 6])
def test_embeddings_of_zeros_and_of_any_size_have_finite_gradients(zeros):
    vectors = VECTORS * np.array([[1e9], [1e-9], [1.0], [1.0], [1.0], [1.0]], "float32")
    vectors[:zeros] = 0.0
    loss = SupCon(0.01)
    found = gradients(lambda x: loss(LABELS, x), vectors)
    assert np.isfinite(found).all()
    assert (found[:zeros] == 0.0).all()


@pytest.mark.parametrize("kind", [CLIP, SigLIP])
def test_large_logits_neither_overflow_nor_lose_what_they_cost(kind):
    logits = np.array([[-2000.0, 2000.0], [0.0, 3000.0]], "float32")
    cost = {CLIP: 0.5 * (4000.0 + 2000.0), SigLIP: 2000.0 + 2000.0}[kind]
    if kind is CLIP:  # the second is right in its row, and in its column
        expected = [cost, 0.0]
    else:
        half = 0.5 * (2000.0 + np.log(2.0))
        expected = [2000.0 + half, half]
    loss = kind(reduction=None)
    np.testing.assert_allclose(numpy(loss(np.zeros(2), logits)), expected, rtol=1e-5)
    found = gradients(lambda x: keras.ops.sum(loss(np.zeros(2), x)), logits)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_with_in_float32(dtype):
    vectors = keras.ops.cast(100.0 * VECTORS, dtype)
    exact = numpy(keras.ops.cast(vectors, "float32"))
    expected = sup_con_paper(exact, LABELS, 0.05).mean()
    assert float(SupCon(0.05)(LABELS, vectors)) == pytest.approx(expected, rel=1e-5)


def test_a_head_gives_scaled_cosines_and_a_bias():
    texts = DRAW.normal(size=(3, 4)).astype("float32")
    head = layers.SimilarityHead(10.0, bias=-3.0)
    first, second = VECTORS.astype("float64"), texts.astype("float64")
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    second = second / np.linalg.norm(second, axis=1, keepdims=True)
    found = numpy(head([VECTORS, texts]))
    np.testing.assert_allclose(found, 10.0 * first @ second.T - 3.0, rtol=1e-4)
    assert len(head.trainable_variables) == 2
    fixed = layers.SimilarityHead(learned=False)
    fixed.build([(None, 4), (None, 4)])
    assert len(fixed.trainable_variables) == 0


def test_a_head_knows_shapes_and_dtypes_before_it_sees_numbers():
    first, second = keras.Input((4,)), keras.Input((4,), batch_size=3)
    logits = layers.SimilarityHead()([first, second])
    assert tuple(logits.shape) == (None, 3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_logits_are_float32_under_a_policy_of_half_precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        head, other = layers.SimilarityHead(), layers.SimilarityHead(dtype="float64")
        halves = keras.ops.cast(VECTORS, policy.partition("_")[2])
        logits = head([halves, halves])
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"
        assert other.compute_dtype == "float64"
    finally:
        keras.config.set_dtype_policy(before)


def test_a_scale_is_clipped_after_a_step_and_comes_back():
    head = layers.SimilarityHead(90.0)
    head.build([(None, 4), (None, 4)])
    free = layers.SimilarityHead(90.0, max_scale=None)
    free.build([(None, 4), (None, 4)])
    for step, clipped, unclipped in ((-1.0, 100.0, 90.0 * np.e), (1.0, 100 / np.e, 90)):
        for layer, expected in ((head, clipped), (free, unclipped)):
            optimizer = keras.optimizers.SGD(1.0)
            optimizer.build([layer.log_scale])
            optimizer.apply([keras.ops.convert_to_tensor(step)])
            scale = np.exp(float(layer.log_scale))
            assert scale == pytest.approx(expected, rel=1e-4)


LOSSES = {
    "clip": CLIP(reduction="sum"),
    "siglip": SigLIP(),
    "sup_con": SupCon(0.2, name="other"),
    "nt_xent": NTXent(0.3, dtype="float64"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_made_again_from_its_config(name):
    config = keras.saving.serialize_keras_object(LOSSES[name])
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(LOSSES[name])
    assert again.get_config() == LOSSES[name].get_config()


def two_encoders(head):
    first, second = keras.Input((6,)), keras.Input((3,))
    ends = [keras.layers.Dense(4)(x) for x in (first, second)]
    return keras.Model([first, second], head(ends))


MODELS = {
    "clip": (CLIP, {}),
    "siglip": (SigLIP, {"scale": 10.0, "bias": -10.0, "max_scale": None}),
}


@pytest.mark.parametrize(
    "name", ["clip", pytest.param("siglip", marks=pytest.mark.slow)]
)
def test_two_encoders_train_in_fit_and_are_saved(name, tmp_path, seeded):
    kind, arguments = MODELS[name]
    model = two_encoders(layers.SimilarityHead(**arguments))
    x = [DRAW.normal(size=(16, 6)), DRAW.normal(size=(16, 3))]
    y = np.zeros(16)
    model.compile(keras.optimizers.Adam(0.03), kind(), jit_compile=True)
    before = model.evaluate(x, y, batch_size=16, verbose=0)
    scale = float(model.layers[-1].log_scale)
    model.fit(x, y, batch_size=16, epochs=15, verbose=0, sample_weight=np.ones(16))
    after = model.evaluate(x, y, batch_size=16, verbose=0)
    assert after < 0.9 * before
    assert float(model.layers[-1].log_scale) != scale
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = loaded.evaluate(x, y, batch_size=16, verbose=0)
    assert found == pytest.approx(after, rel=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.slow
def test_encoders_in_half_precision_train(policy):
    first, second = keras.Input((6,)), keras.Input((3,))
    ends = [keras.layers.Dense(4, dtype=policy)(x) for x in (first, second)]
    model = keras.Model([first, second], layers.SimilarityHead()(ends))
    assert model.output.dtype == "float32"
    x = [DRAW.normal(size=(20, 6)), DRAW.normal(size=(20, 3))]
    model.compile("adam", CLIP(), jit_compile=True)
    history = model.fit(x, np.zeros(20), batch_size=8, epochs=3, verbose=0).history
    assert np.isfinite(history["loss"]).all()  # the last batch is smaller


@pytest.mark.slow
def test_two_passes_make_the_views_of_nt_xent(seeded):
    encoder = keras.Sequential(
        [keras.Input((20,)), keras.layers.Dropout(0.2, seed=1), keras.layers.Dense(4)]
    )
    model = losses.TwoPasses(encoder)
    model.compile(keras.optimizers.Adam(0.03), NTXent(), jit_compile=True)
    x = np.random.default_rng(0).normal(size=(16, 20))
    history = model.fit(x, np.zeros(16), epochs=80, batch_size=16, verbose=0).history
    assert np.mean(history["loss"][-10:]) < 0.7 * np.mean(history["loss"][:10])


WRONG = [
    lambda: SupCon(0.0),
    lambda: NTXent(-1.0),
    lambda: CLIP(dtype="float16"),
    lambda: SupCon(dtype="bfloat16"),
    lambda: layers.SimilarityHead(0.0),
    lambda: layers.SimilarityHead(10.0, max_scale=5.0),
    lambda: layers.SimilarityHead(bias="no"),
]


@pytest.mark.parametrize("make", WRONG)
def test_what_is_out_of_bounds_is_told(make):
    with pytest.raises((ValueError, TypeError), match=r"must be .* Received: "):
        make()


MISFITS = [
    lambda: SupCon()(np.eye(6), VECTORS),
    lambda: SupCon()(LABELS, VECTORS[:, 0]),
    lambda: NTXent()(np.zeros(4), VECTORS),
    lambda: CLIP()(np.zeros(5), LOGITS[:4]),
    lambda: SigLIP()(np.zeros(5), VECTORS[:, 0]),
    lambda: CLIP()(np.zeros(4), LOGITS),
    lambda: layers.SimilarityHead()(VECTORS),
    lambda: layers.SimilarityHead()([VECTORS, VECTORS[:, :3]]),
]


@pytest.mark.parametrize("call", MISFITS)
def test_shapes_that_fit_nothing_are_told(call):
    with pytest.raises(ValueError, match=r"must be .*Received: "):
        call()


def share_found(first, second):
    """Share of rows whose partner has the highest cosine."""
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    second = second / np.linalg.norm(second, axis=1, keepdims=True)
    return float(((first @ second.T).argmax(axis=1) == np.arange(len(first))).mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_partners_that_were_never_seen_are_found_after_training(name, seeded):
    """Two noisy linear pictures of the same eight numbers."""
    draw = np.random.default_rng(1)
    hidden = draw.normal(size=(2100, 8))
    seen = [
        np.tanh(hidden @ draw.normal(size=(8, 24))) + 0.1 * draw.normal(size=(2100, 24))
        for _ in range(2)
    ]
    encoders = [
        keras.Sequential(
            [
                keras.Input((24,)),
                keras.layers.Dense(64, activation="relu"),
                keras.layers.Dense(16),
            ]
        )
        for _ in range(2)
    ]

    def found():
        pairs = zip(encoders, seen, strict=True)
        return share_found(*[numpy(encoder(x[2000:])) for encoder, x in pairs])

    before = found()
    kind, arguments = MODELS[name]
    inputs = [keras.Input((24,)), keras.Input((24,))]
    ends = [encoder(x) for encoder, x in zip(encoders, inputs, strict=True)]
    model = keras.Model(inputs, layers.SimilarityHead(**arguments)(ends))
    model.compile(keras.optimizers.Adam(3e-3), kind())
    model.fit([x[:2000] for x in seen], np.zeros(2000), 100, epochs=20, verbose=0)
    assert before < 0.05
    assert found() > 0.6, found()
