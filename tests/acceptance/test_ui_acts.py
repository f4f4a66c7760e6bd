"""The live page in a project, in a real browser: cases run and stopped, faults switched on and off, the clock moved."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from peeklock.stack.warm.standing import standing
from tests.acceptance.browser import serious_faults, shows
from tests.acceptance.live_project import Opened, page_of, peeklock, serving

pytestmark = pytest.mark.slow

EVIL = "<img src=x onerror=alert(2)>"
RUNS = f"""
scenario: Runs {EVIL}
timeout: 100s
stack: {{servicebus: {{queues: {{jobs: {{}}}}}}}}
cases:
  passes:
    tags: [quick]
    steps:
      - send: {{queue: jobs, text: hello}}
  fails:
    steps:
      - send: {{queue: jobs, text: "{EVIL}"}}
      - messages: {{queue: jobs}}
        expect: {{count: 7}}
  takes_long:
    steps:
      - name: it waits
        wait: 90s
"""
RELAYED = """
scenario: Relayed
stack:
  servicebus: {queues: {elsewhere: {}}}
  blobs: {containers: [photos]}
  postgres: {}
cases:
  filled:
    steps:
      - fault: {on: blobs, latency: 10ms}
      - fault: {clear: blobs}
"""
LATER = """
scenario: Later
stack: {servicebus: {queues: {later: {default_time_to_live: 1h, dead_lettering_on_expiration: true}}}, postgres: {}}
cases:
  waits:
    clock: movable
    requires: [clock]
    steps:
      - send: {queue: later, text: it will not be read in time}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """The page of a warm stack, opened before anything has run on it."""
    project = tmp_path_factory.mktemp("acts")
    (project / "scenarios").mkdir()
    (project / "pyproject.toml").touch()
    for name, text in {
        "runs": RUNS,
        "relayed": RELAYED,
        "later": LATER,
        "wrong": "scenario: Wrong\ncases: 7\n",
    }.items():
        (project / "scenarios" / f"{name}.yaml").write_text(text)
    peeklock(project, "up", "--backend", "embedded")
    try:
        with serving(project) as link:
            yield Opened(link, project)
    finally:
        peeklock(project, "down")


def chosen(served: Opened, name: str, *keep: str) -> None:
    """Have the environment of a file stand, and the page look into it."""
    if name not in {each.name for each in standing(served.project)}:
        peeklock(served.project, "run", f"scenarios/{name}.yaml", "--backend", "embedded", *keep)
    assert served.asked("POST", "/api/choose", body={"name": name})[0] == 200


def test_cases_are_run_watched_and_lead_to_their_report(served: Opened, opened: Browser) -> None:
    """Of a file one case at a time; a failure says why; a file that is wrong says where; markup is text."""
    with page_of(opened, served, "#/cases", state="") as page:
        file = page.get_by_role("region", name="scenarios/runs.yaml")
        expect(file).to_contain_text(EVIL)
        expect(page.get_by_role("region", name="scenarios/wrong.yaml")).to_contain_text("wrong.yaml:2")
        page.get_by_label("Filter cases").fill("quick")
        expect(page.locator(".live-file tbody tr")).to_have_count(1)
        page.get_by_label("Filter cases").fill("")
        file.get_by_role("button", name="Run scenarios/runs.yaml::passes").click()
        expect(file.get_by_role("row").filter(has_text="passes")).to_contain_text("passed", timeout=60_000)
        page.get_by_role("button", name="Run scenarios/runs.yaml::fails").click()
        row = file.get_by_role("row").filter(has_text="fails")
        expect(row).to_contain_text("failed", timeout=60_000)
        expect(row).to_contain_text("messages queue jobs: count: expected 7")
        assert page.locator("img").count() == 0
        expect(row.get_by_role("link", name="report")).to_be_visible()
        assert serious_faults(page) == []
        page.get_by_role("link", name=re.compile("Report of run-")).wait_for()
        address = row.get_by_role("link", name="report").get_attribute("href")
        page.goto(served.ours + str(address).lstrip("/"))
        shows(page, "expected 7", EVIL, inside="body")
        assert page.evaluate("window.origin") == "null"  # nothing of the live page is of its origin
        chosen(served, "runs")  # the page may have looked into another environment before
        page.goto(served.ours)
        expect(page.locator(".live-state")).to_have_text("● live")
        shows(page, "jobs", inside=".overview")


def test_a_run_is_stopped_with_what_it_has_started_and_nothing_else(served: Opened, opened: Browser) -> None:
    """The first time after the case, the second time at once; the warm stack stays, and one run goes on at a time."""
    with page_of(opened, served, "#/cases", state="") as page:
        page.get_by_role("button", name="Run scenarios/runs.yaml::takes_long").click()
        row = page.get_by_role("row").filter(has_text="takes_long")
        expect(row).to_contain_text("it waits", timeout=60_000)
        assert served.asked("POST", "/api/run", body={"targets": ["scenarios/runs.yaml"]})[0] == 409
        page.get_by_role("button", name="Stop after this case").click()
        page.get_by_role("button", name="Stop now").click()
        expect(row).to_contain_text("ended")
        page.get_by_role("link", name="Stack", exact=True).click()
        expect(page.get_by_role("row").filter(has_text="postgres")).to_contain_text("runs")
    peeklock(served.project, "run", "scenarios/runs.yaml::passes", "--backend", "embedded")


@pytest.mark.parametrize("targets", [[], "x", ["../other.yaml"], ["--keep"], ["scenarios/runs.yaml::nothing"], [7]])
def test_only_cases_of_the_project_are_run(served: Opened, targets: object) -> None:
    assert served.asked("POST", "/api/run", body={"targets": targets})[0] in (400, 409)


@pytest.mark.parametrize(
    "path", ["/api/run", "/api/stop", "/api/clock", "/api/relay/begin", "/api/relay/clear", "/api/choose"]
)
def test_other_pages_change_nothing(served: Opened, path: str) -> None:
    for foreign in ({"origin": "http://evil.example"}, {"host": "evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert served.asked("POST", path, foreign, {"targets": ["scenarios/runs.yaml"]})[0] == 403
    assert served.asked("POST", path, {"cookie": ""}, {})[0] == 401
    for look in ("/api/cases", "/api/run", "/api/report", "/api/clock", "/api/relay"):
        assert served.asked("GET", look, {"origin": "null"})[0] == 403


def test_a_fault_of_the_relay_is_switched_on_and_off(served: Opened, opened: Browser) -> None:
    """In the words of a scenario, which are the step that is saved; what the relay cannot do is refused with the reason."""
    chosen(served, "relayed")
    assert served.asked("POST", "/api/forget", body={})[0] == 200
    with page_of(opened, served, "#/faults") as page:
        page.get_by_label("On", exact=True).select_option("blobs")
        page.get_by_label("Kind").select_option("latency")
        page.get_by_label("Value as in a scenario").fill("much")
        page.get_by_role("button", name="Switch on").click()
        expect(page.locator(".live-said")).to_contain_text("latency")
        page.get_by_label("Value as in a scenario").fill("250ms")
        page.get_by_role("button", name="Switch on").click()
        row = page.get_by_role("row").filter(has_text="latency")
        expect(row).to_contain_text("latencyblobs0on")
        assert serious_faults(page) == []
        page.get_by_role("button", name="Clear all on blobs").click()
        expect(row).to_have_count(0)
        page.get_by_label("On", exact=True).select_option("postgres")
        expect(page.get_by_label("Kind").get_by_role("option", name="status")).to_have_count(0)
    assert (
        served.asked("POST", "/api/relay/begin", body={"on": "postgres", "fault": "status", "value": "503"})[0] == 400
    )
    assert served.asked("POST", "/api/relay/begin", body={"on": "nothing", "fault": "latency", "value": "1s"})[0] == 400
    text = served.asked("GET", "/api/scenario")[1].decode()
    assert "fault: {on: blobs, latency: 250ms}" in text
    assert "fault: {clear: blobs}" in text
    (served.project / "scenarios" / "by_hand.yaml").write_text(text)
    peeklock(served.project, "check", "scenarios/by_hand.yaml")
    (served.project / "scenarios" / "by_hand.yaml").unlink()


def test_without_a_relay_the_page_says_how_to_get_one(served: Opened, opened: Browser) -> None:
    """And without a clock of its own, how to get that."""
    if "runs" not in {each.name for each in standing(served.project)}:
        peeklock(served.project, "run", "scenarios/runs.yaml::passes", "--backend", "embedded")
    chosen(served, "runs")
    with page_of(opened, served, "#/faults") as page:
        shows(page, "give one of its cases a `fault` step")
        page.get_by_role("link", name="Clock").click()
        shows(page, "The clock of this environment is the machine's", "clock: movable", "--keep")


def test_the_clock_is_moved_and_what_falls_due_happens(served: Opened, opened: Browser) -> None:
    """A message of an hour is dead-lettered by a jump of two; nonsense is refused; it is a step of the scenario."""
    chosen(served, "later", "--keep")
    assert served.asked("POST", "/api/forget", body={})[0] == 200
    with page_of(opened, served, "#/clock") as page:
        page.get_by_label("Jump by").fill("soon")
        page.get_by_role("button", name="Jump", exact=True).click()
        expect(page.locator(".live-said")).to_contain_text("write 30s, 10m, 2h or 15d")
        page.get_by_label("Jump by").fill("2h")
        page.get_by_role("button", name="Jump", exact=True).click()
        shows(page, "2 h ahead of this machine's clock")
        assert serious_faults(page) == []
        page.get_by_role("link", name="Peeklock").click()
        expect(page.locator(".overview tr", has_text="later").locator("td").nth(4)).to_have_text("1")
    text = served.asked("GET", "/api/scenario")[1].decode()
    assert "clock: {advance: 2h}" in text
    (served.project / "scenarios" / "by_hand.yaml").write_text(text)
    peeklock(served.project, "check", "scenarios/by_hand.yaml")
    (served.project / "scenarios" / "by_hand.yaml").unlink()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_pages_fit(served: Opened, opened: Browser, scheme: str) -> None:
    with page_of(opened, served, "#/cases", (390, 844), state="") as page:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for place in ("cases", "faults", "clock"):
            page.goto(f"{served.ours}#/{place}")
            page.get_by_role("heading", level=1).nth(1).wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
            assert serious_faults(page) == [], place
