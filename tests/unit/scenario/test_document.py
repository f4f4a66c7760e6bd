"""YAML as it is written, and nothing that a file can do to its reader."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import (
    DoubleQuotedScalarString,
    FoldedScalarString,
    LiteralScalarString,
    SingleQuotedScalarString,
)

from peeklock.scenario.document import parse, parse_text
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.loader import load
from peeklock.verbs import VOCABULARY

LINES = st.text(st.sampled_from("ab 0:#-'\"\n\\é"), max_size=40)
STYLES = st.sampled_from(
    [str, DoubleQuotedScalarString, SingleQuotedScalarString, FoldedScalarString, LiteralScalarString]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.builds(lambda style, text: style(text), STYLES, LINES)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.sampled_from("abc_"), min_size=1, max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_yaml_says_is_what_is_read(value: Any) -> None:
    """Folded, literal, quoted and plain: ruamel's own safe loader and Peeklock read the same."""
    text = io.StringIO()
    YAML().dump({"top": value}, text)
    source = text.getvalue()
    assert parse_text(source, Path("x.yaml")).data == YAML(typ="safe", pure=True).load(source)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (">\n  a,\n  b\n", "a, b\n"),
        (">-\n  a\n  b", "a b"),
        (".INF", float("inf")),
        ("0o17", 15),
        ("1_000", 1000),
        ("2020-01-01", "2020-01-01"),
        ("yes", "yes"),
    ],
)
def test_scalars(written: str, read: Any) -> None:
    """Numbers as YAML 1.2 has them; a moment stays the text that it is compared as."""
    assert parse_text(f"a: {written}", Path("x.yaml")).data == {"a": read}


def _laughs() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(lines)


def _merges() -> str:
    lines = ["a0: &a0 {k0: x}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}], k{n}: x}}" for n in range(1, 30)]
    return "\n".join(lines)


@pytest.mark.timeout(30)  # without the bounds: minutes, or all of the memory
@pytest.mark.parametrize(
    ("source", "told"),
    [
        (_laughs(), "grows to more than"),
        (_merges(), "grows to more than"),
        ("[" * 100_000, "levels deep"),
        ("{a: " * 50_000, "levels deep"),
        ("- " * 50_000, "levels deep"),
        ("a: &a [*a]", "nested too deeply"),
        ("a: &a {<<: *a}", "merges"),
        ("a: !!python/object:os.system x", "means nothing here"),
        ("a: !foo x", "means nothing here"),
        ("a: 'x\x07'", "U+0007"),
        ("a: " + "x" * (1 << 20), "too long"),
    ],
    ids=lambda text: text[:12],
)
def test_bombs_are_refused_at_once(source: str, told: str) -> None:
    """Aliases, merges, depth, tags: an error with its place, in a moment and not in minutes."""
    with pytest.raises(ScenarioInvalid) as caught:
        parse_text(source, Path("bomb.yaml"))
    assert told in str(caught.value)


def test_a_matrix_of_a_hundred_million_cases_is_refused(tmp_path: Path) -> None:
    """Its size is known before anything is made of it."""
    row = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    matrix = ", ".join(f"{letter}: {row}" for letter in "abcdefgh")
    path = tmp_path / "matrix.yaml"
    path.write_text(f"scenario: x\ncases: {{a: {{matrix: {{{matrix}}}, steps: [{{set: {{x: 1}}}}]}}}}\n")
    with pytest.raises(ScenarioInvalid, match="makes 100000000 cases"):
        load(path, VOCABULARY)


def test_a_file_is_parsed_once_for_as_long_as_it_says_the_same(tmp_path: Path) -> None:
    """Sixty files extend one base; an editor saves it while a watch goes on."""
    base = tmp_path / "base.yaml"
    base.write_text("base: shop\n")
    first = parse(base)
    assert parse(base) is first
    base.write_text("base: shed\n")
    assert parse(base).data == {"base": "shed"}


def test_a_pipe_is_no_scenario(tmp_path: Path) -> None:
    """Whoever read it would wait for ever."""
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ScenarioInvalid, match="not a regular file"):
        load(tmp_path / "pipe.yaml", VOCABULARY)
