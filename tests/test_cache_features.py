"""Features of a frozen backbone, kept: what they are and what they are keyed by."""

import keras
import numpy as np
import pytest

from perfkit import transfer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 6)).astype("float32")
Y = RNG.integers(0, 3, 10)
WEIGHTS = RNG.uniform(0.5, 2.0, 10).astype("float32")


class Traced(keras.layers.Layer):
    """The identity; counts how often it is called, which is once a program."""

    calls = 0

    def call(self, inputs):
        Traced.calls += 1
        return inputs


def body(seed=0):
    """A backbone whose inference differs from its training."""
    rng = np.random.default_rng(seed)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, activation="tanh"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            Traced(),
        ]
    )
    model.set_weights([rng.uniform(0.5, 1, w.shape) for w in model.get_weights()])
    return model


def head():
    dense = keras.layers.Dense(
        3, kernel_initializer=keras.initializers.GlorotUniform(1)
    )
    return keras.Sequential([keras.Input((5,)), dense])


class Whole(keras.Model):
    """A Functional model would run the body in training, whatever it was told."""

    def __init__(self, backbone, top):
        super().__init__()
        self.backbone, self.top = backbone, top

    def call(self, inputs):
        return self.top(self.backbone(inputs, training=False))


def compiled(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss)
    return model


def kept(backbone, data, **options):
    return transfer.cache_features(backbone, data, verbose=False, **options)


def by_hand(backbone, x=X):
    """NumPy in float64."""
    kernel, bias, gamma, beta, mean, variance = map(np.float64, backbone.get_weights())
    return (np.tanh(x @ kernel + bias) - mean) / np.sqrt(variance + 1e-3) * gamma + beta


class Batched(keras.utils.PyDataset):
    def __init__(self, *arrays, size=4):
        super().__init__()
        self._arrays, self._size = arrays, size

    def __len__(self):
        return -(-len(self._arrays[0]) // self._size)

    def __getitem__(self, number):
        rows = slice(number * self._size, (number + 1) * self._size)
        return tuple(array[rows] for array in self._arrays)


def in_tf_data(*arrays, size=4):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(arrays).batch(size)


def of_unknown_length(*arrays):
    dataset = in_tf_data(*arrays)
    dataset = dataset.filter(lambda *_: True)
    with pytest.raises(TypeError):
        len(dataset)
    return dataset


def test_features_are_those_of_inference():
    backbone = body()
    cache = kept(backbone, X, batch_size=4)
    np.testing.assert_allclose(cache.x, by_hand(backbone), rtol=1e-5, atol=1e-5)
    assert cache.x.dtype == "float32"
    assert (cache.y, cache.sample_weight, len(cache)) == (None, None, 10)
    assert not np.allclose(backbone(X, training=True), cache.x)


def test_a_head_becomes_what_it_becomes_behind_the_frozen_backbone(tmp_path):
    backbone = body()
    backbone.trainable = False
    ours, theirs = head(), head()
    whole = compiled(Whole(backbone, theirs))
    cache = kept(backbone, (X, Y, WEIGHTS), path=tmp_path)
    in_memory = kept(backbone, (X, Y, WEIGHTS))
    for one, other in zip(cache.data, in_memory.data, strict=True):
        assert isinstance(one, np.memmap)
        np.testing.assert_array_equal(one, other)
    options = {"batch_size": 4, "epochs": 5, "shuffle": False, "verbose": 0}
    first = whole.fit(X, Y, sample_weight=WEIGHTS, **options)
    second = compiled(ours).fit(**cache.arguments, **options)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    assert not np.allclose(ours.get_weights()[0], head().get_weights()[0], atol=1e-2)
    losses = [run.history["loss"] for run in (first, second)]
    np.testing.assert_allclose(*losses, rtol=1e-6)


@pytest.mark.parametrize(
    "kind",
    [Batched, in_tf_data, of_unknown_length, lambda *a: list(Batched(*a))],
    ids=["PyDataset", "tf.data", "unknown length", "list of batches"],
)
def test_every_kind_of_data_gives_the_same_features_and_the_same_key(kind):
    backbone = body()
    arrays = kept(backbone, (X, Y, WEIGHTS), batch_size=7)
    data = kind(X, Y, WEIGHTS)
    if isinstance(data, list):
        data = Iterable(data)
    batches = kept(backbone, data)
    assert batches.key == arrays.key
    np.testing.assert_allclose(batches.x, arrays.x, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(batches.y, Y)
    np.testing.assert_array_equal(batches.sample_weight, WEIGHTS)


class Iterable:
    def __init__(self, batches):
        self._batches = batches

    def __iter__(self):
        return iter(self._batches)


def test_a_short_last_batch_is_no_other_program():
    backbone = body()
    Traced.calls = 0
    kept(backbone, X, batch_size=5)
    even = Traced.calls
    Traced.calls = 0
    cache = kept(backbone, X, batch_size=4)
    assert Traced.calls == even
    np.testing.assert_allclose(cache.x, by_hand(backbone), rtol=1e-5, atol=1e-5)


def test_a_larger_batch_later_on_is_fine():
    cache = kept(body(), Iterable([X[:2], X[2:3], X[3:]]))
    np.testing.assert_allclose(cache.x, by_hand(body()), rtol=1e-5, atol=1e-5)


def test_the_key_is_that_of_weights_architecture_data_and_dtype():
    backbone = body()
    key = kept(backbone, (X, Y)).key
    assert kept(body(), (X.copy(), Y.copy())).key == key  # other names of layers

    def changed(array):
        array = array.copy()
        array.flat[-1] += 1
        return array

    other = body()
    other.set_weights([*other.get_weights()[:-1], changed(other.get_weights()[-1])])
    activated = body()
    activated.layers[0].activation = keras.activations.relu
    keys = [
        kept(other, (X, Y)).key,
        kept(activated, (X, Y)).key,
        kept(backbone, (changed(X), Y)).key,
        kept(backbone, (X, changed(Y))).key,
        kept(backbone, (X, Y.astype("int32"))).key,
        kept(backbone, (X, Y, WEIGHTS)).key,
        kept(backbone, (X, X)).key,
        kept(backbone, (X[:-1], Y[:-1])).key,
        kept(backbone, (X, Y), dtype="float16").key,
    ]
    assert len({key, *keys}) == 10


def test_how_a_backbone_is_trained_does_not_change_the_key():
    backbone = body()
    key = kept(backbone, X).key
    backbone.compile("adam", "mse")
    backbone.trainable = False
    assert kept(backbone, X).key == key


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="not on JAX")
def test_the_key_sees_a_vocabulary():
    def backbone(words):
        look_up = keras.layers.IntegerLookup(num_oov_indices=1)
        look_up.set_vocabulary(words)
        return keras.Sequential([keras.Input((2,), dtype="int64"), look_up])

    ids = np.array([[7, 8], [9, 7]])
    one, other = (kept(backbone(words), ids) for words in ([7, 8, 9], [9, 8, 7]))
    assert one.x.tolist() == [[1, 2], [3, 1]]
    assert other.x.tolist() == [[3, 2], [1, 3]]
    assert one.key != other.key


def test_structures_of_inputs_outputs_and_labels_keep_their_form():
    inputs = {
        "ids": keras.Input((3,), dtype="int32", name="ids"),
        "row": keras.Input((6,), name="row"),
    }
    read = keras.layers.Embedding(5, 2)(inputs["ids"])
    outputs = {"text": read, "row": [inputs["row"] * 2, inputs["ids"]]}
    backbone = keras.Model(inputs, outputs)
    ids = RNG.integers(0, 5, (10, 3)).astype("int32")
    data = {"ids": ids, "row": X}, {"a": Y, "b": (X, WEIGHTS)}
    cache = kept(backbone, data, batch_size=4)
    table = np.array(backbone.get_weights()[0])
    np.testing.assert_array_equal(cache.x["text"], table[ids])
    np.testing.assert_array_equal(cache.x["row"][0], X * 2)
    np.testing.assert_array_equal(cache.x["row"][1], ids)
    assert cache.x["row"][1].dtype == "int32"
    np.testing.assert_array_equal(cache.y["b"][1], WEIGHTS)


def test_a_layer_can_be_the_backbone_and_nothing_of_it_changes():
    layer = keras.layers.Dense(2)
    layer.build((None, 6))
    cache = kept(layer, X)
    kernel, _ = layer.get_weights()
    np.testing.assert_allclose(cache.x, X @ kernel, rtol=1e-5, atol=1e-5)
    assert layer.trainable


def test_float16_takes_half_the_space_and_says_when_it_overflows():
    whole, half = (kept(body(), X, dtype=dtype) for dtype in (None, "float16"))
    assert half.x.nbytes * 2 == whole.x.nbytes
    np.testing.assert_allclose(half.x, whole.x, rtol=1e-3)
    scaled = keras.Sequential([keras.Input((6,)), keras.layers.Rescaling(1e6)])
    with pytest.raises(ValueError, match="holds features as large as"):
        kept(scaled, np.abs(X), dtype="float16")


def test_features_of_half_precision_are_kept_as_float32():
    backbone = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(2, dtype="mixed_bfloat16")]
    )
    cache = kept(backbone, X)
    assert cache.x.dtype == "float32"
    expected = keras.ops.convert_to_numpy(keras.ops.cast(backbone(X), "float32"))
    np.testing.assert_allclose(cache.x, expected, rtol=1e-2)


def test_a_mask_is_not_lost_silently():
    read = keras.layers.Embedding(5, 2, mask_zero=True)
    backbone = keras.Sequential([keras.Input((3,), dtype="int32"), read])
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    with pytest.raises(ValueError, match="carry no mask"):
        kept(backbone, ids)
    backbone.add(keras.layers.GlobalAveragePooling1D())
    table = np.array(backbone.get_weights()[0])
    expected = [table[[1, 2]].mean(0), table[3]]
    np.testing.assert_allclose(kept(backbone, ids).x, expected, rtol=1e-6)


def test_batches_are_each_epoch_in_another_order_that_the_seed_gives():
    cache = kept(body(), (X, Y), batch_size=5)

    def epochs(**options):
        batches, rows = cache.batches(4, **options), []
        for _ in range(2):
            read = [batches[number] for number in range(len(batches))]
            assert [len(y) for _, y in read] == [4, 4, 2]
            x, y = (np.concatenate(part) for part in zip(*read, strict=True))
            order = [int(np.flatnonzero((cache.x == row).all(1))[0]) for row in x]
            np.testing.assert_array_equal(y, Y[order])
            rows.append(order)
            batches.on_epoch_end()
        return rows

    first, second = epochs(seed=3)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert epochs(seed=3) == [first, second]
    assert epochs(seed=4)[0] != first
    assert epochs(shuffle=False) == [list(range(10))] * 2


def test_fits_on_batches_of_the_same_seed_are_the_same(tmp_path):
    cache = kept(body(), (X, X[:, :3]), path=tmp_path)

    model = head()
    model.compile("sgd", "mse")
    start = model.get_weights()

    def weights(seed):
        model.set_weights(start)
        batches = cache.batches(4, seed=seed)
        model.fit(batches, epochs=3, shuffle=False, verbose=0)
        return model.get_weights()[0]

    np.testing.assert_array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("no model", X), TypeError, "must be of type Layer"),
        ((keras.layers.Dense(2), X), ValueError, "built"),
        ((body(), (X, Y, Y, Y)), ValueError, "`x`, `(x, y)` or"),
        ((body(), (X, Y[:-1])), ValueError, "as many samples everywhere"),
        ((body(), X[:0]), ValueError, "as many samples everywhere"),
        ((body(), (X, [1, 2])), ValueError, "first axis is that of the samples"),
        ((body(), Iterable([])), ValueError, "at least one batch"),
        ((body(), (x for x in [X])), ValueError, "no generator"),
        ((body(), 3), TypeError, "a data set of batches"),
        ((body(), Iterable([(X, Y), (X, Y * 1.0)])), ValueError, "have to be alike"),
        ((body(), Iterable([(X, Y), (X,)])), ValueError, "have to be alike"),
    ],
)
def test_what_cannot_be_cached_is_an_error(arguments, kind, message):
    with pytest.raises(kind) as error:
        kept(*arguments)
    assert message in str(error.value)


def test_a_data_set_without_end_is_an_error():
    with pytest.raises(ValueError, match="a data set that ends"):
        kept(body(), in_tf_data(X).repeat())


@pytest.mark.parametrize(
    ("name", "value"), [("batch_size", 0), ("dtype", "int8"), ("verbose", 2)]
)
def test_an_argument_out_of_bounds_is_an_error(name, value):
    with pytest.raises((TypeError, ValueError), match=rf"cache_features\({name}="):
        transfer.cache_features(body(), X, **{"verbose": False, name: value})
