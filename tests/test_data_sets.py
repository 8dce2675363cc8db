"""Draws by number: the same images in parallel, in workers, and after a restart."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from perfkit import augment

rng = np.random.default_rng(1)
IMAGES = rng.integers(0, 256, (24, 16, 20, 3)).astype("uint8")
LABELS = np.arange(24, dtype="int32") % 3


def pipeline():
    return augment.Pipeline(
        [
            augment.RandomRotation(0.1),
            augment.RandomChoice([augment.RandomHue(0.3), augment.RandomGamma(0.5)]),
        ]
    )


def batches(size=4):
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(size)


def images_of(dataset):
    return np.concatenate([np.asarray(element[0]) for element in dataset])


@pytest.mark.slow
def test_a_dataset_in_parallel_is_the_serial_one():
    layer = pipeline()
    expected = []
    for number, (images, _) in enumerate(batches()):
        key = tf.constant([7, number])
        call = tf.function(lambda x, key=key: layer.with_key(x, key))
        expected.append(np.asarray(call(images)))
    runs = [images_of(augment.augment_dataset(batches(), layer, seed=7)) for _ in "ab"]
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], np.concatenate(expected))
    assert not np.array_equal(runs[0][:4], IMAGES[:4])


def test_a_dataset_that_is_resumed_goes_on():
    layer = pipeline()
    whole = images_of(augment.augment_dataset(batches(), layer, seed=(7, 1)))
    rest = augment.augment_dataset(batches().skip(2), layer, seed=(7, 1), first=2)
    assert np.array_equal(images_of(rest), whole[8:])


def test_seeds_epochs_and_batches_draw_differently():
    layer = augment.RandomBrightness(0.5)
    same = tf.data.Dataset.from_tensors(IMAGES[:1]).repeat(3)
    values = [
        float(np.mean(images))
        for seed in (1, 2, (1, 1), (1, 2))
        for images in augment.augment_dataset(same, layer, seed=seed)
    ]
    assert len(set(values)) == 12


def test_labels_stay_with_their_images():
    labels = [y for _, y in augment.augment_dataset(batches(), pipeline())]
    assert np.array_equal(np.concatenate(labels), LABELS)


def test_datasets_of_pairs_and_dicts_can_be_mixed():
    mix = augment.MixUp(1.0, classes=3)
    images, labels = next(iter(augment.augment_dataset(batches(8), mix, seed=3)))
    dicts = batches(8).map(lambda x, y: {"images": x, "labels": y})
    element = next(iter(augment.augment_dataset(dicts, mix, seed=3)))
    assert np.array_equal(images, element["images"])
    assert np.array_equal(labels, element["labels"])
    assert labels.shape == (8, 3)


class Batches(keras.utils.PyDataset):
    """The images in batches of four, the last of them shorter."""

    def __init__(self, size=5, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def __len__(self):
        return -(-len(IMAGES) // self.size)

    def __getitem__(self, number):
        here = slice(number * self.size, (number + 1) * self.size)
        return IMAGES[here], LABELS[here]


def loaded(dataset):
    return np.concatenate([dataset[k][0] for k in range(len(dataset))])


def test_a_py_dataset_draws_by_sample_number():
    layer = pipeline()
    whole = loaded(augment.AugmentedPyDataset(Batches(), layer, seed=3))
    others = loaded(augment.AugmentedPyDataset(Batches(8), pipeline(), seed=3))
    assert np.array_equal(whole, others)
    backwards = augment.AugmentedPyDataset(Batches(), layer, seed=3)
    last = backwards[4][0]
    assert np.array_equal(last, whole[20:])
    assert not np.array_equal(whole, IMAGES)


def test_a_py_dataset_changes_with_the_epoch_and_resumes():
    first = augment.AugmentedPyDataset(Batches(), pipeline(), seed=3)
    before = loaded(first)
    first.on_epoch_end()
    assert not np.array_equal(loaded(first), before)
    resumed = augment.AugmentedPyDataset(Batches(), pipeline(), seed=3, epoch=1)
    assert np.array_equal(loaded(resumed), loaded(first))


def means(**kwargs):
    """Means of the batches that Keras's own loader hands out."""
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    dataset = augment.AugmentedPyDataset(Batches(), pipeline(), seed=3, **kwargs)
    adapter = PyDatasetAdapter(dataset, shuffle=False)
    adapter.on_epoch_begin()
    batches = [float(np.mean(x)) for x, _ in adapter.get_numpy_iterator()]
    adapter.on_epoch_end()
    return batches


@pytest.mark.filterwarnings("ignore:Exception ignored")  # JAX dislikes forks
@pytest.mark.parametrize("processes", [False, True])
def test_workers_make_the_same_images(processes):
    alone = means()
    assert len(alone) == 5
    assert means(workers=2, use_multiprocessing=processes) == alone


def test_fit_takes_the_dataset():
    layers = [keras.Input((16, 20, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    network = keras.Sequential(layers)
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    dataset = augment.AugmentedPyDataset(Batches(), pipeline(), seed=3)
    network.fit(dataset, epochs=2, verbose=0)
    assert dataset.epoch in (2, 3)  # one more where Keras looks at the data before


def test_wrong_arguments_are_named():
    with pytest.raises(TypeError, match=r"`augment_dataset\(layer=...\)`"):
        augment.augment_dataset(batches(), keras.layers.RandomFlip())
    with pytest.raises(ValueError, match=r"`augment_dataset\(first=...\)`"):
        augment.augment_dataset(batches(), pipeline(), first=-1)
    with pytest.raises(TypeError, match=r"`AugmentedPyDataset\(dataset=...\)`"):
        augment.AugmentedPyDataset(IMAGES, pipeline())
    with pytest.raises(ValueError, match=r"`AugmentedPyDataset\(seed=...\)`"):
        augment.AugmentedPyDataset(Batches(), pipeline(), seed=-1)
    only = tf.data.Dataset.from_tensors((IMAGES,))
    with pytest.raises(ValueError, match="needs their labels"):
        augment.augment_dataset(only, augment.MixUp(classes=3))
