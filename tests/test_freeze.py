"""What is frozen stays as it is, and batch normalization does what was asked for."""

import keras
import numpy as np
import pytest

from perfkit import transfer

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, (32, 4)).astype("float32")
Y = RNG.normal(size=(32, 2)).astype("float32")


def backbone():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, name="a")(inputs)
    x = keras.layers.BatchNormalization(name="norm_a", momentum=0.5)(x)
    x = keras.layers.Dense(5, name="b")(x)
    x = keras.layers.BatchNormalization(name="norm_b", momentum=0.5)(x)
    return keras.Model(inputs, x, name="backbone")


def model_of(body=None):
    keras.utils.set_random_seed(0)
    return transfer.regressor(
        body or backbone(),
        2,
        head=headed(keras.layers.Dense(2, name="head_dense")),
        verbose=False,
    )


def headed(*layers):
    return keras.Sequential(layers, name="head")


def values(model):
    # After loading, a path does not begin with the name of an inner model.
    return {"/".join(w.path.split("/")[-2:]): np.array(w) for w in model.weights}


def moved(model, fit=True, epochs=2):
    """Paths of the weights that a short training changes."""
    before = values(model)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, Y, epochs=epochs, batch_size=16, verbose=0)
    after = values(model)
    return {path for path in before if (before[path] != after[path]).any()}


def of(layer, *names):
    return {f"{layer}/{name}" for name in names}


HEAD = of("head_dense", "kernel", "bias")
B = of("b", "kernel", "bias")
ALL = ("gamma", "beta", "moving_mean", "moving_variance")


def test_only_the_head_moves_where_the_backbone_is_frozen():
    model = model_of()
    transfer.freeze(model)
    assert moved(model) == HEAD


def test_layers_behind_until_move_and_their_batch_normalization_does_not():
    model = model_of()
    report = transfer.freeze(model, "a")
    assert moved(model) == HEAD | B
    assert report.frozen == ["backbone/a", "backbone/norm_a", "backbone/norm_b"]
    assert report.learning == ["backbone/b", "head/head_dense"]


def test_batch_normalization_learns_in_the_frozen_part_if_asked():
    model = model_of()
    transfer.freeze(model, batch_norm="train")
    assert moved(model) == HEAD | of("norm_a", *ALL) | of("norm_b", *ALL)


@pytest.mark.parametrize("wrapped", [1, 2])
def test_the_head_is_found_behind_an_augmentation(wrapped):
    model = model_of()
    alone = transfer.freeze(model)
    for _ in range(wrapped):
        noise = keras.layers.GaussianNoise(0.1)
        model = keras.Sequential([keras.Input((4,)), noise, model])
    report = transfer.freeze(model)
    assert [path.split("/")[-1] for path in report.learning] == ["head_dense"]
    assert len(report.frozen) == len(alone.frozen) == 4
    assert moved(model) == HEAD


def test_recalibrated_statistics_are_those_of_the_data_and_stay():
    model = model_of()
    transfer.freeze(model, batch_norm="recalibrate", data=[X[:8], X[8:]])
    body = model.get_layer("backbone")
    features = X @ np.array(body.get_layer("a").kernel)
    norm = body.get_layer("norm_a")
    np.testing.assert_allclose(norm.moving_mean, features.mean(0), rtol=1e-4)
    assert moved(model) == HEAD


def test_batch_normalization_of_the_head_learns():
    head = headed(
        keras.layers.BatchNormalization(name="head_norm"), keras.layers.Dense(2)
    )
    model = transfer.regressor(backbone(), 2, head=head, verbose=False)
    transfer.freeze(model)
    found = moved(model)
    assert {path for path in found if "moving" in path} == of(
        "head_norm", "moving_mean", "moving_variance"
    )


def test_batch_normalization_stays_in_inference_mode_after_unfreezing():
    model = model_of()
    transfer.freeze(model)
    transfer.unfreeze(model)
    norms = of("norm_a", *ALL) | of("norm_b", *ALL)
    everything = set(values(model)) - norms
    assert moved(model) == everything


def test_keras_alone_has_batch_normalization_move_after_unfreezing():
    model = model_of()
    transfer.freeze(model)
    body = model.get_layer("backbone")
    body.trainable = False  # on TensorFlow, True alone would be no change
    body.trainable = True
    assert of("norm_a", *ALL) <= moved(model)


def test_unfreezing_since_a_layer_leaves_those_before_it():
    model = model_of()
    model.trainable = False
    transfer.unfreeze(model, "b", batch_norm="train")
    assert moved(model) == HEAD | B | of("norm_b", *ALL)


@keras.saving.register_keras_serializable(package="tests")
class Prefixed(keras.layers.Layer):
    """Owns a weight, and holds a layer behind it."""

    def build(self, shape):
        self.shift = self.add_weight(shape=shape[1:], name="shift")
        self.inner = keras.layers.Dense(3, name="inner")
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x + self.shift)


def test_unfreezing_since_a_layer_leaves_each_weight_before_it_as_it_was():
    model = model_of()
    transfer.bit_fit(model)
    transfer.unfreeze(model, "head")
    assert moved(model) == HEAD | {"a/bias", "b/bias"}
    model = model_of()
    body = model.get_layer("backbone")
    body.trainable = False
    body.get_layer("a").trainable = True
    body.get_layer("a").kernel.trainable = False
    transfer.unfreeze(model, "b")
    assert moved(model) == HEAD | B | {"a/bias"}
    model = model_of()
    body = model.get_layer("backbone")
    body.trainable = False
    body.get_layer("a").bias.trainable = True  # learns, though its layer is frozen
    transfer.unfreeze(model, "b")
    assert moved(model) == HEAD | B | {"a/bias"}


def test_a_layer_that_holds_what_learns_keeps_its_own_weights_frozen():
    model = keras.Sequential([keras.Input((4,)), Prefixed(name="block")])
    model.add(keras.layers.Dense(2, name="head_dense"))
    model.trainable = False
    transfer.unfreeze(model, "inner")
    assert moved(model) == HEAD | of("inner", "kernel", "bias")


def test_a_model_without_a_head_is_frozen_whole():
    body = backbone()
    report = transfer.freeze(body)
    assert report.learning == []
    assert report.learning_parameters == 0
    assert report.frozen_parameters == body.count_params()
    assert not body.trainable_weights


def test_flags_survive_a_keras_file(tmp_path):
    model = model_of()
    transfer.freeze(model, "a")
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert moved(again) == HEAD | B


def test_a_report_says_what_learns():
    text = str(transfer.freeze(model_of()))
    assert text == (
        "frozen: 95 parameters in 4 layers, backbone/a ... backbone/norm_b\n"
        "learns: 12 parameters in 1 layer, head/head_dense\n"
        "batch normalization: 2 layers in inference mode, as they came"
    )


def test_a_compiled_model_has_to_be_compiled_again():
    model = model_of()
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="compile it again"):
        transfer.freeze(model)


def test_a_model_with_adapters_is_an_error():
    model = model_of()
    transfer.adapt(model, transfer.LoRA(rank=2), where="b")
    for change in (transfer.freeze, transfer.unfreeze):
        with pytest.raises(ValueError, match=r"model=...\).*without adapters"):
            change(model)
    with pytest.raises(ValueError, match=r"models=...\).*`merge` them first"):
        transfer.average_weights([model, model])
    assert len(model.trainable_weights) == 2


def test_wrong_arguments():
    model = model_of()
    with pytest.raises(ValueError, match=r"freeze\(until=...\).*'conv'"):
        transfer.freeze(model, "conv")
    with pytest.raises(ValueError, match=r"freeze\(batch_norm=...\).*'inference'"):
        transfer.freeze(model, batch_norm="inference")
    with pytest.raises(ValueError, match=r"freeze\(data=...\)"):
        transfer.freeze(model, batch_norm="recalibrate")
    with pytest.raises(ValueError, match=r"freeze\(data=...\)"):
        transfer.freeze(model, data=[X])
    with pytest.raises(ValueError, match=r"unfreeze\(batch_norm=...\)"):
        transfer.unfreeze(model, batch_norm="recalibrate")
    with pytest.raises(ValueError, match=r"batch_norm=...\).*'inference'") as told:
        transfer.unfreeze(model, batch_norm="inference")
    assert "recalibrate" not in str(told.value)
    with pytest.raises(TypeError, match=r"freeze\(model=...\)"):
        transfer.freeze("model")
    with pytest.raises(ValueError, match="a built model"):
        transfer.freeze(keras.Sequential([keras.layers.Dense(2)]))
    assert len(model.trainable_weights) == 10  # as before
