"""Layers that weigh channels and places, against the papers' formulas in NumPy."""

import keras
import numpy as np
import pytest

from perfkit import layers
from tests.layer_conformance.common import numpy, set_weights

pytestmark = pytest.mark.usefixtures("seeded")

SHAPE = (2, 5, 6, 8)
KINDS = {
    "se": lambda **more: layers.SqueezeExcite(4, **more),
    "se_hard": lambda **more: layers.SqueezeExcite(4, gate="hard_sigmoid", **more),
    "eca": lambda **more: layers.EfficientChannelAttention(**more),
    "eca_wide": lambda **more: layers.EfficientChannelAttention(5, **more),
    "cbam": lambda **more: layers.CBAM(4, kernel_size=3, **more),
    "coordinate": lambda **more: layers.CoordinateAttention(**more),
    "context": lambda **more: layers.GlobalContext(2, **more),
    "context_scale": lambda **more: layers.GlobalContext(2, fusion="scale", **more),
    "non_local": lambda **more: layers.NonLocal2D(**more),
    "non_local_pooled": lambda **more: layers.NonLocal2D(4, pool_size=2, **more),
    "sim_am": lambda **more: layers.SimAM(0.01, **more),
}
EVERY = pytest.mark.parametrize("kind", KINDS)


def image(*shape):
    return np.random.default_rng(0).normal(size=shape or SHAPE).astype("float32")


def built(kind, **more):
    """A layer with weights that tell places and channels apart."""
    layer = KINDS[kind](**more)
    layer(image())
    set_weights(layer)
    return layer


def weights_of(layer):
    return {
        weight.path.split("/", 1)[1]: numpy(weight).astype("float64")
        for weight in layer.weights
    }


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(x + 3.0, 0.0, 6.0) / 6.0


def relu(x):
    return np.maximum(x, 0.0)


def softmax(x):
    powers = np.exp(x)
    return powers / powers.sum()


def batch_norm(x, w):
    deviation = np.sqrt(w["normalize/moving_variance"] + 1e-5)
    return (x - w["normalize/moving_mean"]) / deviation * w["normalize/gamma"] + w[
        "normalize/beta"
    ]


def convolved(x, kernel):
    """Correlation with zeros around, place by place."""
    reach = kernel.shape[0] // 2
    padded = np.pad(x, ((reach, reach), (reach, reach), (0, 0)))
    size = kernel.shape[0]
    return np.array(
        [
            [
                np.einsum("ijc,ijcf->f", padded[i : i + size, j : j + size], kernel)
                for j in range(x.shape[1])
            ]
            for i in range(x.shape[0])
        ]
    )


def of_squeeze_excite(x, w, gate=sigmoid):
    units = relu(x.mean((0, 1)) @ w["reduce/kernel"] + w["reduce/bias"])
    return x * gate(units @ w["expand/kernel"] + w["expand/bias"])


def of_neighbours(x, w):
    kernel = w["mix/kernel"][:, 0, 0]
    reach = len(kernel) // 2
    padded = np.pad(x.mean((0, 1)), reach)
    mixed = [padded[c : c + len(kernel)] @ kernel for c in range(x.shape[-1])]
    return x * sigmoid(np.array(mixed))


def of_cbam(x, w):
    def bottleneck(vector):
        return relu(vector @ w["reduce/kernel"]) @ w["expand/kernel"]

    x = x * sigmoid(bottleneck(x.mean((0, 1))) + bottleneck(x.max((0, 1))))
    seen = np.stack([x.mean(-1), x.max(-1)], axis=-1)
    return x * sigmoid(batch_norm(convolved(seen, w["look/kernel"]), w))


def of_coordinates(x, w):
    def bottleneck(line):
        units = batch_norm(line @ w["reduce/kernel"], w)
        return units * hard_sigmoid(units)

    rows = [sigmoid(bottleneck(row.mean(0)) @ w["rows/kernel"]) for row in x]
    columns = [
        sigmoid(bottleneck(column.mean(0)) @ w["columns/kernel"])
        for column in x.swapaxes(0, 1)
    ]
    return np.array(
        [
            [x[i, j] * rows[i] * columns[j] for j in range(x.shape[1])]
            for i in range(x.shape[0])
        ]
    )


def of_context(x, w, fuse=np.add):
    places = x.reshape(-1, x.shape[-1])
    context = softmax(places @ w["scores/kernel"][:, 0]) @ places
    units = context @ w["reduce/kernel"] + w["reduce/bias"]
    units = (units - units.mean()) / np.sqrt(units.var() + 1e-5)
    units = relu(units * w["normalize/gamma"] + w["normalize/beta"])
    return fuse(x, units @ w["expand/kernel"] + w["expand/bias"])


def of_all_places(x, w, pool_size=1):
    height, width = (size // pool_size for size in x.shape[:2])
    squares = x[: height * pool_size, : width * pool_size]
    squares = squares.reshape(height, pool_size, width, pool_size, -1)
    keys = squares.max((1, 3)).reshape(height * width, -1)
    found = np.empty((*x.shape[:2], w["value/kernel"].shape[1]))
    for place in np.ndindex(x.shape[:2]):
        query = x[place] @ w["query/kernel"] + w["query/bias"]
        alike = keys @ w["key/kernel"] @ query / np.sqrt(len(query))
        found[place] = softmax(alike) @ (keys @ w["value/kernel"])
    return x + batch_norm(found @ w["expand/kernel"], w)


def of_energy(x, w):
    """The least energy of equation 5 of the paper, inverted as they sum it up."""
    out = np.empty_like(x)
    count = x.shape[0] * x.shape[1]
    for c in range(x.shape[-1]):
        values = x[..., c]
        variance = ((values - values.mean()) ** 2).sum() / (count - 1)
        least = 4 * (variance + 0.01)
        least /= (values - values.mean()) ** 2 + 2 * variance + 2 * 0.01
        out[..., c] = values * sigmoid(1.0 / least)
    return out


FORMULAS = {
    "se": of_squeeze_excite,
    "se_hard": lambda x, w: of_squeeze_excite(x, w, hard_sigmoid),
    "eca": of_neighbours,
    "eca_wide": of_neighbours,
    "cbam": of_cbam,
    "coordinate": of_coordinates,
    "context": of_context,
    "context_scale": lambda x, w: of_context(x, w, lambda x, y: x * sigmoid(y)),
    "non_local": of_all_places,
    "non_local_pooled": lambda x, w: of_all_places(x, w, 2),
    "sim_am": of_energy,
}


def expected(kind, layer, x):
    w = weights_of(layer)
    return [FORMULAS[kind](sample, w) for sample in x.astype("float64")]


@EVERY
def test_they_are_the_formulas_of_their_papers(kind):
    layer, x = built(kind), image()
    np.testing.assert_allclose(
        numpy(layer(x)), expected(kind, layer, x), rtol=1e-5, atol=1e-5
    )


@EVERY
def test_they_begin_as_the_identity_exactly_in_training_too(kind):
    for dtype in ("float32", "mixed_float16"):
        layer = KINDS[kind](identity=True, dtype=dtype)
        x = image().astype(layer.compute_dtype)
        for training in (False, True):
            np.testing.assert_array_equal(numpy(layer(x, training=training)), x)


@EVERY
def test_what_begins_as_the_identity_learns_in_two_steps(kind):
    inputs = keras.Input(SHAPE[1:])
    layer = KINDS[kind](identity=True)
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = [numpy(weight) for weight in layer.trainable_weights]
    for _ in range(2):
        model.train_on_batch(image(), image()[::-1])
    moved = [
        np.abs(numpy(weight) - value).max() > 0.0
        for weight, value in zip(layer.trainable_weights, before, strict=True)
    ]
    assert all(moved)


STRONG = [kind for kind in KINDS if kind not in ("context", "non_local")]


@pytest.mark.parametrize("kind", [k for k in STRONG if k != "non_local_pooled"])
def test_at_strength_one_it_is_the_layer_without(kind):
    layer, x = built(kind, identity=True), image()
    wanted = built(kind)
    wanted.set_weights([numpy(w) for w in layer.weights if w is not layer.strength])
    for strength in (0.25, 1.0):
        layer.strength.assign(np.full(SHAPE[-1:], strength))
        mixed = x + strength * (numpy(wanted(x)) - x)
        np.testing.assert_allclose(numpy(layer(x)), mixed, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "size"), [(2, 3), (8, 3), (64, 3), (128, 5), (512, 5), (2048, 7)]
)
def test_kernel_grows_with_the_channels_as_the_paper_says(channels, size):
    # t = (log2(channels) + 1) / 2, to the next odd number.
    layer = layers.EfficientChannelAttention()
    layer.build((None, 4, 4, channels))
    assert layer.count_params() == size


def test_a_bottleneck_has_a_unit_however_few_the_channels_are():
    for kind in (layers.SqueezeExcite, layers.CBAM, layers.GlobalContext):
        layer = kind(16)
        layer.build((None, 4, 4, 3))
        assert layer.reduce.units == 1
    layer = layers.CoordinateAttention()
    layer.build((None, 4, 4, 3))
    assert layer.reduce.units == 8


def test_an_image_of_one_place_has_no_place_that_stands_out():
    x = image(2, 1, 1, 3)
    np.testing.assert_allclose(numpy(layers.SimAM()(x)), x * sigmoid(0.5), rtol=1e-6)


def test_means_of_many_places_are_made_in_float32():
    # 64 * 64 values of 100 are beyond float16.
    x = np.full((1, 64, 64, 2), 100.0, "float16")
    for kind in (layers.SqueezeExcite, layers.SimAM, layers.CoordinateAttention):
        outputs = numpy(kind(dtype="mixed_float16")(x))
        assert np.isfinite(outputs).all()


@pytest.mark.parametrize(
    ("kind", "argument", "value"),
    [
        (layers.SqueezeExcite, "ratio", 0),
        (layers.SqueezeExcite, "gate", "tanh"),
        (layers.SqueezeExcite, "data_format", "x"),
        (layers.CBAM, "kernel_size", 4),
        (layers.EfficientChannelAttention, "kernel_size", 2),
        (layers.EfficientChannelAttention, "gamma", 0.0),
        (layers.CoordinateAttention, "ratio", 0),
        (layers.GlobalContext, "fusion", "x"),
        (layers.NonLocal2D, "pool_size", 0),
        (layers.SimAM, "epsilon", 0.0),
    ],
)
def test_a_wrong_argument_is_named(kind, argument, value):
    with pytest.raises(ValueError, match=rf"`{kind.__name__}\({argument}=...\)` must"):
        kind(**{argument: value})
