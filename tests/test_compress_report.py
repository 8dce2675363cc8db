"""Reports on Keras models: counts, noise, quality, times, and how they are shown."""

import gzip

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.graph.macs import macs
from perfkit.ops import signal_to_noise, value_counts

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 8, 8, 3)).astype("float32")
Y = RNG.integers(0, 5, 40)
QUIET = {"runs": 0, "lite": False, "verbose": False}


def net(name="net", nested=False):
    """A CNN, its first half in a model of its own if it is nested."""
    inputs = keras.Input((8, 8, 3))
    first = [
        layers.Conv2D(4, 3, use_bias=False, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(name="relu"),
    ]
    if nested:
        first = [keras.Sequential([keras.Input((8, 8, 3)), *first], name="body")]
    x = inputs
    for layer in [*first, layers.Flatten(name="flat"), layers.Dense(5, name="head")]:
        x = layer(x)
    return keras.Model(inputs, x, name=name)


def noisy(model, scale=0.05):
    copy = keras.models.clone_model(model)
    rng = np.random.default_rng(1)
    weights = [w * (1 + scale * rng.normal(size=w.shape)) for w in model.get_weights()]
    copy.set_weights(weights)
    return copy


def ratio(right, x):
    right, x = right.astype("float64"), x.astype("float64")
    return 10 * np.log10((right**2).sum() / ((right - x) ** 2).sum())


def rows(report):
    return {row.path: row for row in report.layers}


# Pure functions


def test_an_error_of_a_tenth_is_20_decibels_and_none_is_infinite():
    signal = RNG.normal(size=(3, 4))
    assert signal_to_noise.sqnr(signal, 1.1 * signal) == pytest.approx(20.0)
    assert signal_to_noise.sqnr(signal, signal) == np.inf
    assert signal_to_noise.sqnr(0 * signal, signal) == -np.inf
    with pytest.raises(ValueError, match="of the shape of `reference`"):
        signal_to_noise.sqnr(signal, signal[0])


def test_energies_of_batches_add_up_to_those_of_all():
    signal, values = RNG.normal(size=(2, 10))
    parts = [(signal[:3], values[:3]), (signal[3:], values[3:])]
    sums = sum(signal_to_noise.energies(*part) for part in parts)
    whole = signal_to_noise.sqnr(signal, values)
    assert signal_to_noise.decibels(*sums) == pytest.approx(whole)
    assert whole == pytest.approx(ratio(signal, values))


def test_zeros_that_are_not_stored_count():
    assert value_counts.sparsity([3, 3], 8) == 0.75
    assert value_counts.distinct([3, 3], 8) == 2
    assert value_counts.distinct([3, 0], 8) == 2


# Counts


def test_counts_are_those_by_hand():
    model = net()
    kernel = np.array(RNG.integers(-2, 3, (3, 3, 3, 4)), "float32")
    model.get_layer("conv").set_weights([kernel])
    report = compress.report(model, **QUIET)["net"]
    dense = model.get_layer("head").get_weights()
    assert report.parameters == 108 + 16 + (6 * 6 * 4 * 5 + 5)
    assert report.macs == 36 * 4 * 27 + 144 * 5
    assert report.weight_bytes == 4 * report.parameters
    ordered = [w for layer in model.layers for w in layer.get_weights()]
    content = b"".join(each.tobytes() for each in ordered)
    assert report.weight_gzip_bytes == len(gzip.compress(content))
    zeros = (kernel == 0).sum() + (dense[0] == 0).sum()
    assert report.sparsity == pytest.approx(zeros / (108 + 720))
    assert report.distinct == len(set(dense[0].ravel().tolist()))
    assert report.dtypes == {"float32": 7}
    conv = rows(report)["conv"]
    assert (conv.parameters, conv.macs, conv.bytes) == (108, 3888, 432)
    assert conv.distinct == len(set(kernel.ravel().tolist())) == 5
    assert conv.sparsity == pytest.approx((kernel == 0).mean())
    assert conv.gzip_bytes == len(gzip.compress(kernel.tobytes()))
    assert (rows(report)["norm"].sparsity, rows(report)["norm"].macs) == (None, 0)
    head = rows(report)["head"]
    content = b"".join(each.tobytes() for each in dense)
    assert (head.kind, head.gzip_bytes) == ("Dense", len(gzip.compress(content)))


@keras.saving.register_keras_serializable(package="test_compress_report")
class Halved(layers.Wrapper):
    """Calls a layer with half of its kernel, as a quantized layer does with another."""

    def build(self, shape):
        super().build(shape)
        self.range = self.add_weight(shape=(2,), name="range")

    def call(self, x):
        kernel = self.layer.kernel
        with keras.StatelessScope(state_mapping=[(kernel, 0.5 * kernel)]):
            return self.layer.call(x)


def wrapped(model):
    def wrap(layer):
        return Halved(layer, name=f"q_{layer.name}") if layer.name == "conv" else layer

    copy = keras.models.clone_model(model, clone_function=wrap)
    copy.get_layer("head").set_weights(model.get_layer("head").get_weights())
    return copy


def test_a_wrapped_layer_is_one_row_that_is_compared_with_the_layer_inside():
    model = net()
    quantized = wrapped(model)
    found = compress.report({"float": model, "q": quantized}, data=X, **QUIET)["q"]
    row = rows(found)["q_conv"]
    assert row.kind == "Halved(Conv2D)"
    assert (row.parameters, row.macs, row.distinct) == (108 + 2, 3888, 108)
    assert row.sqnr == pytest.approx(20 * np.log10(2), abs=1e-4)  # half is off
    assert "q_conv/conv" not in rows(found)


class Block(layers.Layer):
    def __init__(self, name):
        super().__init__(name=name)
        self.inner, self.twice = layers.Dense(6, name="a"), layers.Dense(6, name="b")

    def call(self, x):
        return x + self.twice(self.twice(self.inner(x)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.attention = layers.MultiHeadAttention(2, 3, name="attention")
        self.block = Block("block")
        self.free = self.add_weight(shape=(6,), name="free")

    def call(self, x):
        return self.block(self.attention(x, x)) * self.free


def test_subclassed_models_and_layers_are_looked_into_and_attention_is_one():
    model, other = Subclassed(), Subclassed()
    x = RNG.normal(size=(4, 5, 6)).astype("float32")
    for each in (model, other):
        each(x)
    other.set_weights([1.1 * w for w in model.get_weights()])
    found = compress.report({"a": model, "b": other}, data=x, **QUIET)["b"]
    assert found.parameters == model.count_params()
    assert found.macs == macs(model, x[:1]).total
    assert list(rows(found)) == ["own", "attention", "block", "block/a", "block/b"]
    assert [row.parameters for row in found.layers] == [6, 4 * 42, 0, 42, 42]
    assert sum(row.macs for row in found.layers) == found.macs
    attended = ratio(
        np.asarray(model.attention(x, x)), np.asarray(other.attention(x, x))
    )
    assert rows(found)["attention"].sqnr == pytest.approx(attended, abs=1e-3)
    assert rows(found)["block/a"].sqnr is not None
    assert rows(found)["block/b"].sqnr is None  # it is called twice


def test_without_sizes_there_are_no_macs_and_a_note():
    model = Subclassed()
    model(np.zeros((1, 5, 6), "float32"))
    found = compress.report(model, runs=3, lite=False, verbose=False)["own"]
    assert (found.macs, found.latency) == (None, None)
    assert "does not say what sizes it takes; give data=" in found.notes[0]


def test_what_keras_quantized_is_counted_and_compared():
    model = net()
    quantized = keras.models.clone_model(model)
    quantized.set_weights(model.get_weights())
    quantized.get_layer("head").quantize("int8")
    found = compress.report({"float": model, "int8": quantized}, data=X, **QUIET)
    assert found["int8"].macs == found["float"].macs == 36 * 4 * 27 + 144 * 5
    head = rows(found["int8"])["head"]
    assert head.bytes == 144 * 5 + 4 * (5 + 5)  # kernel; its scales, bias
    assert 25 < head.sqnr < 60


@pytest.mark.parametrize("rounded", [False, True])
def test_clusters_are_counted_as_the_layer_computes_with_them(rounded):
    model = net()
    compress.prune(model, 0.5)
    few = compress.cluster(model, 4, verbose=False)
    few = compress.quantize_aware(few) if rounded else few
    (head,) = [layer for layer in few.layers if layer.name == "head"]
    found = compress.report(few, **QUIET)[few.name]
    kernel = np.asarray(head.kernel) + 0.0
    assert rows(found)["head"].distinct == len(np.unique(kernel)) <= 4 * 5
    assert rows(found)["head"].sparsity == pytest.approx((kernel == 0).mean()) == 0.5
    assert found.sparsity == pytest.approx(0.5)
    assert (found.macs, rows(found)["head"].macs) == (36 * 4 * 27 + 144 * 5, 144 * 5)
    assert found.notes == ()
    before = compress.report(model, **QUIET)["net"]
    assert rows(found)["head"].gzip_bytes < 0.5 * rows(before)["head"].gzip_bytes


def test_outputs_that_do_not_depend_on_inputs_are_noted():
    model, dead = net(), keras.models.clone_model(net())
    dead.get_layer("head").set_weights([np.zeros((144, 5)), np.arange(5.0)])
    found = compress.report({"dead": dead, "net": model}, data=X, **QUIET)
    (note,) = found["dead"].notes
    assert "'dead' do not depend on the inputs" in note
    assert found["net"].notes == ()
    found = compress.report({"net": model}, data=X, reference=dead, **QUIET)
    assert "do not depend on the inputs" in found["net"].notes[0]


def test_negative_zeros_are_noted():
    model = net()
    kernel = model.get_layer("conv").get_weights()[0]
    masked = kernel * (np.arange(kernel.size).reshape(kernel.shape) % 4 == 0)
    model.get_layer("conv").set_weights([masked])
    minus = int((np.signbit(masked) & (masked == 0)).sum())
    (note,) = compress.report(model, **QUIET)["net"].notes
    assert note.startswith(f"{minus} zeros of kernels are -0.0")
    model.get_layer("conv").set_weights([masked + 0.0])
    assert compress.report(model, **QUIET)["net"].notes == ()


# Noise


@pytest.mark.parametrize("nested", [False, True])
def test_noise_of_layers_is_that_of_the_arrays(nested):
    model = net(nested=nested)
    other = noisy(model)
    data = {"data": X, "samples": 13, "batch_size": 5}
    found = compress.report({"a": model, "b": other}, **data, **QUIET)
    body = [each.get_layer("body") if nested else each for each in (model, other)]
    prefix = "body/" if nested else ""
    inner = [keras.Model(b.inputs, [b.get_layer("conv").output]) for b in body]
    conv = ratio(*(each.predict(X[:13], verbose=0) for each in inner))
    whole = [each.predict(X, verbose=0) for each in (model, other)]
    by_path = rows(found["b"])
    assert by_path[f"{prefix}conv"].sqnr == pytest.approx(conv, abs=1e-3)
    first = ratio(whole[0][:13], whole[1][:13])
    assert by_path["head"].sqnr == pytest.approx(first, abs=1e-3)
    assert found["b"].sqnr == pytest.approx(ratio(*whole), abs=1e-3)
    assert found["a"].sqnr is None
    assert all(row.sqnr is None for row in found["a"].layers)


def test_equal_layers_are_infinitely_good_and_others_have_no_counterpart():
    model = net()
    narrow = net()
    narrow.set_weights(model.get_weights())
    cut = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(2, 3, name="conv"), layers.Flatten()]
    )
    data = {"data": X, "reference": model}
    found = compress.report({"same": narrow, "cut": cut}, **data, **QUIET)
    assert found["same"].sqnr == np.inf
    assert rows(found["same"])["conv"].sqnr == np.inf
    assert (found["cut"].sqnr, rows(found["cut"])["conv"].sqnr) == (None, None)


# Quality


@pytest.mark.parametrize("nested", [False, True])
def test_a_layer_with_batch_normalization_in_it_is_compared_with_both(nested):
    model = net(nested=nested)
    norm = model.get_layer("body" if nested else "norm")
    norm = norm.get_layer("norm") if nested else norm
    norm.moving_variance.assign(RNG.uniform(4, 9, 4))
    folded = compress.fold_batch_norm(model)
    same = keras.models.clone_model(model)
    same.set_weights(model.get_weights())
    found = compress.report(
        {"whole": model, "folded": folded, "same": same}, data=X, **QUIET
    )
    conv = "body/conv" if nested else "conv"
    assert rows(found["folded"])[conv].sqnr > 100
    assert rows(found["same"])[conv].sqnr == np.inf


def test_accuracy_is_the_share_of_right_classes_however_they_are_written():
    model = net()
    right = float(np.mean(model.predict(X, verbose=0).argmax(1) == Y))
    labels = [Y, Y[:, None], np.eye(5)[Y], Y.astype("float32")]
    for y in labels:
        assert compress.report(model, data=(X, y), **QUIET)["net"].quality == right


def test_each_pixel_counts_where_each_has_a_class():
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 1)], name="map")
    y = RNG.integers(0, 4, (40, 8, 8))
    right = np.mean(model.predict(X, verbose=0).argmax(-1) == y)
    found = compress.report(model, data=(X, y), **QUIET)["map"]
    assert found.quality == pytest.approx(right)


def test_labels_that_are_no_classes_need_a_metric():
    model = net()
    several = np.ones((40, 5))  # of classes at once
    assert compress.report(model, data=(X, several), **QUIET)["net"].quality is None
    y = RNG.normal(size=(40, 5)).astype("float32")
    found = compress.report(model, data=(X, y), **QUIET)["net"]
    assert found.quality is None
    assert "no accuracy of labels of shape (40, 5)" in found.notes[0]
    metric = keras.metrics.mean_squared_error  # one number a sample
    found = compress.report(model, data=(X, y), metric=metric, **QUIET)
    error = np.mean((model.predict(X, verbose=0) - y) ** 2)
    assert found["net"].quality == pytest.approx(error, rel=1e-5)
    assert "mean_squared_error" in str(found)


def test_several_outputs_have_sizes_and_what_a_metric_says():
    inputs = keras.Input((8, 8, 3))
    x = layers.Flatten()(inputs)
    model = keras.Model(inputs, [layers.Dense(2)(x), layers.Dense(3)(x)], name="two")
    data = X, (Y, Y)
    found = compress.report(model, data=data, runs=0, lite=True, verbose=False)["two"]
    assert (found.parameters, found.macs) == (193 * 5, 192 * 5)
    assert found.quality is None
    assert found.lite_bytes is None
    assert any("no .tflite" in note and "one output" in note for note in found.notes)

    def classes(_, outputs):
        return sum(x.shape[1] for x in outputs)

    found = compress.report(model, data=data, metric=classes, **QUIET)["two"]
    assert found.quality == 5.0


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        part = slice(16 * index, 16 * index + 16)
        return X[part], Y[part]


def test_data_of_any_kind_is_the_same_data():
    tf = pytest.importorskip("tensorflow")
    model, other = net(), noisy(net())
    pairs = [(X[i : i + 7], Y[i : i + 7]) for i in range(0, 40, 7)]
    kinds = [
        (X, Y),
        pairs,
        iter(pairs),
        tf.data.Dataset.from_tensor_slices((X, Y)).batch(9),
        Batches(),
    ]
    models = {"a": model, "b": other}
    found = [compress.report(models, data=data, **QUIET) for data in kinds]
    assert {each.samples for each in found} == {40}
    assert len({each["b"].quality for each in found}) == 1
    ratios = [each["b"].sqnr for each in found]
    np.testing.assert_allclose(ratios, ratios[0], atol=1e-3)
    ratios = [rows(each["b"])["conv"].sqnr for each in found]
    np.testing.assert_allclose(ratios, ratios[0], atol=1e-3)
