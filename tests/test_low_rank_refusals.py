"""What low rank sees of causal convolutions, and what it says of layers it leaves."""

import keras
import numpy as np
import pytest

from perfkit import compress
from tests.support import networks

layers = keras.layers


def thin(model, **options):
    return compress.low_rank(model, verbose=False, **options)


def wide(count):
    names = [layers.Dense(32, name=f"wide_{k}") for k in range(count)]
    return keras.Sequential([keras.Input((32,)), *names])


@pytest.mark.parametrize("dilation", [1, 2])
def test_data_of_causal_convolutions_are_those_the_layer_sees(dilation):
    rng = np.random.default_rng(0)
    options = {"padding": "causal", "dilation_rate": dilation}
    convolution = layers.Conv1D(12, 3, **options)
    model = keras.Sequential([keras.Input((9, 8)), convolution])
    x = rng.normal(0.5, 1.0, size=(40, 9, 8)).astype("float32")
    (outputs,) = networks.outputs(model, x)
    (near,) = networks.outputs(thin(model, rank=4, data=x), x)
    rows = outputs.reshape(-1, 12)
    variances = np.linalg.eigvalsh(np.cov(rows.T, bias=True))[:-4] * len(rows)
    lost = np.square(near - outputs).sum()
    assert lost == pytest.approx(variances.sum(), rel=1e-3)


def test_a_pruned_model_is_let_go_first_and_that_is_said_once():
    model = wide(3)
    compress.prune(model, 0.5)
    expected = r"wide_0, wide_1, wide_2 \(pruned, .*: `strip_pruning` first\)\. Leave"
    with pytest.raises(ValueError, match=expected):
        thin(model, rank=4)
    compress.strip_pruning(model)
    assert len(thin(model, rank=4).layers) == 6


def test_a_constraint_of_ones_own_is_not_for_two():
    limit = keras.constraints.MaxNorm(2.0)
    layer = layers.Dense(32, kernel_constraint=limit, name="held")
    model = keras.Sequential([keras.Input((32,)), layer])
    with pytest.raises(ValueError, match=r"held \(its kernel has a constraint"):
        thin(model, rank=4)
    compress.prune(model, 0.5)
    compress.strip_pruning(model)
    with pytest.raises(ValueError, match=r"held \(its kernel has a constraint"):
        thin(model, rank=4)


def test_a_quantized_model_is_stripped_first_and_that_is_said_once():
    model = compress.quantize_aware(wide(2))
    expected = r"wide_0, wide_1 \(quantized or clustered: `strip` the model first\)\. "
    with pytest.raises(ValueError, match=expected):
        thin(model, rank=4)
    small = thin(compress.strip(model), rank=4)
    assert {"wide_0_thin", "wide_1_thin"} <= {layer.name for layer in small.layers}
