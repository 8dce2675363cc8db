"""Test ids that are the same in every worker: an object's address is not."""


def pytest_make_parametrize_id(config, val, argname):
    return getattr(val, "__name__", None) if callable(val) else None
