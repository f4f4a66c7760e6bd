"""A service's own page of metrics."""

from __future__ import annotations

import pytest

pytest.importorskip("prometheus_client", reason="the extra `telemetry` is not installed")

from peeklock.telemetry import read_page

PAGE = """\
# HELP orders Orders.
# TYPE orders counter
orders_total{kind="plain"} 3.0
orders_total{kind="odd"} 1.5
# TYPE waiting gauge
waiting 0
"""


def test_samples_have_the_names_and_labels_of_the_page() -> None:
    views = [each.view() for each in read_page(PAGE, "api", 1.0)]
    assert views == [
        {"of": "api", "name": "orders_total", "attributes": {"kind": "plain"}, "value": 3},
        {"of": "api", "name": "orders_total", "attributes": {"kind": "odd"}, "value": 1.5},
        {"of": "api", "name": "waiting", "attributes": {}, "value": 0},
    ]


@pytest.mark.parametrize("page", ["<html><body>", "orders{kind=plain} x"])
def test_what_is_no_page_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_page(page, "api", 1.0)
