"""The 10,000 images of Fashion-MNIST that ship with the examples."""

from pathlib import Path

import numpy as np

PATH = Path(__file__).parent / "data" / "fashion_mnist_10k.npz"
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load():
    """Return `(train_images, train_labels), (test_images, test_labels)`.

    Images are uint8 of shape `(count, 28, 28, 1)`, labels int32 of shape
    `(count,)`, 8,000 to train on and 2,000 to test on.
    """
    with np.load(PATH, allow_pickle=False) as file:
        return tuple(
            (file[f"{part}_images"][..., None], file[f"{part}_labels"].astype("int32"))
            for part in ("train", "test")
        )
