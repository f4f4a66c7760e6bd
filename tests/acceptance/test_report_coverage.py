"""What a run has shown of criteria, queues and contracts, in a real browser."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import page_at, serious_faults
from tests.acceptance.conftest import PEEKLOCK, environment

SCENARIO = """\
scenario: orders
stack:
  servicebus: {queues: {orders: {schema: order.json}, idle: {}}}
cases:
  good:
    covers: [S-1]
    steps:
      - send: {queue: orders, json: {id: 7}}
      - messages: {queue: orders}
        expect: {count: 1}
  without_a_number:
    covers: [S-1]
    steps:
      - send: {queue: orders, json: {id: seven}}
      - messages: {queue: orders}
        expect: {count: 2}
"""
SCHEMA = '{"type": "object", "properties": {"id": {"type": "integer"}, "note": {"maxLength": 9}}}'
CRITERIA = "S-1: an order is taken\nS-2: an order is <b>paid</b>\n"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with one message inside of the contract of its queue and one outside."""
    project = tmp_path_factory.mktemp("orders")
    for name, text in (("orders.yaml", SCENARIO), ("order.json", SCHEMA), ("criteria.yaml", CRITERIA)):
        (project / name).write_text(text, encoding="utf-8")
    (project / "pyproject.toml").touch()
    done = subprocess.run(
        [PEEKLOCK, "run", "orders.yaml"], cwd=project, env=environment(), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return project / ".peeklock" / "run-1" / "report.html"


@pytest.mark.parametrize(("size", "scheme"), [((1440, 900), "light"), ((390, 844), "dark")])
def test_what_no_case_has_shown_comes_first(orders: Path, opened: Browser, size: tuple[int, int], scheme: str) -> None:
    """Of criteria, of outcomes by queue, and of the keywords of a contract; what was shown leads to its case."""
    with page_at(opened, orders, "", size) as page:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.get_by_role("link", name="Coverage").click()
        criteria = page.get_by_role("region", name="Criteria").get_by_role("row")
        expect(criteria.first).to_contain_text("S-2an order is <b>paid</b>no case in this run")
        expect(criteria.last).to_contain_text("✓ good✕ without_a_number")
        idle = page.get_by_role("region", name="Outcomes by queue").get_by_role("row").filter(has_text="idle")
        expect(idle.get_by_text("never")).to_have_count(8)
        keywords = page.get_by_role("region", name="Keywords of order.json").get_by_role("row")
        expect(keywords.nth(1)).to_contain_text("notemaxLength90never met")
        expect(keywords.last).to_contain_text('idtype"integer"21')
        assert serious_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        keywords.last.get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("without_a_number")
        expect(page.locator(".panes")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("heading", level=1)).to_contain_text("coverage of run-1")
        page.keyboard.press("Escape")
        expect(page.get_by_role("search")).to_be_visible()


def test_what_a_schema_finds_wrong_is_marked_in_the_body(orders: Path, opened: Browser) -> None:
    with page_at(opened, orders, "#/case/1") as page:
        page.locator(".event", has_text="enqueued seq").click()
        details = page.locator(".pane.details")
        expect(details).to_contain_text("1 thing is not as the queue's schema says")
        expect(details.locator("mark")).to_have_text('  "id": "seven"')
        expect(details).to_contain_text("✕ 'seven' is not of type 'integer'")
        assert serious_faults(page) == []
