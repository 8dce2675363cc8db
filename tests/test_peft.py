"""LoRA and DoRA against PEFT with the same weights.

Needs the extra `peft`: pip install 'perfkit[peft]'
"""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import transfer

peft = pytest.importorskip("peft")
torch = pytest.importorskip("torch")

NUMBERS = np.random.default_rng(0)
METHODS = [transfer.LoRA(4, alpha=6), transfer.DoRA(4, alpha=6)]


def to_torch(array):
    return torch.tensor(np.ascontiguousarray(array))


def dense():
    """A Keras layer, the same of torch, inputs of both, and how axes correspond."""
    x = NUMBERS.normal(size=(5, 7)).astype("float32")
    return layers.Dense(6), torch.nn.Linear(7, 6), (x, x), (1, 0)


def conv():
    x = NUMBERS.normal(size=(2, 8, 8, 3)).astype("float32")
    ours, theirs = layers.Conv2D(5, 3), torch.nn.Conv2d(3, 5, 3)
    return ours, theirs, (x, x.transpose(0, 3, 1, 2)), (3, 2, 0, 1)


def embedding():
    x = NUMBERS.integers(0, 9, (3, 4), "int32")
    return layers.Embedding(9, 6), torch.nn.Embedding(9, 6), (x, x), (0, 1)


def pair(make, method):
    """Ours and theirs with the same base, and the same adapters."""
    ours, theirs, inputs, axes = make()
    shape, dtype = inputs[0].shape[1:], inputs[0].dtype.name
    model = keras.Sequential([keras.Input(shape, dtype=dtype), ours])
    kernel, *bias = (np.array(weight) for weight in model.weights)
    with torch.no_grad():
        theirs.weight.copy_(to_torch(kernel.transpose(axes)))
        if bias:
            theirs.bias.copy_(to_torch(bias[0]))
    config = peft.LoraConfig(
        r=method.rank,
        lora_alpha=method.alpha,
        target_modules=["layer"],
        use_dora=method.decomposed,
    )
    other = peft.get_peft_model(torch.nn.ModuleDict({"layer": theirs}), config)
    tuned = other.base_model.model["layer"]
    transfer.adapt(model, method, where=ours)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.3 * NUMBERS.normal(size=weight.shape))
    a, b, *magnitude = (np.array(weight) for weight in model.trainable_weights)
    with torch.no_grad():
        for parameter, value in theirs_of(tuned, kernel, a, b, magnitude):
            parameter.copy_(to_torch(value))
    return model, tuned, inputs


def theirs_of(tuned, kernel, a, b, magnitude):
    """Their parameters, each with what it is in ours."""
    if "default" in tuned.lora_embedding_A:
        return [
            (tuned.lora_embedding_A["default"], b),
            (tuned.lora_embedding_B["default"], a),
        ]
    down, up = tuned.lora_A["default"].weight, tuned.lora_B["default"].weight
    if kernel.ndim == 4:
        height, width, channels, _ = kernel.shape
        a = a.reshape(height, width, channels, -1).transpose(3, 2, 0, 1)
        found = [(down, a), (up, b.T[:, :, None, None])]
    else:
        found = [(down, a.T), (up, b.T)]
    for value in magnitude:
        parameter = tuned.lora_magnitude_vector["default"].weight
        found.append((parameter, value.reshape(tuple(parameter.shape))))
    return found


def channels_last(array):
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


CASES = [(make, method) for make in (dense, conv) for method in METHODS]
CASES += [(embedding, METHODS[0])]


@pytest.mark.parametrize(("make", "method"), CASES)
def test_outputs_and_merged_kernels_are_those_of_peft(make, method):
    model, tuned, (x, other_x) = pair(make, method)
    expected = channels_last(tuned(to_torch(other_x)).detach().numpy())
    scale = np.abs(expected).max()
    assert np.abs(np.array(model(x)) - expected).max() < 1e-5 * scale
    tuned.merge()
    merged = channels_last(tuned(to_torch(other_x)).detach().numpy())
    transfer.merge(model)
    assert np.abs(np.array(model(x)) - merged).max() < 1e-5 * scale
    kernel = tuned.get_base_layer().weight.detach().numpy()
    axes = {2: (1, 0) if make is dense else (0, 1), 4: (2, 3, 1, 0)}[kernel.ndim]
    ours = np.array(model.weights[0])
    assert np.abs(ours - kernel.transpose(axes)).max() < 1e-5 * np.abs(ours).max()


@pytest.mark.parametrize(("make", "method"), CASES)
def test_a_step_of_descent_is_that_of_peft(make, method):
    model, tuned, (x, other_x) = pair(make, method)
    outputs = tuned(to_torch(other_x))
    (outputs**2).mean().backward()
    before = [np.array(weight) for weight in model.trainable_weights]
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=True)
    model.train_on_batch(x, np.zeros(model.compute_output_shape(x.shape)))
    kernel = np.array(model.weights[0])
    found = theirs_of(tuned, kernel, *before[:2], before[2:])
    after = [np.array(weight) for weight in model.trainable_weights]
    wanted = theirs_of(tuned, kernel, *after[:2], after[2:])
    for (parameter, old), (_, new) in zip(found, wanted, strict=True):
        gradient = parameter.grad.numpy()
        assert np.abs(old - new - gradient).max() < 1e-4 * np.abs(gradient).max()
