"""A file that the user names: checked before the work, written whole after it."""

import tempfile
from pathlib import Path

from perfkit import _check


def checked(owner, path, suffix) -> Path:
    """Return a path at which a file with this suffix can be written."""
    _check.instance(owner, "path", path, (str, Path))
    path = Path(path)
    if path.suffix != suffix or not path.parent.is_dir() or path.is_dir():
        expected = f"a file name ending in {suffix}, in an existing folder"
        _check.fail(owner, "path", expected, str(path))
    return path


def write(path, content) -> None:
    """Write a file whole: if that fails, an older file of the name stays as it was."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        trial = Path(file.name)
    try:
        trial.write_bytes(content)
        trial.chmod(0o644)
        trial.replace(path)
    except BaseException:
        trial.unlink()
        raise
