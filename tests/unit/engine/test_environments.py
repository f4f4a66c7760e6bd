"""Which files hand their environment on to each other: those between which no service or stand-in would see a difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.engine.environments import environment_spec
from peeklock.scenario.loader import load
from peeklock.verbs import VOCABULARY

BASE = """\
base: a system with a stand-in
stack:
  http: {shop: {routes: [{get: /price, respond: {json: {is: 7}}}, {get: /bill, respond: {template: bill.txt}}]}}
  servicebus: {queues: {jobs: {effect: {query: "SELECT '${' AS id"}}}}
services:
  api: {run: [python, -m, api], env: {KEY: "${ key }", NOTE: "two lines\\n${in-the-note}"}}
vars: {prefix: k, in-the-note: 1, in_the_bill: 1}
secrets: {key: "${prefix}-1"}
"""
CASES = "cases: {one: {steps: [{requests: {to: shop}, expect: {count: 0}}]}}\n"
FIRST = f"scenario: First\nextends: base.yaml\n{CASES}"


def key_of(folder: Path, text: str, name: str = "second") -> str:
    (folder / "base.yaml").write_text(BASE)
    (folder / "bill.txt").write_text("to pay: ${in_the_bill}")
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return environment_spec(load(file, VOCABULARY), folder).key


@pytest.mark.parametrize(
    ("extra", "shared"),
    [
        ("", True),
        ("vars: {only_in_steps: 1}\n", True),
        ("secrets: {of_a_step: x}\n", True),
        ("vars: {prefix: other}\n", False),
        ("vars: {in-the-note: 2}\n", False),
        ("vars: {in_the_bill: 2}\n", False),
        ("services: {api: {env: {MODE: fast}}}\n", False),
        ("services: {api: {env: {FILE: '${scenario.file}'}}}\n", False),
        ("services: {api: {env: {NAME: '${ scenario.name }'}}}\n", False),
        ("stack: {http: {shop: {routes: [{get: /price, respond: {json: {is: 7}}}]}}}\n", False),
    ],
    ids=["nothing", "a variable of steps", "a secret of steps", "a variable behind a secret of a service",
         "a name with hyphens, behind a line break", "a name in a template's file", "a service's variable", "the file's name", "the scenario's name", "the same answers in lines of its own"],
)  # fmt: skip
def test_what_separates_two_files_that_extend_one_base(tmp_path: Path, extra: str, shared: bool) -> None:
    """Stand-ins tell the place of their answers in errors, so these must stand in the same lines."""
    first = key_of(tmp_path, FIRST, "first")
    second = key_of(tmp_path, f"scenario: Second\nextends: base.yaml\n{extra}{CASES}")
    assert (second == first) == shared
