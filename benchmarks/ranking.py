"""How well scores without training tell which backbone a trained head is best on.

    python -m benchmarks.ranking                        # TensorFlow backend
    python -m benchmarks.ranking --json ranking.json

Where others use the machine too, OPENBLAS_NUM_THREADS=1 saves minutes of waiting.

EfficientNet-Lite0 with its ImageNet weights, cut off at several depths, the same with
random weights, MobileNet with random weights, and pixels, on Fashion-MNIST at 96
pixels. Each score sees some training images; then a linear head is trained on more of
them and judged on images that nobody has seen. Kendall's tau says how far the orders
agree: 1 is the same order, 0 is chance. A head that is trained on frozen features is
what the linear probe imitates; the other scores do without.
"""

import argparse
import json
import pathlib

import keras
import numpy as np
from scipy import stats

from examples import fashion_mnist
from perfkit import transfer
from perfkit.transfer.ranking._features import Extractor
from perfkit.transfer.ranking.rank_backbones import SCORES
from tests.support import efficientnet_lite

SIZE, BATCH = 96, 50
DEPTHS = ("stem_relu", "block2b_add", "block3b_add", "block4c_add", "block5c_add")
DEPTHS += ("block6d_add",)


def images(few, size=SIZE):
    """Images as the models take them."""
    large = keras.ops.image.resize(few.astype("float32"), (size, size))
    large = keras.ops.convert_to_numpy(large).repeat(3, axis=-1)
    return np.asarray(efficientnet_lite.preprocess_input(large))


def lite0(include_top=True):
    return efficientnet_lite.efficientnet_lite0(include_top, (SIZE, SIZE, 3))


def cut(depth):
    whole = lite0()
    return keras.Model(whole.inputs, whole.get_layer(depth).output)


def untrained():
    keras.utils.set_random_seed(0)
    return keras.models.clone_model(lite0())


def mobilenet(alpha):
    keras.utils.set_random_seed(0)
    shape = (SIZE, SIZE, 3)
    return keras.applications.MobileNet(shape, alpha, weights=None, include_top=False)


def pixels():
    inputs = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.AveragePooling2D(SIZE // 8)(inputs)
    return keras.Model(inputs, keras.layers.Flatten()(pooled))


CANDIDATES = {
    "Lite0": lite0,
    **{f"Lite0 to {depth.split('_')[0]}": lambda d=depth: cut(d) for depth in DEPTHS},
    "Lite0, untrained": untrained,
    "MobileNet, untrained": lambda: mobilenet(1.0),
    "MobileNet 0.25, untrained": lambda: mobilenet(0.25),
    "8 x 8 pixels": pixels,
}


def head_accuracy(model, train, test):
    """Accuracy of a linear head on frozen features, on images it has not seen.

    The weight decay is the best of four on a fifth of the training images.
    """
    (x, y), (x_test, y_test) = train, test
    extract = Extractor(model, x[:BATCH])

    def features(images):
        starts = range(0, len(images), BATCH)
        return np.concatenate([extract(images[k : k + BATCH]).values for k in starts])

    found = features(x)
    mean, scale = found.mean(axis=0), found.std(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    found, held_out = (found - mean) / scale, (features(x_test) - mean) / scale
    fifth = len(y) // 5
    decays = (1e-4, 1e-3, 1e-2, 1e-1)
    ours = (found[fifth:], y[fifth:], found[:fifth], y[:fifth])
    best = max(decays, key=lambda decay: trained(decay, *ours))
    return trained(best, found, y, held_out, y_test)


def trained(decay, x, y, x_test, y_test):
    """Accuracy of one linear head."""
    keras.utils.set_random_seed(0)
    penalty = keras.regularizers.L2(decay)
    head = keras.layers.Dense(10, kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input(x.shape[1:]), head])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    model.fit(x, y, batch_size=100, epochs=30, verbose=0)
    return model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seen", type=int, default=1000, help="images scores see")
    parser.add_argument("--train", type=int, default=2000, help="images heads see")
    parser.add_argument("--test", type=int, default=1000, help="images to judge on")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there")
    parser.add_argument("--plot", type=pathlib.Path, help="draw a picture there")
    options = parser.parse_args()
    print(f"{keras.backend.backend()} backend, Keras {keras.__version__}")
    train, test = fashion_mnist.load()
    order = np.random.default_rng(0).permutation(len(train[1]))[: options.train]
    judge = np.random.default_rng(1).permutation(len(test[1]))[: options.test]
    train = images(train[0][order]), train[1][order]
    test = images(test[0][judge]), test[1][judge]
    seen = train[0][: options.seen], train[1][: options.seen]
    ranking = transfer.rank_backbones(
        CANDIDATES, seen, batch_size=BATCH, repeats=3, preprocessing="none"
    )
    truth = {
        name: head_accuracy(make(), train, test) for name, make in CANDIDATES.items()
    }
    print(f"\n{ranking}\n\n{'accuracy of a trained head':32}")
    for name, accuracy in sorted(truth.items(), key=lambda item: -item[1]):
        print(f"  {name:30} {accuracy:.3f}")
    agreement = {}
    print("\nKendall's tau with it, and the accuracy of the one that is ranked first")
    scores = {name: [row.value(name) for row in ranking.rows] for name in SCORES}
    scores["mean_rank"] = [-ranking.mean_ranks[row.name] for row in ranking.rows]
    accuracies = np.array([truth[row.name] for row in ranking.rows])
    for score, values in scores.items():
        known = np.isfinite(values)
        tau = stats.kendalltau(np.array(values)[known], accuracies[known]).statistic
        first = truth[ranking.sorted_by(score).best]
        agreement[score] = {"tau": tau, "candidates": int(known.sum()), "first": first}
        print(f"  {score:14} {tau:6.2f} of {known.sum()}   {first:.3f}")
    if options.plot:
        ranking.plot(options.plot)
    if options.json:
        found = {"rows": ranking.records(), "accuracy": truth, "agreement": agreement}
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
