"""The live page beside a warm stack, in a real browser: what is up, what it logs, a service started anew."""

from __future__ import annotations

import http.client
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser import page_watched, serious_faults
from tests.acceptance.conftest import HERE
from tests.acceptance.live_project import peeklock, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a warm stack on which a case has run."""
    project = Path(shutil.copytree(HERE / "toy", tmp_path_factory.mktemp("warm") / "toy"))

    peeklock(project, "up", "--backend", "embedded")
    try:
        peeklock(project, "run", "scenarios/doubling.yaml::good", "--backend", "embedded")
        with serving(project) as found:
            yield found
    finally:
        peeklock(project, "down")


def stack_of(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("link", name="Stack", exact=True).click()


def test_what_is_up_is_seen_and_a_service_is_started_anew(link: str, opened: Browser) -> None:
    """It has another pid then, its log tells of both beginnings, and what was done is noted."""
    with page_watched(opened, link.partition("?")[0]) as page:
        stack_of(page, link)
        worker = page.get_by_role("row").filter(has_text="doubling/worker.0")
        expect(worker).to_contain_text("runs")
        expect(page.get_by_role("row").filter(has_text="postgres").get_by_role("button")).to_have_count(0)
        before = worker.get_by_role("cell").nth(1).inner_text()
        worker.get_by_role("button", name="Restart doubling/worker.0").click()
        page.get_by_role("button", name="Restart", exact=True).click()
        expect(page.locator(".live-said")).to_contain_text("doubling/worker.0 was started anew")
        expect(worker).not_to_contain_text(before)
        expect(worker).to_contain_text("runs")
        expect(page.get_by_role("button", name="By hand: 1")).to_be_visible()
        assert serious_faults(page) == []
        page.get_by_role("link", name="doubling/worker").click()
        log = page.get_by_role("region", name="Log of doubling/worker")
        expect(log).to_have_text(re.compile("worker started.*worker started", re.DOTALL))
        page.get_by_role("searchbox", name="Filter the log").fill("got a job")
        expect(log).not_to_contain_text("worker started")
        assert serious_faults(page) == []
        page.keyboard.press("Escape")


def test_the_stack_fits_a_narrow_page(link: str, opened: Browser) -> None:
    with page_watched(opened, link.partition("?")[0], (390, 844)) as page:
        stack_of(page, link)
        expect(page.get_by_role("row").filter(has_text="servicebus")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("link", name="servicebus").click()
        page.get_by_role("link", name="The warm stack").click()
        expect(page.get_by_role("row").filter(has_text="servicebus")).to_be_visible()


@pytest.mark.parametrize("name", ["../../pyproject", "nothing", "/etc/passwd", ""])
def test_only_what_the_stack_has_can_be_named(link: str, name: str) -> None:
    """Neither as a log nor as a service."""
    parts = urlsplit(link)
    with closing(http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=20)) as connection:
        connection.request("GET", f"/?{parts.query}")
        reply = connection.getresponse()
        reply.read()
        cookie = str(reply.getheader("set-cookie")).partition(";")[0]
        ours = {"cookie": cookie, "origin": f"http://127.0.0.1:{parts.port}", "content-type": "application/json"}
        connection.request("GET", f"/api/log?name={name}", headers=ours)
        log = connection.getresponse()
        assert (log.status, b"error" in log.read()) in ((400, True), (409, True))
        connection.request("POST", "/api/restart", json.dumps({"name": name}), ours)
        act = connection.getresponse()
        assert (act.status, b"error" in act.read()) in ((400, True), (409, True))
