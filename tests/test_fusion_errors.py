"""What layers that join modalities refuse."""

import keras
import numpy as np
import pytest

from perfkit import fusion


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (fusion.Concat, {"units": 0}),
        (fusion.Concat, {"axis": 2}),
        (fusion.Sum, {"units": 1.5}),
        (fusion.CrossAttention, {"heads": 0}),
        (fusion.CrossAttention, {"key_dim": 0}),
        (fusion.AttentionBottleneck, {"tokens": 0}),
        (fusion.AttentionBottleneck, {"blocks": 0}),
        (fusion.AttentionBottleneck, {"heads": 0}),
        (fusion.AttentionBottleneck, {"hidden": 0}),
        (fusion.AttentionBottleneck, {"return_sequences": 1}),
        (fusion.FiLM, {"data_format": "NHWC"}),
        (fusion.LowRankBilinear, {"units": 0}),
        (fusion.LowRankBilinear, {"units": 2, "rank": 0}),
        (fusion.LowRankFusion, {"units": 0}),
        (fusion.LowRankFusion, {"units": 2, "rank": 0}),
        (fusion.MMTM, {"ratio": 0}),
        (fusion.MMTM, {"data_format": "NHWC"}),
        (fusion.Hypercolumn, {"size": 3}),
        (fusion.Hypercolumn, {"interpolation": "cubic"}),
        (fusion.WeightedPyramid, {"interpolation": "cubic"}),
        (fusion.WeightedPyramid, {"epsilon": 0}),
        (fusion.ModalityDropout, {"rate": 1.0}),
        (fusion.ModalityDropout, {"seed": -1}),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named(kind, change):
    name = [*change][-1]
    start = rf"^`{kind.__name__}\({name}=...\)` must be "
    with pytest.raises((ValueError, TypeError), match=start):
        kind(**change)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (fusion.Concat(), [(3,)]),
        (fusion.Concat(), [(3, 4), (2, 4)]),
        (fusion.Concat(), [(3, 4), (4,)]),
        (fusion.Concat(axis=1), [(2, 3, 4), (4,)]),
        (fusion.Sum(), [(3, 4), (2, 4)]),
        (fusion.GatedMultimodalUnit(), [(3, 4), (4,)]),
        (fusion.AttentionFusion(), [(3, 4), (4,)]),
        (fusion.CrossAttention(), [(2, 3, 4), (4,)]),
        (fusion.AttentionBottleneck(), [(2, 3, 4), (4,)]),
        (fusion.FiLM(), [(4,), (3, 4)]),
        (fusion.LowRankFusion(2), [(3, 4), (4,)]),
        (fusion.TensorFusion(), [(3, 4), (4,)]),
        (fusion.Hypercolumn(), [(3, 4), (4,)]),
        (fusion.WeightedPyramid(), [(3, 4), (2, 4)]),
        (fusion.WeightedPyramid(), [(2, 2, 4), (2, 2, 3)]),
    ],
)
def test_shapes_that_do_not_fit_are_named(layer, shapes):
    owner = type(layer).__name__
    with pytest.raises(ValueError, match=rf"`{owner}\(inputs=...\)` must be "):
        layer([keras.Input(shape) for shape in shapes])


def test_a_single_tensor_is_no_list_of_modalities():
    with pytest.raises(ValueError, match=r"`Sum\(inputs=...\)` must be a list"):
        fusion.Sum()(np.ones((2, 3)))


def encoder(shape, units=4, name=None):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(units)(inputs), name=name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("stage", {"stage": "mid"}),
        ("encoders", {"encoders": {}}),
        ("encoders", {"encoders": {"present": 1, "b": 2}}),
        ("encoders", {"encoders": {"a": 1, "b": 2}}),
        ("encoders", {"encoders": {"a": keras.Sequential(), "b": keras.Sequential()}}),
        ("fusion", {"fusion": keras.layers.Add()}),
        ("body", {"body": keras.layers.Dense(2)}),
        ("modality_dropout", {"modality_dropout": 1.0}),
        ("present", {"present": 1}),
        ("head", {"head": 3}),
        ("head", {"head": {"a": keras.layers.Dense(2)}, "stage": "late"}),
    ],
    ids=str,
)
def test_a_wrong_argument_of_multimodal_is_named(name, change):
    arguments = {"encoders": {"a": encoder((3,)), "b": encoder((2,))}, **change}
    with pytest.raises((ValueError, TypeError), match=rf"^`multimodal\({name}"):
        fusion.multimodal(**arguments)


def test_an_encoder_has_one_input_and_a_name_of_its_own():
    two = [keras.Input((3,)), keras.Input((3,))]
    many = keras.Model(two, keras.layers.Add()(two))
    for wrong in (many, encoder((3,), name="b")):
        with pytest.raises(ValueError, match=r"^`multimodal\(encoders\['a'\]=...\)`"):
            fusion.multimodal({"a": wrong, "b": encoder((2,))})


def test_data_that_does_not_fit_is_named():
    parts = {"a": encoder((3,)), "b": encoder((2,))}
    asking = fusion.multimodal(parts, present=True)
    plain = fusion.multimodal({k: encoder(m.input_shape[1:]) for k, m in parts.items()})
    some, other = np.ones((2, 3)), np.ones((3, 2))
    for model, data in (
        (asking, {}),
        (asking, {"present": np.ones((2, 2), bool)}),
        (asking, {"c": some}),
        (asking, some),
        (asking, {"a": some, "b": other}),
        (plain, {"a": some}),
    ):
        with pytest.raises(ValueError, match=r"^`complete\(data=...\)` must be "):
            fusion.complete(model, data)
    with pytest.raises(TypeError, match=r"^`complete\(model=...\)`"):
        fusion.complete(3, {"a": some})
