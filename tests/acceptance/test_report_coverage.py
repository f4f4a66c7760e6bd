"""What a run has shown of criteria, queues and contracts, in a real browser."""

from __future__ import annotations

import json
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


CONTRACT = """\
openapi: 3.1.0
info: {title: Scoring, version: "1"}
paths:
  /score:
    post:
      requestBody: {content: {application/json: {schema: {type: object, properties: {job: {type: string}}}}}}
      responses:
        "200": {description: a label, content: {application/json: {schema: {type: object}, example: {label: cat}}}}
        4XX: {description: bad}
  /jobs/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        "200": {description: a job, content: {application/json: {schema: {type: object}, example: {id: "7"}}}}
        "404": {description: none}
"""
BY_CONTRACT = """\
scenario: by contract
stack:
  http:
    aml:
      contract: contracts/aml.yaml
      routes: [{get: /jobs/8, respond: {status: 404}}]
cases:
  scored:
    steps:
      - http: {post: "${http.aml.url}/score", json: {job: a}}
      - http: {post: "${http.aml.url}/score", json: {job: b}}
      - requests: {to: aml}
        expect: {items: [{operation: POST /score}, {operation: POST /score}]}
"""
MISSING = """\
  missing:
    steps:
      - http: {get: "${http.aml.url}/jobs/8"}
        expect: {status: 404}
      - http: {post: "${http.aml.url}/score", json: {job: 7}}
        expect: {status: 400}
"""


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two runs of a stand-in that has a contract; the second asks more of it."""
    project = tmp_path_factory.mktemp("scored")
    (project / "contracts").mkdir()
    for name, text in (("contracts/aml.yaml", CONTRACT), ("scored.yaml", BY_CONTRACT), ("pyproject.toml", "")):
        (project / name).write_text(text, encoding="utf-8")
    assert peeklock(project, "run", "scored.yaml").returncode == 0
    (project / "scored.yaml").write_text(BY_CONTRACT + MISSING, encoding="utf-8")
    done = peeklock(project, "run", "scored.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def peeklock(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PEEKLOCK, *arguments], cwd=project, env=environment(), capture_output=True, text=True, timeout=100
    )


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with one message inside of the contract of its queue and one outside."""
    project = tmp_path_factory.mktemp("orders")
    for name, text in (("orders.yaml", SCENARIO), ("order.json", SCHEMA), ("criteria.yaml", CRITERIA)):
        (project / name).write_text(text, encoding="utf-8")
    (project / "pyproject.toml").touch()
    done = peeklock(project, "run", "orders.yaml")
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


@pytest.mark.parametrize(("size", "scheme"), [((1440, 900), "dark"), ((390, 844), "light")])
def test_operations_of_a_contract_that_no_case_has_asked_come_first(
    scored: Path, opened: Browser, size: tuple[int, int], scheme: str
) -> None:
    """And the statuses that never came; a request outside of the contract shows nothing of it."""
    first, second = (scored / ".peeklock" / run / "report.html" for run in ("run-1", "run-2"))
    with page_at(opened, first, "#/coverage", size) as page:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        rows = page.get_by_role("region", name="Answers by contracts/aml.yaml").get_by_role("row")
        expect(rows.nth(1)).to_have_text("GET /jobs/{id}200 never404 never")
        expect(rows.nth(2)).to_have_text("POST /score200 ×24XX never")
        expect(page.locator("header.top")).to_contain_text("1 of 2 operations never asked")
        assert serious_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    with page_at(opened, second, "#/coverage", size) as page:
        rows = page.get_by_role("region", name="Answers by contracts/aml.yaml").get_by_role("row")
        expect(rows.nth(1)).to_have_text("POST /score200 ×24XX neveroutside ×1")
        expect(rows.nth(2)).to_have_text("GET /jobs/{id}200 never404 ×1")
        rows.nth(2).get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("missing")


def test_coverage_of_a_run_is_told_in_the_terminal(scored: Path) -> None:
    """What it has not shown, by queue, schema and contract; as JSON all of it, of any run that is kept."""
    done = peeklock(scored, "coverage", "--run", "last")
    assert done.returncode == 0, done.stderr
    assert "contracts/aml.yaml: operations never asked: 0 of 2; answers that never came: 2" in done.stdout
    assert "GET /jobs/{id}   never 200" in done.stdout
    told = json.loads(peeklock(scored, "coverage", "--run", "1", "--json").stdout)
    assert (told["format"], told["run"]) == (1, "run-1")
    assert told["operations"] == {
        "contracts/aml.yaml": {"GET /jobs/{id}": {"200": 0, "404": 0}, "POST /score": {"200": 2, "4XX": 0}}
    }


def test_coverage_of_a_run_names_no_files(scored: Path) -> None:
    done = peeklock(scored, "coverage", "scored.yaml", "--run", "1")
    assert done.returncode == 2
    assert "a run has chosen its files already" in done.stderr
    assert peeklock(scored, "coverage", "--json").returncode == 2
