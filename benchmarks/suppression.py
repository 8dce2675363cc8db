"""How long `suppressed` takes, beside what else keeps one detection an object.

    python -m benchmarks.suppression
    python -m benchmarks.suppression --json FILE

Scenes are objects with a cluster of boxes around each, as a detector finds them, and
noise. Each method is compiled and warm; runs of the methods take turns, and the medians
are of those. On TensorFlow the other one is `tf.image.combined_non_max_suppression`,
which XLA does not compile; on JAX it is the usual loop of as many steps as there are
detections, each of which takes the surest box and looks at all others.
"""

import argparse
import json
import pathlib
import statistics
import time

import keras
import numpy as np

from perfkit._backend import compiled
from perfkit.ops.detection.suppression import suppressed

IOU, SCORE, DETECTIONS = 0.5, 0.05, 100
# Images, boxes an image, classes.
SETTINGS = [(1, 1000, 1), (8, 1000, 10), (8, 5000, 10), (8, 8500, 80)]


def scene(batch, count, classes, seed=0):
    draw = np.random.default_rng(seed)
    objects = draw.uniform(0, 512, (batch, 30, 2))
    sizes = np.exp(draw.uniform(np.log(16), np.log(160), (batch, 30, 2)))
    which = draw.integers(0, 30, (batch, count, 1))
    centers = np.take_along_axis(objects, which, axis=1)
    sides = np.take_along_axis(sizes, which, axis=1)
    centers = centers + draw.normal(0.0, 0.15, centers.shape) * sides
    half = 0.5 * sides * np.exp(draw.normal(0.0, 0.1, sides.shape))
    boxes = np.concatenate([centers - half, centers + half], axis=-1)
    scores = draw.beta(0.3, 6.0, (batch, count, classes))
    return boxes.astype("float32"), scores.astype("float32")


def of_tensorflow(boxes, scores):
    import tensorflow as tf

    out = tf.image.combined_non_max_suppression(
        boxes[:, :, None],
        scores,
        max_output_size_per_class=DETECTIONS,
        max_total_size=DETECTIONS,
        iou_threshold=IOU,
        score_threshold=SCORE,
        clip_boxes=False,
    )
    return out.nmsed_boxes, out.nmsed_classes, out.nmsed_scores


def loop_of_jax(boxes, scores):
    """The surest of all boxes and classes, again and again."""
    import jax
    import jax.numpy as jnp

    def overlap(box, others):
        low = jnp.maximum(box[:2], others[:, :2])
        high = jnp.minimum(box[2:], others[:, 2:])
        both = jnp.prod(jnp.maximum(high - low, 0.0), axis=-1)
        areas = jnp.prod(others[:, 2:] - others[:, :2], axis=-1)
        return both / (areas + jnp.prod(box[2:] - box[:2]) - both + 1e-7)

    def one(boxes, scores):
        def step(scores, _):
            best = jnp.argmax(scores)
            place, kind = best // scores.shape[1], best % scores.shape[1]
            score = scores[place, kind]
            near = overlap(boxes[place], boxes) > IOU
            rest = jnp.where(near, -1.0, scores[:, kind]).at[place].set(-1.0)
            return scores.at[:, kind].set(rest), (boxes[place], kind, score)

        scores = jnp.where(scores > SCORE, scores, -1.0)
        _, found = jax.lax.scan(step, scores, length=DETECTIONS)
        return found

    return jax.vmap(one)(boxes, scores)


def ours(boxes, scores):
    out = suppressed(boxes, scores, IOU, SCORE, DETECTIONS)
    return out["boxes"], out["classes"], out["confidence"]


def methods():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return {
            "perfkit, XLA": compiled(ours),
            "perfkit": tf.function(ours, autograph=False),
            "combined_non_max_suppression": tf.function(of_tensorflow, autograph=False),
        }
    return {"perfkit": compiled(ours), "loop over detections": compiled(loop_of_jax)}


def seconds(function, arguments):
    start = time.perf_counter()
    out = [keras.ops.convert_to_numpy(x) for x in function(*arguments)]
    return time.perf_counter() - start, out


def measure(setting, repeats):
    arguments = [keras.ops.convert_to_tensor(x) for x in scene(*setting)]
    functions = methods()
    outputs = {name: seconds(f, arguments)[1] for name, f in functions.items()}
    times = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(seconds(function, arguments)[0])
    names = [*functions]
    first = outputs[names[0]]
    return [
        {
            "backend": keras.backend.backend(),
            "images": setting[0],
            "boxes": setting[1],
            "classes": setting[2],
            "method": name,
            "milliseconds": 1e3 * statistics.median(times[name]),
            "ratio": statistics.median(
                one / own for one, own in zip(times[name], times[names[0]], strict=True)
            ),
            "same": all(
                np.allclose(np.where(first[1] < 0, 0, a), np.where(first[1] < 0, 0, b))
                for a, b in [(first[1], outputs[name][1])]
            )
            and np.allclose(first[2], np.maximum(outputs[name][2], 0.0), atol=1e-6),
        }
        for name in names
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=pathlib.Path, help="write the rows to this file")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    rows = []
    print(
        "images  boxes classes  method                                ms  ratio  same"
    )
    for setting in SETTINGS:
        for row in measure(setting, options.repeats):
            rows.append(row)
            print(
                f"{row['images']:6} {row['boxes']:6} {row['classes']:7}  "
                f"{row['method']:30} {row['milliseconds']:9.2f} {row['ratio']:6.2f}  "
                f"{row['same']}"
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
