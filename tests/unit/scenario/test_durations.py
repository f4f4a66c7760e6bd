"""Durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeklock.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20s", 20),
        ("500ms", 0.5),
        ("10m1s", 601),
        ("15d", 15 * 86400),
        ("-2h", -7200),
        ("+5m", 300),
        ("1.5h", 5400),
        ("0s", 0),
    ],
)
def test_reads_what_people_write(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "20 parsecs", "s", "1h-5m", "five minutes"])
def test_refuses_the_rest_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="write for example"):
        parse_duration(text)


@given(st.integers(min_value=-(10**10), max_value=10**10))
def test_format_is_read_back(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds
