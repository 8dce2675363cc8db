"""What README and the guides show runs."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
SHORT = {
    "README.md",
    "attention.md",
    "augmentation.md",
    "layers.md",
}  # the others train for longer
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def code_of(page):
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))


def marked(page):
    marks = [] if page.name in SHORT else [pytest.mark.slow]
    return pytest.param(page, id=page.name, marks=marks)


# TensorFlow's converter speaks so of the quantization of 2017, to who uses it directly.
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
@pytest.mark.parametrize("page", [marked(page) for page in PAGES if code_of(page)])
def test_code_on_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code_of(page), page.name, "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


def test_readme_has_two_commands_that_install():
    commands = re.findall(
        r"^    (python -m pip .*)$", (ROOT / "README.md").read_text(), re.M
    )
    assert commands == [
        'python -m pip install -e ".[examples]" && python examples/quickstart.py',
        'python -m pip install -e ".[test]" && python -m tests',
    ]
