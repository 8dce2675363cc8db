"""Layers that join modalities within models: compiled, trained, saved."""

import keras
import numpy as np
import pytest

from perfkit import fusion
from tests import fusion_cases as cases

SHAPES = [(6,), (6,), (4, 8), (5, 8), (4, 4, 3), (2, 2, 3)]
EVERY = {
    0: [
        fusion.Concat,
        lambda: fusion.Concat(4),
        fusion.Sum,
        lambda: fusion.Mean(4),
        lambda: fusion.GatedMultimodalUnit(4),
        lambda: fusion.AttentionFusion(4),
        fusion.FiLM,
        lambda: fusion.LowRankBilinear(4, 2),
        lambda: fusion.LowRankFusion(4),
        fusion.TensorFusion,
        fusion.FillAbsent,
    ],
    2: [
        lambda: fusion.Concat(axis=1),
        lambda: fusion.CrossAttention(2),
        lambda: fusion.AttentionBottleneck(blocks=1, heads=2, tokens=2),
    ],
    4: [
        fusion.MMTM,
        fusion.Hypercolumn,
        fusion.WeightedPyramid,
    ],
}


TYPICAL = {
    0: [lambda: fusion.GatedMultimodalUnit(4), fusion.FiLM],
    2: [lambda: fusion.CrossAttention(2)],
    4: [fusion.MMTM],
}


def network(joined):
    """Layers by the number of the first input of their pairs."""
    inputs = [keras.Input(shape) for shape in SHAPES]
    present = keras.Input((2,), dtype="bool")
    found = []
    for first, makes in joined.items():
        pair, seen = fusion.ModalityDropout(0.2)(
            inputs[first : first + 2], present=present
        )
        for make in makes:
            found += keras.tree.flatten(make()(pair, present=seen))
    flat = [keras.layers.Flatten()(x) for x in found]
    outputs = keras.layers.Dense(1)(keras.layers.Concatenate()(flat))
    return keras.Model([*inputs, present], outputs)


@pytest.mark.parametrize(
    ("joined", "jit_compile"),
    [
        (TYPICAL, True),
        pytest.param(EVERY, True, marks=pytest.mark.slow),
        pytest.param(EVERY, False, marks=pytest.mark.slow),
    ],
    ids=["typical", "every", "every_uncompiled"],
)
def test_they_train_without_a_look_at_what_is_absent(joined, jit_compile, tmp_path):
    keras.utils.set_random_seed(0)
    model = network(joined)
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=jit_compile)
    table = cases.presence(2, batch=8)
    parts = cases.inputs(SHAPES, batch=8)
    for number, x in enumerate(parts):
        x[~table[:, number % 2]] = np.nan
    before = [np.copy(w) for w in model.get_weights()]
    model.fit([*parts, table], np.ones((8, 1)), batch_size=4, epochs=3, verbose=0)
    after = model.get_weights()
    assert all(np.isfinite(new).all() for new in after)
    assert all((new != old).any() for new, old in zip(after, before, strict=True))

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found, wanted = (cases.arrays(m([*parts, table]))[0] for m in (loaded, model))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    layers = [x for x in model.layers if isinstance(x, fusion.Fusion)]
    assert len(layers) == 3 + sum(map(len, joined.values()))
    for layer in layers:
        assert loaded.get_layer(layer.name).get_config() == layer.get_config()
