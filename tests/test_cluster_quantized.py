"""Clusters, zeros and integers in one model, and what is left of them in the file."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from perfkit import compress
from perfkit.compress import _quiet
from tests.support import networks
from tests.support.compressing import (
    ON_TENSORFLOW,
    about_the_file,
    reparameterized,
    value,
)

layers = keras.layers
RNG = np.random.default_rng(0)
CLUSTERS = 6


def clustered(model, **options):
    return compress.cluster(model, CLUSTERS, verbose=False, strict=False, **options)


def wrapped(model):
    return {layer.name: layer for layer in reparameterized(model)}


def kernel_of(layer, *kinds):
    """What transforms of some kinds make of a kernel."""
    left = [one for one in layer.transforms if not isinstance(one, kinds)]
    return value(layer.kernel_before(*left))


def distinct_per_unit(kernel, axes):
    axes = [axis % kernel.ndim for axis in axes]
    rows = np.moveaxis(kernel, axes, range(len(axes)))
    rows = rows.reshape(-1, int(np.prod(rows.shape[len(axes) :])))
    return max(len(np.unique(row)) for row in rows)


def integers(path):
    """The weights of a file, as rows of output units, by the place of the operation."""
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with _quiet.quiet():
        lite = Interpreter(str(path), experimental_op_resolver_type=plain)
        lite.allocate_tensors()
    found = []
    for operation in lite._get_ops_details():
        kind = operation["op_name"]
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            weights = lite.get_tensor(operation["inputs"][1])
            assert weights.dtype == "int8"
            last = kind == "DEPTHWISE_CONV_2D"
            found.append(np.moveaxis(weights, -1, 0) if last else weights)
    return [weights.reshape(len(weights), -1) for weights in found]


@pytest.mark.slow
@pytest.mark.parametrize("make", networks.ALL)
def test_what_was_clustered_is_still_when_it_is_quantized(make):
    model, x = networks.stirred(make()), networks.images(32)
    few = clustered(model)
    expected = networks.outputs(few, x)
    for small in (
        compress.quantize(few, x, verbose=False),
        compress.quantize_aware(few),
    ):
        for name, old in wrapped(few).items():
            (new,) = [x for path, x in wrapped(small).items() if path.endswith(name)]
            kinds = [compress.ClusteredKernel, compress.QuantizedKernel]
            assert [type(one) for one in new.transforms] == kinds
            np.testing.assert_array_equal(value(new.variable), value(old.variable))
            found = kernel_of(new, compress.ClusteredKernel)
            np.testing.assert_array_equal(found, value(old.kernel))
            assert distinct_per_unit(value(new.kernel), new.axes) <= CLUSTERS
    small = compress.quantize(few, x, verbose=False)
    for ours, theirs in zip(networks.outputs(small, x), expected, strict=True):
        assert np.square(ours - theirs).sum() < 1e-2 * np.square(theirs).sum()


@about_the_file
@pytest.mark.slow
@pytest.mark.parametrize("make", networks.SINGLE)
def test_a_file_has_as_few_integers_in_each_unit(make, tmp_path):
    few, x = clustered(networks.stirred(make())), networks.images(32)
    small = compress.quantize(few, x, verbose=False)
    report = compress.export_tflite(small, tmp_path / "small.tflite")
    rows = integers(report.path)
    counts = [max(len(np.unique(unit)) for unit in units) for units in rows]
    # Separable convolutions of `gated` are not clustered.
    bounded = [count <= CLUSTERS for count in counts]
    assert sum(bounded) >= len(counts) - 2 * (make is networks.gated)
    assert max(counts) >= CLUSTERS
    (theirs,) = networks.outputs(small, x)
    ours = compress.LiteModel(report.path).predict(x)
    assert np.abs(ours - theirs).max() < 10 * report.output.scale


def pruned():
    """A network of which each kernel has a mask, on the variable."""
    model = networks.stirred(networks.residual())
    masks = {}
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            masks[layer.name] = RNG.random(layer.kernel.shape) < 0.4
            layer.kernel.assign(np.where(masks[layer.name], value(layer.kernel), 0.0))
    return model, masks


def masked(model, masks):
    for name, layer in wrapped(model).items():
        mask = keras.ops.convert_to_tensor(masks[name])
        layer.variable.constraint = lambda kernel, mask=mask: keras.ops.where(
            mask, keras.ops.convert_to_tensor(kernel), 0.0
        )


def test_masks_clusters_and_integers_are_trained_together(tmp_path):
    model, masks = pruned()
    few = clustered(model, preserve_sparsity=True)
    small = compress.quantize_aware(few)
    masked(small, masks)
    before = {name: value(layer.kernel) for name, layer in wrapped(small).items()}
    x, y = networks.images(64), RNG.integers(0, 5, 64)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    small.compile(keras.optimizers.Adam(1e-2), loss)
    losses = small.fit(x, y, epochs=6, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for name, layer in wrapped(small).items():
        kernel, mask = value(layer.kernel), masks[name]
        np.testing.assert_array_equal(kernel[~mask], 0.0)
        np.testing.assert_array_equal(value(layer.variable)[~mask], 0.0)
        assert (kernel != before[name]).any()
        assert len(np.unique(kernel_of(layer, compress.ClusteredKernel))) <= CLUSTERS
        assert distinct_per_unit(kernel, layer.axes) <= CLUSTERS
    plain = compress.strip(small)
    for name, layer in wrapped(small).items():
        kernel = value(plain.get_layer(name).kernel)
        np.testing.assert_array_equal(kernel, value(layer.kernel))
    if ON_TENSORFLOW:
        report = compress.export_tflite(small, tmp_path / "small.tflite")
        found = integers(report.path)
        for rows, (name, layer) in zip(found, wrapped(small).items(), strict=True):
            assert max(len(np.unique(row)) for row in rows) <= CLUSTERS
            kernel = value(layer.kernel)
            assert (rows == 0).sum() == (kernel == 0).sum() >= (~masks[name]).sum()


def test_kernels_have_one_path_in_reports_and_centroids_are_none():
    small = compress.quantize_aware(clustered(networks.stirred(networks.plain())))
    report = compress.prune(small, 0.5)
    paths = [f"{name}/kernel" for name in ("first", "second", "third", "last")]
    assert [kernel.path for kernel in report.kernels] == paths
    assert report.left_out == {}
    assert [kernel.path for kernel in compress.strip_pruning(small).kernels] == paths


@about_the_file
def test_a_float_file_keeps_clusters_if_batch_normalization_was_folded_before(tmp_path):
    model = networks.stirred(networks.plain())
    path = tmp_path / "few.tflite"

    def most(model):
        compress.export_tflite(compress.strip(clustered(model)), path, verbose=False)
        return compress.report(path, runs=0, verbose=False).models[0].distinct

    assert most(model) > 2 * CLUSTERS
    assert most(compress.fold_batch_norm(model)) == CLUSTERS


@pytest.mark.slow
def test_pruning_goes_on_while_clusters_and_integers_are_trained():
    model = networks.stirred(networks.residual())
    small = compress.quantize_aware(clustered(model, preserve_sparsity=True))
    schedule = compress.CubicSparsity(0.6, steps=12)
    pruning = compress.Pruning(schedule, every=3, where=["stem", "expand", "project"])
    x, y = networks.images(64), RNG.integers(0, 5, 64)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    small.compile(keras.optimizers.Adam(1e-2), loss)
    small.fit(x, y, epochs=5, batch_size=16, verbose=0, callbacks=[pruning])
    plain = compress.strip(small)
    for name in ("stem", "expand", "project"):
        layer = wrapped(small)[name]
        zeros = value(layer.variable) == 0
        assert zeros.mean() == pytest.approx(0.6, abs=1 / zeros.size)
        kernel = value(plain.get_layer(name).kernel)
        np.testing.assert_array_equal(kernel[zeros], 0.0)
        assert distinct_per_unit(kernel, layer.axes) <= CLUSTERS
    assert (value(plain.get_layer("last").kernel) != 0).mean() > 0.6


def test_zeros_that_come_while_training_are_kept():
    model = networks.stirred(networks.residual())
    few = clustered(model, preserve_sparsity=True, where="expand")
    (layer,) = wrapped(few).values()
    kernel = value(layer.variable)
    gone = RNG.random(kernel.shape) < 0.5
    assert (value(layer.kernel)[gone] != 0).any()
    layer.variable.assign(np.where(gone, 0.0, kernel))
    np.testing.assert_array_equal(value(layer.kernel)[gone], 0.0)
    left = np.abs(kernel) > np.abs(kernel).max() / 2
    assert (value(layer.kernel)[left & ~gone] != 0).all()


def test_clusters_come_before_the_rounding_that_is_there():
    model = networks.stirred(networks.residual())
    aware = compress.quantize_aware(model, bits=4)
    few = clustered(aware)
    for layer in wrapped(few).values():
        kinds = [compress.ClusteredKernel, compress.QuantizedKernel]
        assert [type(one) for one in layer.transforms] == kinds
        assert layer.transforms[1].bits == 4
        assert len(np.unique(kernel_of(layer, compress.ClusteredKernel))) <= CLUSTERS
    assert len(few.layers) == len(aware.layers)


def test_batch_normalization_stays_behind_clusters_alone():
    model, x = networks.stirred(networks.residual()), networks.images(32)
    few = clustered(model, where=["stem", "expand"])
    small = compress.quantize(few, x, verbose=False)
    kinds = [type(layer) for layer in small.layers]
    assert kinds.count(layers.BatchNormalization) == 2
    assert [type(x) for x in model.layers].count(layers.BatchNormalization) == 4


def test_what_clusters_change_is_not_taken_for_rounding():
    """Values that are steps of the integers: nothing is left to correct."""
    model = keras.Sequential([keras.Input((64,)), layers.Dense(8, name="dense")])
    few = compress.cluster(model, 2, verbose=False)
    few.layers[0].transforms[0].centroids.assign([[-1.0, 1.0]])
    x = RNG.normal(1.0, 1.0, (64, 64)).astype("float32")
    for options in ({"corrected": True}, {"corrected": False}):
        small = compress.quantize(few, x, verbose=False, **options)
        np.testing.assert_allclose(
            value(wrapped(small)["dense"].layer.bias), 0.0, atol=1e-6
        )


def test_what_would_take_clusters_apart_is_refused():
    few, x = clustered(networks.stirred(networks.residual())), networks.images()
    with pytest.raises(ValueError, match=r"equalized=.* must be False, as it would"):
        compress.quantize(few, x, equalized=True, verbose=False)
    with pytest.raises(ValueError, match=r"per_channel=.* must be True, as batch norm"):
        compress.quantize(few, x, per_channel=False, verbose=False)
    small = compress.quantize(few, x, verbose=False)
    for function in (compress.quantize_aware, lambda m: compress.quantize(m, x)):
        with pytest.raises(ValueError, match="a model that is not quantized yet"):
            function(small)


def test_half_precision_is_refused_by_the_file_and_not_by_integers(tmp_path):
    model = keras.Sequential(
        [keras.Input((64,)), layers.Dense(8, dtype="mixed_float16", name="half")]
    )
    few, x = clustered(model), RNG.normal(size=(16, 64)).astype("float32")
    path = tmp_path / "few.tflite"
    with pytest.raises(ValueError, match=r"a float32 model.*half \(float16\)"):
        compress.export_tflite(few, path)
    small = compress.quantize(few, x, verbose=False)
    assert len(np.unique(value(wrapped(small)["half"].kernel))) <= 8 * CLUSTERS
    if ON_TENSORFLOW:
        assert "int8" in compress.export_tflite(small, path).tensor_dtypes


def test_layers_without_an_integer_form_keep_their_clusters():
    tokens = keras.Input((5,), dtype="int32")
    x = layers.Embedding(40, 8, name="tokens")(tokens)
    model = keras.Model(tokens, layers.Dense(16, name="dense")(x))
    few = clustered(model, where=layers.Layer)
    with pytest.raises(ValueError, match=r"integer form; not so: tokens"):
        compress.quantize_aware(few)
    aware = compress.quantize_aware(few, strict=False)
    kernel = value(wrapped(aware)["tokens"].kernel)
    np.testing.assert_array_equal(kernel, value(wrapped(few)["tokens"].kernel))
