"""What a fresh interpreter sees: laziness, names, silence."""

import importlib
import inspect
import pathlib
import subprocess
import sys

import pytest

import perfkit

HEAVY = (
    "tensorflow",
    "jax",
    "keras",
    "cv2",
    "sklearn",
    "tensorflow_model_optimization",
)
PUBLIC_NAMES = pathlib.Path(__file__).parent / "public_names.txt"


def fresh(code):
    """Run code in a new interpreter in which any warning is an error."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy():
    code = "import sys, perfkit; print(*sys.modules)"
    assert not set(HEAVY) & set(fresh(code).split())


@pytest.mark.parametrize("order", [1, pytest.param(-1, marks=pytest.mark.slow)])
def test_families_load_on_first_use_and_leave_the_rest_alone(order):
    """In both orders, so that each pair is seen with either family first."""
    families = list(perfkit._FAMILIES)[::order]
    code = (
        "import warnings, sys, perfkit\n"
        "with warnings.catch_warnings():\n"
        "    warnings.simplefilter('ignore')\n"  # of what Keras itself imports
        "    import keras\n"
        f"for family in {families}:\n"
        "    before = set(sys.modules)\n"
        "    getattr(perfkit, family)\n"
        "    print(*sorted(set(sys.modules) - before))"
    )
    names = {f"perfkit.{family}" for family in families}
    for family, line in zip(families, fresh(code).splitlines(), strict=True):
        loaded = set(line.split())
        if family not in ("fusion", "models", "surgery", "transfer"):  # put together
            assert names & loaded <= {f"perfkit.{family}"}
        assert not set(HEAVY) & loaded


def test_dir_names_the_families():
    assert set(perfkit._FAMILIES) <= set(dir(perfkit))


@pytest.mark.parametrize("family", perfkit._FAMILIES)
def test_dir_of_a_family_names_what_is_public_alone(family):
    own = {
        n.partition(".")[2]
        for n in PUBLIC_NAMES.read_text().split()
        if n.startswith(f"{family}.") and n.count(".") == 1
    }
    asked = {"tfmot", "ConstantSparsity", "PolynomialDecay"}  # loaded when asked for
    found = set(dir(getattr(perfkit, family)))
    assert found - asked == own


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'augmentation'"):
        perfkit.augmentation  # noqa: B018


def public_names():
    for family in (*perfkit._FAMILIES, "compress.tfmot"):
        module = importlib.import_module(f"perfkit.{family}")
        for name, value in vars(module).items():
            if not name.startswith("_") and not inspect.ismodule(value):
                yield f"{family}.{name}", value


def test_no_public_name_is_lost_or_added_unrecorded():
    recorded = PUBLIC_NAMES.read_text().split()
    assert sorted(name for name, _ in public_names()) == recorded


@pytest.mark.parametrize(("name", "value"), [*public_names()])
def test_every_public_name_is_documented(name, value):
    assert inspect.getdoc(value)
    assert value.__doc__, f"{name} inherits its docstring"
