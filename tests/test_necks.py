"""Pyramids of feature maps against NumPy, from the papers."""

import keras
import numpy as np
import pytest

from perfkit import layers
from perfkit.ops import pyramids
from tests.layer_conformance.common import numpy, set_weights

RNG = np.random.default_rng(0)
# Odd and even sizes, each half of the one before, rounded up.
MAPS = [
    RNG.normal(size=(2, rows, columns, channels)).astype("float32")
    for rows, columns, channels in ((7, 8, 3), (4, 4, 5), (2, 2, 4))
]


def convolved(x, kernel, stride=1):
    """A convolution whose padding is that of `"same"`, by plain sums."""
    size = kernel.shape[0]
    rows, columns = (-(-n // stride) for n in x.shape[1:3])
    pads = [
        max((many - 1) * stride + size - n, 0)
        for many, n in zip((rows, columns), x.shape[1:3], strict=True)
    ]
    x = np.pad(x, [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads), (0, 0)])
    out = np.zeros((len(x), rows, columns, kernel.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride :, j * stride :][:, :size, :size]
            out[:, i, j] = np.tensordot(window, kernel, 3)
    return out


def pooled(x):
    """Maxima of 3 x 3 with stride 2 and the padding of `"same"`."""
    rows, columns = (-(-n // 2) for n in x.shape[1:3])
    pads = [
        max((many - 1) * 2 + 3 - n, 0)
        for many, n in zip((rows, columns), x.shape[1:3], strict=True)
    ]
    pads = [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads), (0, 0)]
    x = np.pad(x, pads, constant_values=-np.inf)
    out = np.empty((len(x), rows, columns, x.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            out[:, i, j] = x[:, 2 * i :, 2 * j :][:, :3, :3].max(axis=(1, 2))
    return out


def nearest(x, like):
    for axis in (1, 2):
        wanted = like.shape[axis]
        at = [int(k * x.shape[axis] / wanted) for k in range(wanted)]
        x = np.take(x, at, axis=axis)
    return x


def step(inner, x, stride=1):
    """What an inner convolution makes, without its activation."""
    weights = {weight.path.split("/")[-1]: numpy(weight) for weight in inner.weights}
    if "pointwise_kernel" in weights or "kernel" not in weights:
        names = [weight.name for weight in inner.convolve.weights]
        kernels = dict(zip(names, map(numpy, inner.convolve.weights), strict=True))
        depthwise = kernels["depthwise_kernel"]
        x = np.concatenate(
            [
                convolved(x[..., c : c + 1], depthwise[:, :, c : c + 1])
                for c in range(x.shape[-1])
            ],
            axis=-1,
        )
        x = convolved(x, kernels["pointwise_kernel"])
        bias = kernels.get("bias", 0.0)
    else:
        x = convolved(x, numpy(inner.convolve.kernel), stride)
        bias = numpy(inner.convolve.bias) if inner.convolve.use_bias else 0.0
    x = x + bias
    if inner.normalization == "batch":
        (norm,) = inner.normalize
        deviation = np.sqrt(numpy(norm.moving_variance) + norm.epsilon)
        x = (x - numpy(norm.moving_mean)) / deviation
        x = x * numpy(norm.gamma) + numpy(norm.beta)
    return x


def relu(x):
    return np.maximum(x, 0.0)


def fpn(layer, maps):
    laterals = [step(c, x) for c, x in zip(layer.lateral, maps, strict=True)]
    for k in reversed(range(len(laterals) - 1)):
        laterals[k] = laterals[k] + nearest(laterals[k + 1], laterals[k])
    out = [step(c, x) for c, x in zip(layer.smooth, laterals, strict=True)]
    for k, convolve in enumerate(layer.extra):
        out.append(step(convolve, relu(out[-1]) if k else out[-1], 2))
    return out


def pan(layer, maps):
    maps = fpn(layer.top_down, maps)
    out = maps[:1]
    for down, smooth, x in zip(layer.down, layer.smooth, maps[1:], strict=True):
        out.append(relu(step(smooth, x + relu(step(down, out[-1], 2)))))
    return out


def bifpn(layer, maps):
    maps = [step(c, x) for c, x in zip(layer.lateral, maps, strict=True)]
    for _ in range(layer.extra_levels):
        maps.append(pooled(maps[-1]))
    nodes = iter(zip(layer.nodes, layer.fusions, strict=True))

    def node(*several):
        inner, weights = next(nodes)
        weights = relu(numpy(weights))
        mean = sum(w * x for w, x in zip(weights, several, strict=True))
        mean = mean / (weights.sum() + 1e-4)
        return step(inner, mean / (1.0 + np.exp(-mean)))

    for _ in range(layer.depth):
        last = len(maps) - 1
        down = {last: maps[last]}
        for k in range(last - 1, -1, -1):
            down[k] = node(maps[k], nearest(down[k + 1], maps[k]))
        out = [down[0]]
        for k in range(1, last):
            out.append(node(maps[k], down[k], pooled(out[-1])))
        out.append(node(maps[last], pooled(out[-1])))
        maps = out
    return maps


ORACLES = {
    "fpn": (layers.FPN, fpn, {"extra_levels": 2}),
    "fpn_normalized": (layers.FPN, fpn, {"normalization": "batch"}),
    "pan": (layers.PAN, pan, {"extra_levels": 1}),
    "bifpn": (layers.BiFPN, bifpn, {"extra_levels": 1, "depth": 2}),
    "bifpn_plain": (layers.BiFPN, bifpn, {"depth": 1, "separable": False}),
}


@pytest.mark.parametrize("name", ORACLES)
def test_maps_are_those_of_the_paper(name):
    kind, oracle, arguments = ORACLES[name]
    layer = kind(4, **arguments)
    layer(MAPS)
    set_weights(layer)
    for one, other in zip(layer(MAPS), oracle(layer, MAPS), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(numpy(one), other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sizes", [(7, 3), (5, 2), (9, 3), (8, 4), (3, 2)])
def test_enlarged_maps_are_nearest_ones(sizes):
    wanted, size = sizes
    x = RNG.normal(size=(2, size, size + 1, 3)).astype("float32")
    like = np.zeros((2, wanted, 2 * size + 1, 1), "float32")
    enlarged = pyramids.enlarged(
        keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(like)
    )
    np.testing.assert_array_equal(numpy(enlarged), nearest(x, like))


def test_weights_below_zero_count_for_nothing():
    maps = [np.full((1, 1, 1, 1), value, "float32") for value in (1.0, 5.0, 9.0)]
    maps = [keras.ops.convert_to_tensor(x) for x in maps]
    mean = pyramids.weighed(maps, np.array([1.0, 3.0, -2.0], "float32"))
    np.testing.assert_allclose(numpy(mean), 16.0 / 4.0001, rtol=1e-6)


def test_maps_may_be_halves_rounded_down():
    maps = [np.ones((1, n, n, 2), "float32") for n in (11, 5, 2)]
    for kind in (layers.FPN, layers.PAN, layers.BiFPN):
        sizes = [x.shape[1] for x in kind(2)(maps)]
        assert sizes == [11, 5, 2]


@pytest.mark.parametrize(
    ("make", "wording"),
    [
        (lambda: layers.FPN(0), r"FPN\(filters=...\)"),
        (lambda: layers.PAN(normalization="layer"), r"PAN\(normalization=...\)"),
        (lambda: layers.BiFPN(depth=0), r"BiFPN\(depth=...\)"),
        (lambda: layers.FPN(extra_levels=-1), r"FPN\(extra_levels=...\)"),
        (lambda: layers.FPN(4)(MAPS[0]), "a list of feature maps"),
    ],
)
def test_wrong_arguments_are_refused(make, wording):
    with pytest.raises(ValueError, match=wording):
        make()
