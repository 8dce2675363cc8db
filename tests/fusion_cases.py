"""Every layer that joins modalities, what it gets, and its oracle."""

import functools

import keras
import numpy as np

from perfkit import fusion
from tests import fusion_papers as papers

VECTORS = [(5,), (7,), (3,)]
ALIKE = [(6,), (6,)]
SEQUENCES = [(4, 8), (6, 5), (7,)]
MAPS = [(4, 4, 5), (6, 3), (7,)]
LEVELS = [(4, 4, 3), (2, 2, 3), (1, 1, 3)]
part = functools.partial

CASES = {
    "concat": (fusion.Concat, VECTORS, papers.concat),
    "concat_units": (part(fusion.Concat, 4), VECTORS, papers.concat),
    "concat_steps": (part(fusion.Concat, axis=1), SEQUENCES, papers.steps),
    "sum": (fusion.Sum, ALIKE, papers.total),
    "sum_projected": (fusion.Sum, VECTORS, papers.total),
    "mean": (fusion.Mean, [(4, 6), (4, 6)], papers.mean),
    "mean_units": (part(fusion.Mean, 4), VECTORS, papers.mean),
    "gated": (part(fusion.GatedMultimodalUnit, 4), VECTORS[:2], papers.gated),
    "gated_three": (fusion.GatedMultimodalUnit, VECTORS, papers.gated),
    "gated_steps": (
        part(fusion.GatedMultimodalUnit, 4),
        [(3, 5), (3, 2)],
        papers.gated,
    ),
    "attention": (part(fusion.AttentionFusion, 4), VECTORS, papers.attention),
    "attention_steps": (fusion.AttentionFusion, [(3, 4)] * 2, papers.attention),
    "cross": (part(fusion.CrossAttention, 2), SEQUENCES, papers.cross),
    "cross_vector": (
        part(fusion.CrossAttention, 3, key_dim=2),
        SEQUENCES[::-1],
        papers.cross,
    ),
    "bottleneck": (
        part(fusion.AttentionBottleneck, tokens=2, heads=2, hidden=6),
        SEQUENCES[::2],
        papers.bottleneck,
    ),
    "bottleneck_sequences": (
        part(fusion.AttentionBottleneck, 4, blocks=1, heads=2, return_sequences=True),
        SEQUENCES[:2],
        papers.bottleneck,
    ),
    "film": (fusion.FiLM, MAPS[::2], papers.film),
    "film_two": (fusion.FiLM, [(4, 5), (6,), (7,)], papers.film),
    "bilinear": (part(fusion.LowRankBilinear, 4), VECTORS, papers.bilinear),
    "bilinear_rank": (
        part(fusion.LowRankBilinear, 4, rank=2),
        [(3, 5), (3, 2)],
        papers.bilinear,
    ),
    "lowrank": (part(fusion.LowRankFusion, 4, rank=3), VECTORS, papers.low_rank),
    "tensor": (fusion.TensorFusion, VECTORS, papers.tensor),
    "mmtm": (part(fusion.MMTM, 2), MAPS, papers.mmtm),
    "hypercolumn": (
        part(fusion.Hypercolumn, interpolation="nearest"),
        LEVELS,
        papers.hypercolumn,
    ),
    "pyramid": (fusion.WeightedPyramid, LEVELS, papers.pyramid),
    "pyramid_of_vectors": (fusion.WeightedPyramid, ALIKE, papers.pyramid),
    "filled": (fusion.FillAbsent, MAPS, papers.filled),
}


def inputs(shapes, batch=5, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(batch, *shape)).astype("float32") for shape in shapes]


def presence(count, batch=5):
    """All of them, none, and some."""
    table = np.random.default_rng(1).uniform(size=(batch, count)) < 0.5
    table[0], table[1] = True, False
    table[2], table[3] = [k == 0 for k in range(count)], [k > 0 for k in range(count)]
    return table


@functools.cache
def built(name, dtype=None):
    """The layer with weights that tell all apart; calls leave them as they are."""
    make, shapes, _ = CASES[name]
    layer = make(dtype=dtype)
    layer.build([(None, *shape) for shape in shapes])
    rng = np.random.default_rng(2)
    drawn = [rng.normal(0.0, 0.5, w.shape) for w in layer.get_weights()]
    if isinstance(layer, fusion.WeightedPyramid):  # which takes negative ones for 0
        drawn = [np.abs(w) for w in drawn]
    layer.set_weights(drawn)
    return layer


def wanted(name, layer, parts, table):
    """What the paper makes of a batch, a list of arrays."""
    _, shapes, oracle = CASES[name]
    rows = []
    for number, row in enumerate(table):
        here = {
            k: parts[k][number].astype("float64") for k in range(len(parts)) if row[k]
        }
        row = oracle(layer, here, shapes)
        rows.append(row if isinstance(row, list) else [row])
    return [np.stack(column) for column in zip(*rows, strict=True)]


def arrays(outputs):
    return [keras.ops.convert_to_numpy(x) for x in keras.tree.flatten(outputs)]
