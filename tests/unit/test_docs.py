"""What the documentation says is so."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import pytest

import peeklock
from peeklock.alerts.tables import METRICS, TABLES
from peeklock.engine.invariants import CHECKS
from peeklock.engine.plan import load_all
from peeklock.scenario.document import parse_text
from peeklock.scenario.matchers.operators import OPERATORS
from peeklock.scenario.matchers.words import WORDS
from peeklock.scenario.model import Invariant
from peeklock.scenario.values import FUNCTIONS
from peeklock.stack.faults import KINDS
from peeklock.verbs import VOCABULARY

ROOT = Path(__file__).parents[2]
LANGUAGE = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")


def test_the_reference_names_every_word_of_the_language() -> None:
    for word in (*WORDS, *OPERATORS, *(f"`{name}" for name in VOCABULARY), *(f"{name}(" for name in FUNCTIONS)):
        assert word in LANGUAGE, word


def test_the_reference_names_every_argument_of_every_verb() -> None:
    for verb in VOCABULARY.values():
        for name, field in verb.arguments.model_fields.items():
            assert re.search(rf"\b{field.alias or name}\b", LANGUAGE), f"{verb.name}: {field.alias or name}"


def test_every_invariant_is_checked_and_explained() -> None:
    assert set(get_args(Invariant)) == set(CHECKS)
    for name in CHECKS:
        assert f"`{name}`" in LANGUAGE


def test_the_page_on_alerts_names_all_that_rules_can_look_at() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    for names in (METRICS, *METRICS.values(), TABLES, *TABLES.values()):
        for name in names:
            assert f"`{name}`" in page, name


@pytest.mark.parametrize(
    "page",
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/**/*.md"), *ROOT.glob("fixtures/**/*.md")],
    ids=lambda page: page.name,
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_yaml_on_the_pages_is_yaml() -> None:
    pages = ("scenarios.md", "openai.md", "http-standins.md", "telemetry.md", "alerts.md")
    for page in (ROOT / "README.md", *(ROOT / "docs" / name for name in pages)):
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            if not all(line.startswith("#") for line in block.splitlines()):
                parse_text(block, page)


def _script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "reference" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_what_one_imports_is_that_of_the_code() -> None:
    """`make fix` makes it anew."""
    api = _script("api")
    assert api.PAGE.read_text(encoding="utf-8") == api.page()


def test_the_faults_on_the_pages_are_those_of_the_code() -> None:
    """`make fix` writes them anew; a fault's class is all that defines it."""
    for path, text in _script("faults").pages().items():
        assert path.read_text(encoding="utf-8") == text
        own = "openai" if path.name == "openai.md" else "broker"
        assert all(f"`{kind}" in text for kind in KINDS if KINDS[kind].layer == own)


def test_the_example_of_that_reference_runs() -> None:
    exec(_script("api").EXAMPLE, {})


def test_the_version_is_that_of_the_distribution() -> None:
    assert peeklock.__version__ == version("peeklock")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        peeklock.nothing  # noqa: B018


def test_every_semantic_that_is_cited_is_written_down() -> None:
    """`S-41` in the code is item 41 of docs/semantics.md."""
    page = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
    known = {int(number) for number in re.findall(r"^\*\*S-(\d+)\.\*\*", page, re.MULTILINE)}
    assert known == set(range(1, 88))
    for folder in ("harness", "tests", "docs"):
        for path in (ROOT / folder).rglob("*.py" if folder != "docs" else "*.md"):
            cited = {int(number) for number in re.findall(r"\bS-(\d+)\b", path.read_text(encoding="utf-8"))}
            assert cited <= known, f"{path}: {sorted(cited - known)}"


def test_prose_is_wrapped() -> None:
    """Nobody reads lines of 300 characters. Tables, code and what cannot be broken may be longer."""
    for path in (path for path in ROOT.rglob("*.md") if not {".venv", "node_modules", "reference"} & set(path.parts)):
        prose = re.sub(r"^ *```.*?^ *```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for line in prose.splitlines():
            assert len(line) <= 120 or line.lstrip().startswith("|") or max(map(len, line.split())) > 80, (path, line)


@pytest.mark.parametrize("system", ["intellioptics", "sitefit", "defectiq", "opal"])
def test_the_readme_counts_what_each_system_has(system: str) -> None:
    """Its files and its cases; lines are rounded by hand."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (row,) = (line for line in readme.splitlines() if f"](services/{system}/README.md)" in line)
    scenarios = load_all([ROOT / "scenarios" / system], VOCABULARY)
    files = [path for path in (ROOT / "services" / system).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    cases = sum(len(each.cases) for each in scenarios)
    assert f"| {len(files)} files, " in row
    assert f"| {cases} cases in {len(scenarios)} files |" in row
