"""Weights of four bits, and a plan that says which."""

import keras
import numpy as np
import pytest

from perfkit import compress
from tests.support import networks
from tests.support.compressing import (
    about_the_file,
    quantized,
    reparameterized,
    sqnr,
    value,
)

layers = keras.layers
pytestmark = pytest.mark.usefixtures("seeded")


@about_the_file
def test_four_bits_are_in_the_file_where_they_were_wanted(tmp_path):
    model, x = networks.residual(), networks.images(16)
    small = quantized(model, x, bits={"expand": 4, "proj*": 4})
    found = {
        wrapper.name: wrapper.transforms[-1].bits for wrapper in reparameterized(small)
    }
    assert found == {"stem": 8, "expand": 4, "depthwise": 8, "project": 4, "last": 8}
    few = compress.export_tflite(small, tmp_path / "few.tflite")
    eight = compress.export_tflite(quantized(model, x), tmp_path / "eight.tflite")
    assert eight.size - few.size > 200
    (expected,) = networks.outputs(small, x)
    lite = compress.LiteModel(few.path).predict(x)
    assert np.abs(lite - expected).max() < 3.5 * few.output.scale


def test_kernels_have_as_few_values_as_their_bits_allow():
    small = quantized(networks.plain(), networks.images(8), bits=4)
    for wrapper in reparameterized(small):
        kernel = value(wrapper.kernel)
        for unit in np.moveaxis(kernel, -1, 0):
            assert len(np.unique(unit)) <= 15


def test_a_plan_gives_four_bits_to_layers_that_bear_them():
    model, x = networks.stirred(networks.residual()), networks.images(32)
    plan = compress.mixed_precision_plan(model, x, size=0.75, verbose=False)
    sizes = {"stem": 432, "expand": 512, "depthwise": 288, "project": 512, "last": 80}
    assert plan.size_of_8_bits == sum(sizes.values())
    assert plan.size <= 0.75 * plan.size_of_8_bits
    assert plan.size == sum(n // (8 // plan.bits[p]) for p, n in sizes.items())
    spared = {p: plan.sqnr[p] + 10 * np.log10(sizes[p]) for p in sizes}
    few = [spared[p] for p, bits in plan.bits.items() if bits == 4]
    many = [spared[p] for p, bits in plan.bits.items() if bits == 8]
    assert few
    assert many
    assert min(few) >= max(many)
    small = quantized(model, x, bits=plan.bits)
    (expected,), (found,) = networks.outputs(model, x), networks.outputs(small, x)
    (worse,) = networks.outputs(quantized(model, x, bits=4), x)
    assert sqnr(expected, found) > sqnr(expected, worse)
    assert "of 5 layers with 4 bits" in str(plan)


def test_the_ratio_of_a_plan_is_that_of_the_layer_alone():
    model = keras.Sequential(
        [keras.Input((16,)), layers.Dense(8, name="one"), layers.Dense(4, name="two")]
    )
    x = np.random.default_rng(0).normal(size=(32, 16)).astype("float32")
    plan = compress.mixed_precision_plan(model, x, size=1.0, verbose=False)
    kernel, bias, other, end = model.get_weights()
    step = np.abs(kernel).max() / 7  # dense layers of 4 bits have one range
    rounded = np.round(kernel / step) * step
    expected = (x @ kernel + bias) @ other + end
    found = (x @ rounded + bias) @ other + end
    assert plan.sqnr["one"] == pytest.approx(sqnr(expected, found), abs=0.5)
    assert set(plan.bits.values()) == {8}
    with pytest.raises(ValueError, match=r"at least 80 bytes, or 0\.500"):
        compress.mixed_precision_plan(model, x, size=0.4, verbose=False)
