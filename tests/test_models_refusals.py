"""Builders and spaces refuse by name what makes no sense."""

import pytest

from perfkit import models
from tests.model_cases import SHAPES, SMALL

WRONG = [
    ("cnn", "images", "input_shape", (8, 0, 3), "height, width, channels"),
    ("cnn", "images", "input_shape", (8, 8, None), "height, width, channels"),
    ("cnn", "images", "input_shape", 8, "height, width, channels"),
    ("rnn", "features", "input_shape", (8, 8, 3), r"\(steps, features\) or \(steps,\)"),
    ("cnn", "tokens", "vocabulary", None, "the number of tokens"),
    ("cnn", "tokens", "vocabulary", 1, "of at least 2"),
    ("cnn", "features", "vocabulary", 9, "None unless"),
    ("rnn", "features", "outputs", 0, "of at least 1"),
    ("rnn", "features", "task", "tagging", "one of"),
    ("rnn", "features", "mask", "ones", "one of"),
    ("cnn", "images", "mask", "zeros", "'auto' or 'none'"),
    ("rnn", "features", "width", 0, "of at least 1"),
    ("rnn", "features", "width", 5, "even number"),
    ("transformer", "features", "width", 5, "multiple of 2"),
    ("rnn", "features", "depth", 0, "of at least 1"),
    ("cnn", "images", "stages", 3, r"within \[1, 2\]"),
    ("cnn", "images", "kernel_size", 4, "odd"),
    ("cnn", "images", "downsampling", "max", "one of"),
    ("cnn", "features", "downsampling", "blur", "'strides' for sequences"),
    ("cnn", "images", "attention", "self", "one of"),
    ("cnn", "features", "attention", "cbam", "one of"),
    ("rnn", "features", "attention", "cbam", "one of"),
    ("cnn", "images", "activation", "softmax", "one of"),
    ("cnn", "features", "normalization", "group", "one of"),
    ("rnn", "features", "pooling", "gem", "one of"),
    ("rnn", "features", "dropout", 1.0, r"within \[0, 1\)"),
    ("rnn", "features", "drop_path", -0.1, r"within \[0, 1\)"),
    ("rnn", "features", "layer_scale", 0.0, "above 0 and at most 1"),
    ("rnn", "features", "seed", -1, r"within \[0,"),
    ("rnn", "features", "cell", "simple", "one of"),
    ("transformer", "features", "heads", 0, "of at least 1"),
    ("transformer", "features", "feed_forward", "glu", "one of"),
    ("transformer", "features", "expansion", 0.1, r"within \[0.5, 16"),
    ("transformer", "features", "position", "relative", "one of"),
    ("transformer", "images", "position", "rotary", "one of"),
    ("transformer", "images", "patch_size", 3, r"divisor .* \(8, 8\)"),
    ("transformer", "features", "patch_size", 4, "None unless"),
    ("transformer", "images", "input_shape", (None, 8, 3), "known height"),
    ("rnn", "features", "activation", "relu", "of `cnn` and `transformer`"),
    ("rnn", "features", "kernel_size", 3, "left out: it is an option of `cnn`"),
    ("transformer", "features", "attention", "cbam", "of `cnn` and `rnn`"),
    ("cnn", "images", "heads", 4, "an option of `transformer`"),
    ("cnn", "images", "cell", "gru", "an option of `rnn`"),
]


@pytest.mark.parametrize(("kind", "data", "name", "value", "expected"), WRONG)
def test_a_wrong_argument_is_named(kind, data, name, value, expected):
    given = {"input_shape": SHAPES[data], "outputs": 3, **SMALL[kind], name: value}
    if data == "tokens" and name != "vocabulary":
        given["vocabulary"] = 9
    wording = rf"^`{kind}\({name}=\.\.\.\)` must be .*{expected}.* Received: {name}="
    with pytest.raises(ValueError, match=wording):
        getattr(models, kind)(**given)


def test_pairs_that_do_not_go_together():
    with pytest.raises(ValueError, match=r"pooling=.*None where `task`"):
        models.cnn((6, 3), 3, "labelling", pooling="max")
    with pytest.raises(ValueError, match=r"activation=.*has its own"):
        models.transformer((6, 3), 3, feed_forward="swiglu", activation="relu")
    with pytest.raises(ValueError, match=r"width=.*multiple of 8"):
        models.transformer((6, 3), 3, width=12, heads=4, position="rotary")
    with pytest.raises(ValueError, match=r"position=.*leaves the steps open"):
        models.transformer((None, 3), 3, position="learned")
    with pytest.raises(TypeError, match=r"bidirectional=.*True or False"):
        models.rnn((6, 3), 3, bidirectional=1)


@pytest.mark.parametrize("kind", SMALL)
def test_an_argument_that_nobody_has_is_a_type_error(kind):
    with pytest.raises(TypeError, match=r"units=.*no builder has"):
        getattr(models, kind)((6, 3), 3, units=4)
