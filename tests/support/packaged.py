"""Reads one file of an installed package and runs none of the package's code."""

import hashlib
import importlib.metadata


def read(package, path, sha256, extra):
    """Return the bytes of a package's file; any other bytes are refused.

    Args:
        package: Name of the distribution, as pip knows it.
        path: The file, from the folder that packages are installed into.
        sha256: Digest of the file in hexadecimal digits.
        extra: The extra of perfkit that installs the package.
    """
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise ImportError(
            f'{package} is not installed: python -m pip install -e ".[{extra}]"'
        ) from error
    file = distribution.locate_file(path)
    data = file.read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise ValueError(f"{file} has the SHA-256 {found}, not {sha256}")
    return data
