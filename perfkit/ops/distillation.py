"""What a student is to have in common with its teacher."""

from typing import Any

from perfkit._backend import keras_ops as ops
from perfkit.ops.classes import LEAST


def as_logits(predictions, form=None) -> Any:
    """Logits of class predictions: of probabilities their logarithms.

    Args:
        predictions: `(batch, ..., classes)`.
        form: `"logits"` or `"probabilities"`. If None, they are probabilities if no
            number in the batch is below 0 and each row sums to 1, which logits do not
            by chance.
    """
    predictions = ops.cast(predictions, "float32")
    if form == "logits":
        return predictions
    sums = ops.sum(predictions, axis=-1)
    whole = ops.all(predictions >= 0.0) & ops.all(ops.abs(sums - 1.0) < 0.01)
    logs = ops.log(ops.maximum(predictions, LEAST))
    if form == "probabilities":
        return logs
    return ops.where(whole, logs, predictions)


def as_logits_of_labels(predictions, form=None) -> Any:
    """Logits of labels that do not exclude each other, each a prediction of its own.

    Args:
        predictions: `(batch, ..., labels)`.
        form: `"logits"` or `"probabilities"`. If None, they are probabilities if every
            number in the batch is within [0, 1], where those of logits rarely all are.
    """
    predictions = ops.cast(predictions, "float32")
    if form == "logits":
        return predictions
    inside = ops.clip(predictions, 1e-7, 1.0 - 1e-7)
    logits = ops.log(inside) - ops.log1p(-inside)
    if form == "probabilities":
        return logits
    shares = ops.all((predictions >= 0.0) & (predictions <= 1.0))
    return ops.where(shares, logits, predictions)


def divergence_of_labels(teacher, student, temperature) -> Any:
    """Mean divergence of softened labels, times the temperature squared.

    Args:
        teacher: Logits `(batch, ..., labels)`.
        student: The same of the student.
        temperature: What logits are divided by. Above 0.
    """
    teacher, student = teacher / temperature, student / temperature
    yes = ops.sigmoid(teacher) * (teacher - student)
    apart = yes + ops.softplus(student) - ops.softplus(teacher)
    return temperature**2 * ops.mean(apart)


def softened_mean(predictions, shares, temperature) -> Any:
    """Logits that, softened, are the mean of softened predictions.

    Args:
        predictions: List of `(batch, ..., classes)`, logits or probabilities.
        shares: Weight of each; they sum to 1.
        temperature: What logits are divided by. Above 0.
    """
    soft = [ops.softmax(as_logits(each) / temperature) for each in predictions]
    mean = sum(share * each for share, each in zip(shares, soft, strict=True))
    return temperature * ops.log(ops.maximum(mean, LEAST))


def attention(features, channels) -> Any:
    """Where features are large: `(batch, places)`, each row of length 1.

    Args:
        features: `(batch, ..., channels)`, or with channels elsewhere.
        channels: The axis of the channels, which is averaged over.
    """
    squares = ops.mean(ops.square(ops.cast(features, "float32")), axis=channels)
    flat = ops.reshape(squares, (ops.shape(squares)[0], -1))
    return flat * ops.rsqrt(ops.sum(ops.square(flat), axis=-1, keepdims=True) + 1e-12)


def distances(features) -> Any:
    """Euclidean distances of samples: `(batch, batch)`, of mean 1 off the diagonal.

    Args:
        features: `(batch, width)`.
    """
    apart = _lengths(features[:, None] - features[None])[..., 0]
    pairs = _pairs(ops.shape(features)[0])
    return ops.divide_no_nan(apart, ops.sum(apart) / pairs)


def angles(features) -> Any:
    """Cosines of the angle at sample j between i and k: `(j, i, k)`.

    Args:
        features: `(batch, width)`.
    """
    apart = features[None] - features[:, None]  # from j to i
    towards = ops.divide_no_nan(apart, _lengths(apart))
    return ops.matmul(towards, ops.transpose(towards, (0, 2, 1)))


def relations(teacher, student, of, order) -> Any:
    """Mean Huber distance of how samples lie in relation to each other.

    Args:
        teacher: `(batch, width)`.
        student: `(batch, width)`; another width will do.
        of: `distances` or `angles`.
        order: Number of samples in a relation. The mean is over those of different
            samples; where one is named twice, both are alike.
    """
    apart = ops.abs(of(teacher) - of(student))
    huber = ops.where(apart < 1.0, 0.5 * ops.square(apart), apart - 0.5)
    samples = ops.shape(teacher)[0]
    many = _pairs(samples)
    if order == 3:
        many = ops.maximum(many * ops.cast(samples - 2, "float32"), 1.0)
    return ops.sum(huber) / many


def _pairs(samples):
    samples = ops.cast(samples, "float32")
    return ops.maximum(samples * (samples - 1.0), 1.0)


def _lengths(vectors):
    """Lengths along the last axis, with a gradient of 0 where they are 0."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    none = squares <= 0.0
    return ops.where(none, 0.0, ops.sqrt(ops.where(none, 1.0, squares)))
