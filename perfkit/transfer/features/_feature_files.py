"""Caches on disk: a folder for each backbone and data, with a file for each array."""

import dataclasses
import json
import pathlib
import shutil
import uuid
from typing import Any

from perfkit.transfer.features import _columns

ABOUT = "cache.json"


class Damaged(Exception):
    """What a folder holds is not what was written."""


def about(root: pathlib.Path) -> dict[pathlib.Path, dict[str, Any]]:
    """What the caches in a folder say of themselves, by their own folders."""
    found = {}
    for file in sorted(root.glob(f"*/{ABOUT}")):
        try:
            said = json.loads(file.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(said, dict) and not file.parent.name.startswith("."):
            found[file.parent] = said
    return found


def read(folder: pathlib.Path) -> dict[str, Any]:
    """Map the arrays of a cache into memory.

    Raises:
        Damaged: If it is not as it was written.
    """
    try:
        said = json.loads((folder / ABOUT).read_text())
        return _from_json(said["arrays"], folder)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise Damaged(str(error)) from error


class Entry:
    """A cache that is being written; in a folder of its own until it is whole.

    Args:
        root: The folder of all caches.
    """

    def __init__(self, root: pathlib.Path):
        self._root = root
        self._folder = root / f".unfinished-{uuid.uuid4().hex}"
        self._files: list[_columns.InFile] = []
        self._table = _columns.Table(self._column)

    def __enter__(self) -> "Entry":
        with _columns.writing(self._folder):
            self._folder.mkdir(parents=True)
        return self

    def __exit__(self, *error):
        for file in self._files:
            file.abandon()
        shutil.rmtree(self._folder, ignore_errors=True)

    def append(self, batch: dict[str, Any]) -> None:
        self._table.append(batch)

    def keep(self, key: str, said: dict[str, Any]) -> pathlib.Path:
        """Give the cache its name, in place of what has that name."""
        said = {**said, "arrays": _to_json(self._table.close())}
        target = self._root / key
        with _columns.writing(target):
            (self._folder / ABOUT).write_text(json.dumps(said, indent=1) + "\n")
            if target.exists():
                target.rename(self._folder / "damaged")
            self._folder.rename(target)
            shutil.rmtree(target / "damaged", ignore_errors=True)
        return target

    def _column(self, name, like):
        self._files.append(_columns.InFile(self._folder / f"{name}.npy", like))
        return self._files[-1]


def _to_json(node) -> Any:
    """A structure of columns as JSON, which has neither tuples nor other keys."""
    if isinstance(node, dict):
        return {"dict": [[key, _to_json(part)] for key, part in node.items()]}
    if isinstance(node, (list, tuple)):
        kind = "list" if isinstance(node, list) else "tuple"
        return {kind: [_to_json(part) for part in node]}
    return {"column": dataclasses.asdict(node)}


def _from_json(node, folder) -> Any:
    ((kind, parts),) = node.items()
    if kind == "column":
        return _columns.opened(folder, _columns.Stored(**parts))
    if kind == "dict":
        return {key: _from_json(part, folder) for key, part in parts}
    made = [_from_json(part, folder) for part in parts]
    return made if kind == "list" else tuple(made)
