"""A backbone with a head for classes."""

import functools

import keras

from perfkit import _check
from perfkit.transfer import _assembling
from perfkit.transfer.heads import multi_sample_head


def classifier(
    backbone,
    classes,
    *,
    head="linear",
    multi_label=False,
    activation="default",
    preprocessing="auto",
    features=None,
    input_shape=None,
    verbose=True,
) -> keras.Model:
    """Put a new head on a backbone, and what it wants done to pixels in front of it.

    The model is a Functional one of `preprocessing`, the backbone as one layer,
    `head` and `activation`. It takes raw pixels from 0 to 255. What is learned is
    not decided here: see `freeze`, `GradualUnfreeze` and `adapt`.

    Args:
        backbone: A built `keras.Model` that ends in features, such as one of
            `keras.applications` made with `include_top=False`, a KerasHub backbone or
            image task, a model of text, sound or tables.
        classes: Number of classes, at least 2; of labels, at least 1, if there may be
            several.
        head: `"linear"`, `"mlp"`, `"concat"`, `"gem"`, `"attention"`, `"cosine"` or
            `"multi_sample"`; a function that is called with the number of outputs and
            with `rank=`, the axes of the features, such as
            `functools.partial(transfer.mlp_head, hidden=(256,))`; or a layer that makes
            `(batch, classes)` of the features.
        multi_label: Whether a sample may have several labels, or none.
        activation: `"default"` for probabilities: softmax, or sigmoid with
            `multi_label`; `None` for logits; or the name of another activation. It runs
            in float32.
        preprocessing: `"auto"` for what `preprocessing_of` finds; `"tf"`, `"torch"`,
            `"caffe"` or `"none"`, see `Preprocessing`; or a layer.
        features: Which output of the backbone the head gets, by its key or number, if
            it has several.
        input_shape: Shape of a sample where the backbone leaves it open, such as
            `(96, 96, 3)`.
        verbose: Whether to print which preprocessing was taken, and why.

    Returns:
        The model. Where the inputs are a dictionary with a `padding_mask`, as those of
        KerasHub, the head leaves padded places out.

    Raises:
        TypeError: If the backbone is no model.
        ValueError: If an argument is out of bounds, the backbone ends in classes
            itself, or what it wants done to pixels is not known.

    Example:
        >>> backbone = keras.applications.MobileNet(
        ...     input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights=None
        ... )
        >>> model = classifier(backbone, 10)
        mobilenet_0.25_32: pixels from 0 to 255 become -1 to 1 ('tf'; \
`keras.applications.mobilenet` wants it, known by the name mobilenet_0.25_32)
        >>> [layer.name for layer in model.layers[1:]]
        ['preprocessing', 'mobilenet_0.25_32', 'head', 'activation']

    Reference: none (standard).
    """
    owner = "classifier"
    multi_label = _check.boolean(owner, "multi_label", multi_label)
    classes = _check.integer(owner, "classes", classes, 1 if multi_label else 2)
    kind = "sigmoid" if multi_label else "softmax"
    if head == "multi_sample":
        head = functools.partial(multi_sample_head, loss=kind)
    if activation == "default":
        activation = kind
    return _assembling.assembled(
        owner,
        backbone,
        classes,
        head=head,
        activation=activation,
        preprocessing=preprocessing,
        features=features,
        input_shape=input_shape,
        verbose=verbose,
    )
