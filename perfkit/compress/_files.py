"""A file that the user names: checked before the work, written whole after it."""

import tempfile
from pathlib import Path

from perfkit import _check


def checked(owner, path, suffix="") -> Path:
    """Return a path at which a file, with this suffix if any, can be written."""
    _check.instance(owner, "path", path, (str, Path))
    path = Path(path)
    is_other = bool(suffix) and path.suffix != suffix
    if is_other or not path.parent.is_dir() or path.is_dir():
        ending = f" ending in {suffix}" if suffix else ""
        expected = f"a file name{ending}, in an existing folder"
        if not path.parent.is_dir():
            expected += f"; there is no folder {path.parent}"
        _check.fail(owner, "path", expected, str(path))
    return path


def write(path, content) -> None:
    """Write a file so that it is there whole, or as it was.

    A link leads where it led, and a file that was there keeps its mode.
    """
    path = path.resolve()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        trial = Path(folder, path.name)
        trial.write_bytes(content)
        if path.exists():
            trial.chmod(path.stat().st_mode)
        trial.replace(path)
