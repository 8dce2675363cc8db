"""What the papers on joining modalities write down, for one sample, in float64.

Each function gets a layer, whose weights it reads, and a dictionary of what is present
of the sample: the number of a modality, and what it holds.
"""

import math

import keras
import numpy as np
import scipy.special


def of(variable):
    return keras.ops.convert_to_numpy(variable).astype("float64")


def dense(layer, x, activation=lambda x: x):
    y = x @ of(layer.kernel)
    return activation(y if layer.bias is None else y + of(layer.bias))


def normal(layer, x):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
    return scaled * of(layer.gamma) + of(layer.beta)


def softmax(scores, axis=0):
    return scipy.special.softmax(np.asarray(scores), axis=axis)


def zeros_for_absent(shapes, here):
    return [here.get(k, np.zeros(shape)) for k, shape in enumerate(shapes)]


def projected(layer, here):
    if not layer.projections:
        return here
    return {k: dense(layer.projections[k], x) for k, x in here.items()}


def total(layer, here, shapes):
    empty = np.zeros((*shapes[0][:-1], layer.width(shapes)))
    return sum(projected(layer, here).values(), empty)


def mean(layer, here, shapes):
    return total(layer, here, shapes) / max(len(here), 1)


def concat(layer, here, shapes):
    parts = projected(layer, here)
    shapes = [(*shape[:-1], layer.units or shape[-1]) for shape in shapes]
    return np.concatenate(zeros_for_absent(shapes, parts), axis=-1)


def steps(layer, here, shapes):
    parts = projected(layer, here)
    sizes = [(*shape[:-1], layer.width(shapes)) for shape in shapes]
    rows = zeros_for_absent(sizes, parts)
    return np.concatenate([np.atleast_2d(row) for row in rows], axis=0)


def gated(layer, here, shapes):
    """GMU: h = z * tanh(W x_v) + (1 - z) * tanh(W x_t), or a z for each."""
    scores = np.concatenate(zeros_for_absent(shapes, here), axis=-1) @ of(
        layer.gate.kernel
    )
    hidden = {k: dense(layer.projections[k], x, np.tanh) for k, x in here.items()}
    if len(shapes) == 2 and len(here) == 2:
        z = 1.0 / (1.0 + np.exp(-scores))
        return z * hidden[0] + (1.0 - z) * hidden[1]
    empty = np.zeros((*shapes[0][:-1], layer.width(shapes)))
    if len(shapes) == 2:  # the gate of one alone is open
        return sum(hidden.values(), empty)
    gates = np.split(1.0 / (1.0 + np.exp(-scores)), len(shapes), axis=-1)
    return sum((gates[k] * h for k, h in hidden.items()), empty)


def attention(layer, here, shapes):
    if not here:
        return np.zeros((*shapes[0][:-1], layer.width(shapes)))
    parts = projected(layer, here)
    scores = [
        dense(layer.scores[k], dense(layer.keys[k], x, np.tanh))
        for k, x in parts.items()
    ]
    return np.sum(softmax(scores) * np.stack(list(parts.values())), axis=0)


def attended(queries, keys, values, heads):
    parts = [np.split(x, heads, axis=-1) for x in (queries, keys, values)]
    found = [
        softmax(q @ k.T / math.sqrt(q.shape[-1]), axis=-1) @ v
        for q, k, v in zip(*parts, strict=True)
    ]
    return np.concatenate(found, axis=-1)


def cross(layer, here, shapes):
    first = np.atleast_2d(here.get(0, np.zeros(shapes[0])))
    others = {k: np.atleast_2d(x) for k, x in here.items() if k > 0}
    outputs = first
    if others:
        others = {k: normal(layer.norms[k], x) for k, x in others.items()}
        keys = [dense(layer.keys[k - 1], x) for k, x in others.items()]
        values = [dense(layer.values[k - 1], x) for k, x in others.items()]
        queries = dense(layer.query, normal(layer.norms[0], first))
        found = attended(
            queries, np.concatenate(keys), np.concatenate(values), layer.heads
        )
        outputs = first + dense(layer.output_dense, found)
    return outputs.reshape(shapes[0])


def gelu(x):
    return 0.5 * x * (1.0 + scipy.special.erf(x / math.sqrt(2.0)))


def block(layer, x):
    three = np.split(dense(layer.inner, normal(layer.norms[0], x)), 3, axis=-1)
    x = x + dense(layer.outer, attended(*three, layer.heads))
    hidden = dense(layer.first, normal(layer.norms[1], x), gelu)
    return x + dense(layer.second, hidden)


def bottleneck(layer, here, shapes):
    parts = {k: np.atleast_2d(x) for k, x in projected(layer, here).items()}
    tokens = of(layer.bottleneck)
    for blocks in layer.encoders:
        versions = []
        for k, x in parts.items():
            both = block(blocks[k], np.concatenate([x, tokens]))
            parts[k] = both[: len(x)]
            versions.append(both[len(x) :])
        tokens = np.mean(versions, axis=0) if versions else tokens
    if not layer.return_sequences:
        return tokens
    width = layer.width(shapes)
    sizes = [(s[0] if len(s) == 2 else 1, width) for s in shapes]
    return [*zeros_for_absent(sizes, parts), tokens]


def film(layer, here, shapes):
    x = here.get(0, np.zeros(shapes[0]))
    channels = x.shape[-1]
    gamma, beta = np.ones(channels), np.zeros(channels)
    for k, other in here.items():
        if k > 0:
            said = dense(layer.sayings[k - 1], other)
            gamma, beta = gamma + said[:channels], beta + said[channels:]
    return gamma * x + beta


def bilinear(layer, here, shapes):
    shape = (*shapes[0][:-1], layer.rank or layer.units)
    factors = [dense(layer.projections[k], x, np.tanh) for k, x in here.items()]
    return dense(layer.output_dense, math.prod(factors, start=np.ones(shape)))


def with_one(x):
    return np.append(x, 1.0)


def factors_of(layer, number):
    """Factors of a modality, (rank, channels + 1, units)."""
    dense_layer = layer.factors[number]
    kernel = np.concatenate([of(dense_layer.kernel), of(dense_layer.bias)[None]])
    return kernel.reshape(len(kernel), layer.rank, layer.units).swapaxes(0, 1)


def low_rank(layer, here, shapes):
    """LMF with the tensor of weights written out, as its equations begin."""
    vectors = [with_one(x) for x in zeros_for_absent(shapes, here)]
    products = vectors[0]
    for vector in vectors[1:]:
        products = np.multiply.outer(products, vector)
    outputs = of(layer.bias)
    for term in range(layer.rank):
        for unit in range(layer.units):
            weights = factors_of(layer, 0)[term, :, unit]
            for k in range(1, len(shapes)):
                weights = np.multiply.outer(
                    weights, factors_of(layer, k)[term, :, unit]
                )
            outputs[unit] += np.sum(weights * products)
    return outputs


def tensor(layer, here, shapes):
    outputs = np.ones(1)
    for x in zeros_for_absent(shapes, here):
        outputs = np.multiply.outer(outputs, with_one(x)).ravel()
    return outputs


def mmtm(layer, here, shapes):
    parts = zeros_for_absent(shapes, here)
    averages = [x.reshape(-1, x.shape[-1]).mean(0) for x in parts]
    squeezed = np.maximum(dense(layer.squeeze, np.concatenate(averages)), 0.0)
    return [
        2.0 / (1.0 + np.exp(-dense(excite, squeezed))) * x
        for excite, x in zip(layer.excitations, parts, strict=True)
    ]


def repeated(x, size):
    """To a multiple of the size, by repetition."""
    rows, columns = size[0] // x.shape[0], size[1] // x.shape[1]
    return np.repeat(np.repeat(x, rows, axis=0), columns, axis=1)


def hypercolumn(layer, here, shapes):
    parts = zeros_for_absent(shapes, here)
    size = layer.size or shapes[0][:2]
    return np.concatenate([repeated(x, size) for x in parts], axis=-1)


def pyramid(layer, here, shapes):
    weights = np.maximum(of(layer.factors), 0.0)
    parts = {
        k: repeated(x, shapes[0][:2]) if x.ndim == 3 else x for k, x in here.items()
    }
    top = sum((weights[k] * x for k, x in parts.items()), np.zeros(shapes[0]))
    return top / (layer.epsilon + sum(weights[k] for k in here))


def filled(layer, here, shapes):
    return [
        here.get(k, np.broadcast_to(of(layer.stand_ins[k]), shape))
        for k, shape in enumerate(shapes)
    ]
