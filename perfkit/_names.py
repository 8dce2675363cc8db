"""What tab completion shows of a package."""

import types


def public(contents) -> list[str]:
    """Return the names among the contents of a package that are for its users.

    They are without underscore, and not its modules, whose names are written out there.
    """
    return sorted(
        name
        for name, value in contents.items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    )
