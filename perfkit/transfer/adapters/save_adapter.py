"""Write what a model learnt, and nothing else, to a file."""

import os

from perfkit import _check
from perfkit.transfer.adapters import _adapter_file, _choosing


def save_adapter(model, path) -> None:
    """Write what a model learnt on top of its base to one small file.

    That is the low-rank adapters, and every other weight that is trainable, such as the
    head, the biases of `bit_fit` or the layers of `insert_adapters`, with the moving
    statistics of each `BatchNormalization` that is trainable. `load_adapter` puts it on
    the same base again. The file is a NumPy archive (`.npz`) of arrays and a JSON text
    with the format's version, the methods, and hashes of the arrays and of the base. It
    is written whole or not at all. For the state of the optimizer save the model
    (`.keras`).

    Args:
        model: A `keras.Model` after `adapt`, `bit_fit` or `insert_adapters`.
        path: Name of the file. It is replaced if it is there.

    Raises:
        ValueError: If the model is not built, or nothing or all of it is trainable.
        TypeError: If an argument has the wrong type.

    Example:
        >>> import pathlib, tempfile
        >>> import keras
        >>> from perfkit import transfer
        >>> model = keras.Sequential([keras.Input((512,)), keras.layers.Dense(512)])
        >>> report = transfer.adapt(model, transfer.LoRA(rank=2))
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "task.npz"
        >>> save_adapter(model, path)
        >>> path.stat().st_size < 512 * 512 / 10
        True

    Reference: none (standard).
    """
    _choosing.built("save_adapter", model)
    _check.instance("save_adapter", "path", path, (str, os.PathLike))
    if _choosing.learns_as_a_whole(model):
        expected = "a model after `adapt`, `bit_fit` or `insert_adapters`; all of it "
        expected += "learns, so write it whole, `model.save`"
        _check.fail("save_adapter", "model", expected, model.name)
    text, arrays = _adapter_file.contents(model)
    if not arrays:
        expected = "a model in which something is trainable"
        _check.fail("save_adapter", "model", expected, model)
    _adapter_file.write(path, text, arrays)
