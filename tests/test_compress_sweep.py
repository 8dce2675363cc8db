"""Ways of making networks of Keras small."""

import gc

import keras
import pytest

from benchmarks.compressing import applications
from perfkit import compress
from perfkit.compress.shrinking import _choosing
from perfkit.graph.channels import read_channels
from tests.support import networks
from tests.support.compressing import ON_TENSORFLOW, quantized, sqnr

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not ON_TENSORFLOW, reason="JAX would compile each operation of each network"
    ),
]
NAMES, SIZE = applications.NAMES, 64


@pytest.fixture(scope="module")
def case(request):
    """A network, inputs, and what it returns."""
    name = request.param
    model, x = applications.network(name, SIZE), applications.images(name, 8, SIZE)
    yield model, x, networks.outputs(model, x)
    keras.backend.clear_session()
    gc.collect()


def of(*names):
    return pytest.mark.parametrize("case", names, indirect=True)


@of(*NAMES[:-1])
def test_a_folded_network_returns_the_same(case):
    model, x, expected = case
    folded = compress.fold_batch_norm(model)
    assert folded.count_params() < model.count_params()
    assert networks.apart(networks.outputs(folded, x), expected) < 1e-5


@of(*NAMES)
def test_a_smaller_network_returns_what_the_whole_one_does_with_zeros(
    case, monkeypatch
):
    model, x, _ = case
    cuts, choose = [], _choosing.cut
    monkeypatch.setattr(
        _choosing, "cut", lambda *a, **kw: cuts.append(choose(*a, **kw)) or cuts[-1]
    )
    small = compress.shrink(model, keep=0.5, round_to=8, verbose=False)
    assert small.count_params() < model.count_params() / 3
    if "convnext" in model.name:  # layer normalization is over fewer channels then
        return
    (cut,) = cuts
    zeroed = networks.zeroed(model, read_channels("test", model), cut)
    expected = networks.outputs(zeroed, x)
    assert networks.apart(networks.outputs(small, x), expected) < 1e-5


@of("MobileNetV2", "MobileNetV3Small", "EfficientNetB0")
def test_a_quantized_network_is_written_as_integers(case, tmp_path):
    model, x, (expected,) = case
    small = quantized(model, x)
    report = compress.export_tflite(small, tmp_path / "small.tflite")
    assert set(report.tensor_dtypes) <= {"int8", "int32"}
    (made,) = networks.outputs(small, x)
    found = compress.LiteModel(report.path).predict(x)
    assert sqnr(expected, made) > 15.0
    assert sqnr(made, found) > 15.0


@of("ConvNeXtTiny")
def test_a_network_without_an_integer_form_is_refused_and_says_why(case):
    model, x, _ = case
    with pytest.raises(ValueError, match=r"layernorm\w* \(LayerNormalization\)"):
        quantized(model, x)
    with pytest.raises(ValueError, match=r"layernorm\w* \(LayerNormalization\)"):
        compress.quantize_aware(model)


@of("MobileNetV2", "MobileNetV3Small")
def test_a_network_that_trains_in_integers_rounds_once_its_ranges_are_known(case):
    model, x, _ = case
    aware = compress.quantize_aware(model, momentum=0.0)
    aware(x, training=True)
    (found,) = networks.outputs(aware, x)
    # Plain layers with the same rounded weights: only tensors are not rounded.
    (expected,) = networks.outputs(compress.strip(aware), x)
    assert 15.0 < sqnr(expected, found) < 60.0
