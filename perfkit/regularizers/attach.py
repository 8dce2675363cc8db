"""Put a weight penalty on a model that is already built."""

import dataclasses
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from perfkit import _check

# The constructor arguments through which Keras layers take the penalty of a
# variable of this name. `DepthwiseConv2D` calls its variable just `kernel`.
_ARGUMENTS = {
    "kernel": ("kernel_regularizer", "depthwise_regularizer"),
    "lora_kernel_a": ("kernel_regularizer",),
    "lora_kernel_b": ("kernel_regularizer",),
    "depthwise_kernel": ("depthwise_regularizer",),
    "pointwise_kernel": ("pointwise_regularizer",),
    "recurrent_kernel": ("recurrent_regularizer",),
    "embeddings": ("embeddings_regularizer",),
    "lora_embeddings_a": ("embeddings_regularizer",),
    "lora_embeddings_b": ("embeddings_regularizer",),
}


@dataclasses.dataclass(frozen=True)
class Attached:
    """Report what `attach` touched.

    Attributes:
        regularizer: The penalty that each of `kernels` has now.
        kernels: Path of each variable in the model, such as `block/dense/kernel`.
        replaced: The penalty that a kernel had before, by path, where it had
            another one.
        frozen: Those of `kernels` that are not trainable. Keras leaves them out
            of the loss until they are.
        penalty: What `kernels` add to the loss now, at least 0.
    """

    regularizer: keras.Regularizer
    kernels: tuple[str, ...]
    replaced: Mapping[str, str]
    frozen: tuple[str, ...]
    penalty: float

    def __str__(self):
        noun = "kernel" if len(self.kernels) == 1 else "kernels"
        lines = [
            f"{_described(self.regularizer)} on {len(self.kernels)} {noun}, "
            f"adds {self.penalty:.4g} to the loss"
        ]
        for path in self.kernels:
            former = f", was {self.replaced[path]}" if path in self.replaced else ""
            frozen = ", frozen" if path in self.frozen else ""
            lines.append(f"  {path}{former}{frozen}")
        return "\n".join(lines)


def attach(model, regularizer, *, where=None) -> Attached:
    """Put a weight penalty on the kernels of a model that is already built.

    The model is then as if its layers had been made with `kernel_regularizer=`.
    The penalty counts in `model.losses` and in `fit` at once, without another
    `compile` and with the state of the optimizer kept, and it stays through
    `clone_model`, saving and loading. Kernels are the weights that multiply
    inputs or recurrent states; biases and normalization scales are left alone.

    A kernel has one penalty: attaching again replaces it, and a shared layer
    counts once. Attach to the model that you train; a larger model around it, or
    a train step of your own that is already traced, has to be compiled again.
    Attach again after cloning or loading where a class of your own makes its
    inner layers without `kernel_regularizer`, and where `where` chose only some
    of the kernels of a `MultiHeadAttention`, which saves one penalty for all.

    Args:
        model: A built `keras.Model`: Sequential, Functional, nested, subclassed.
        regularizer: A `keras.Regularizer`, such as `keras.regularizers.L2(1e-4)`,
            or its Keras name, such as `"l2"`.
        where: Which layers; None for every layer with a kernel. A layer, a class or
            a name pattern stands for such layers and all that is inside them; a
            list of these for all that one of them selects. A pattern is shell-style
            (`*`, `?`, `[ab]`; case counts) and is compared with the layer's name and
            with its path from the model down, such as `backbone/*`. A function
            `layer -> bool` is asked about each single layer that owns kernels.
            `Embedding` tables are touched only if `where` is given and selects them.

    Returns:
        An `Attached`, which says what was touched and can be printed.

    Raises:
        ValueError: If the model is not built, if `where` selects no kernel, or
            if the penalty of a kernel cannot be computed. Nothing is changed.
        TypeError: If an argument has the wrong type.

    Example:
        >>> dense = keras.layers.Dense(2, kernel_initializer="ones", name="features")
        >>> model = keras.Sequential([keras.Input((3,)), dense])
        >>> print(attach(model, keras.regularizers.L2(0.5)))
        L2(l2=0.5) on 1 kernel, adds 3 to the loss
          features/kernel
        >>> [float(loss) for loss in model.losses]
        [3.0]

    Reference: none (standard).
    """
    _check.instance("attach", "model", model, keras.Model)
    if not model.built:
        expected = "a built model; call it once or begin it with `keras.Input`"
        _check.fail("attach", "model", expected, model)
    regularizer = _regularizer(regularizer)
    choices = where if isinstance(where, (list, tuple)) else [where]
    known = all(isinstance(choice, str) or callable(choice) for choice in choices)
    if where is not None and not known:
        expected = "a name pattern, a layer, its class, a function or a list of these"
        _check.fail("attach", "where", expected, where, TypeError)

    trails = list(_trails((model,)))
    kernels, chosen = _kernels(trails, where)
    if not chosen:
        names = dict.fromkeys(path.rpartition("/")[0] for path, _ in kernels.values())
        expected = "a choice from the layers that own a kernel: "
        expected += ", ".join(names) or "none in this model"
        _check.fail("attach", "where", expected, where)
    penalties = {
        key: _penalty(regularizer, path, kernel)
        for key, (path, kernel) in chosen.items()
    }
    trainable = {id(weight) for weight in model.trainable_weights} & chosen.keys()
    report = Attached(
        regularizer=regularizer,
        kernels=tuple(path for path, _ in chosen.values()),
        replaced={
            path: _described(kernel.regularizer)
            for path, kernel in chosen.values()
            if kernel.regularizer is not None
            and _described(kernel.regularizer) != _described(regularizer)
        },
        frozen=tuple(chosen[key][0] for key in chosen if key not in trainable),
        penalty=sum(penalties[key] for key in chosen if key in trainable),
    )

    for _, kernel in chosen.values():
        kernel.regularizer = regularizer
    for layer in {id(trail[-1]): trail[-1] for trail in trails}.values():
        _record(layer, regularizer, kernels, chosen)
        if isinstance(layer, keras.Model):
            _retrace(layer)
    return report


def _regularizer(regularizer) -> Any:
    if isinstance(regularizer, str):
        try:
            return keras.regularizers.get(regularizer)
        except ValueError:
            expected = "the Keras name of a regularizer, such as 'l2'"
            _check.fail("attach", "regularizer", expected, regularizer)
    if not isinstance(regularizer, keras.Regularizer):
        expected = "a Regularizer such as `keras.regularizers.L2(1e-4)`"
        _check.fail("attach", "regularizer", expected, regularizer, TypeError)
    return regularizer


def _trails(trail) -> Iterator[tuple[keras.Layer, ...]]:
    """Yield the way from the model to each layer in it, for each way there is."""
    yield trail
    for child in _children(trail[-1]):
        if child not in trail:
            yield from _trails((*trail, child))


def _children(layer) -> Sequence[keras.Layer]:
    if isinstance(layer, keras.Sequential):  # holds them a second time, as a graph
        return layer.layers
    held = _layers_in(list(vars(layer).values()))
    return list({id(child): child for child in held}.values())


def _layers_in(value) -> Iterator[keras.Layer]:
    if isinstance(value, keras.Layer):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _layers_in(item)


def _kernels(trails, where):
    """Return `{id: (path, variable)}` of all kernels, and of the selected ones."""
    tracked = {id(weight) for weight in trails[0][0].weights}
    kernels, chosen = {}, {}
    for trail in trails:
        names = [layer.name for layer in trail[1:]]
        for kernel in _own_kernels(trail[-1]):
            if id(kernel) in tracked:
                kernels.setdefault(
                    id(kernel), ("/".join([*names, kernel.name]), kernel)
                )
                if _selects(where, trail, names, kernel):
                    chosen[id(kernel)] = kernels[id(kernel)]
    return kernels, chosen


def _own_kernels(layer):
    inner = {id(weight) for child in _children(layer) for weight in child.weights}
    return [
        weight
        for weight in layer.weights
        if weight.name in _ARGUMENTS
        and id(weight) not in inner
        and keras.backend.is_float_dtype(weight.dtype)
    ]


def _selects(where, trail, names, kernel) -> bool:
    if where is None:
        return "embeddings" not in kernel.name
    if isinstance(where, str):
        paths = ["/".join(names[:depth]) for depth in range(1, len(names) + 1)]
        return any(fnmatch.fnmatchcase(name, where) for name in names + paths)
    if isinstance(where, (list, tuple)):
        return any(_selects(choice, trail, names, kernel) for choice in where)
    if isinstance(where, type):
        return any(isinstance(layer, where) for layer in trail[1:])
    if isinstance(where, keras.Layer):
        return any(layer is where for layer in trail)
    return bool(where(trail[-1]))


def _penalty(regularizer, path, kernel) -> float:
    try:
        return float(regularizer(kernel))
    except Exception as error:
        shape = tuple(kernel.shape)
        expected = f"computable on `{path}` of shape {shape}, where it raised {error!r}"
        _check.fail("attach", "regularizer", expected, regularizer)


def _record(layer, regularizer, kernels, chosen):
    """Keep the penalty where `layer` reads its config from.

    A layer that hands its argument on, as attention does (which keeps it with a
    leading underscore), gets it only if it holds for all of its kernels.
    """
    for argument in set().union(*_ARGUMENTS.values()):
        meant = [
            id(weight)
            for weight in layer.weights
            if id(weight) in kernels and argument in _ARGUMENTS[weight.name]
        ]
        if meant and all(key in chosen for key in meant):
            for attribute in {argument, f"_{argument}"} & vars(layer).keys():
                setattr(layer, attribute, regularizer)


def _retrace(model):
    """Have a model that was trained or evaluated already notice the penalty."""
    if getattr(model, "train_function", None) is not None:
        model.make_train_function(force=True)
    if getattr(model, "test_function", None) is not None:
        model.make_test_function(force=True)


def _described(regularizer) -> str:
    try:
        config = regularizer.get_config()
    except (AttributeError, NotImplementedError):
        return getattr(regularizer, "__name__", type(regularizer).__name__)
    values = ", ".join(
        f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in config.items()
    )
    return f"{type(regularizer).__name__}({values})"
