"""An anchor that is given twice is YAML: what comes below it means the later one, and nobody is warned."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from peeklock.scenario.document import parse_text
from peeklock.scenario.writing import editable
from peeklock.yaml_data import read_yaml

TWICE = "one: &x 1\ntwo: &x 2\nthree: *x\n"


@pytest.mark.parametrize(
    "read",
    [read_yaml, editable, lambda text: parse_text(text, Path("s.yaml")).data],
    ids=["data", "edited", "scenario"],
)
def test_an_anchor_may_be_given_again(read):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dict(read(TWICE)) == {"one": 1, "two": 2, "three": 2}
