"""The live page of a project, as a browser and as a program meet it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser import page_watched
from tests.acceptance.conftest import PEEKLOCK, environment

REFUSED = r"status of 4\d\d"
"""What a browser itself writes to the console when a request is refused."""


@dataclass(frozen=True)
class Opened:
    """A page of a project whose stack is up."""

    link: str
    project: Path

    @property
    def ours(self) -> str:
        return self.link.partition("?")[0]

    def asked(self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None) -> tuple[int, Any]:
        """One request; let in, and of the page itself unless `headers` says otherwise."""
        parts = urlsplit(self.link)
        with closing(http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=20)) as connection:
            connection.request("GET", f"/?{parts.query}")
            reply = connection.getresponse()
            reply.read()
            own = {"cookie": str(reply.getheader("set-cookie")).partition(";")[0], "content-type": "application/json"}
            own |= {"origin": self.ours.rstrip("/")} if method == "POST" else {}
            connection.request(method, path, None if body is None else json.dumps(body), own | (headers or {}))
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.getheader("content-type", "")
            return answer.status, json.loads(text) if "json" in kind else text


def peeklock(project: Path, *arguments: str) -> str:
    """Run a command in a project; it has to end well."""
    command = [PEEKLOCK, *arguments]
    done = subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def serving(project: Path) -> Iterator[str]:
    """Yield the link of the page of a project; Ctrl-C ends it."""
    page = subprocess.Popen([PEEKLOCK, "ui"], cwd=project, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        assert page.stdout is not None
        found = re.search(r"http://\S+", page.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        page.send_signal(signal.SIGINT)
        assert page.wait(timeout=20) == 0
        page.communicate()


@contextmanager
def page_of(
    opened: Browser, served: Opened, place: str = "", size: tuple[int, int] = (1440, 900), state: str = "● live"
) -> Iterator[Page]:
    """Yield the page, let in by its link; watched."""
    with page_watched(opened, served.ours, size, REFUSED) as page:
        page.goto(served.link)
        expect(page.locator(".live-state")).to_contain_text(state)
        if place:
            page.goto(served.ours + place)
        yield page
