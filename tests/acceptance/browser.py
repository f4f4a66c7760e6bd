"""A real browser, and what the viewer's own tests need from npm."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from peeklock.reports.html import bundle
from peeklock.stack.embedded.npm import NpmBundle
from peeklock.stack.embedded.tools import node
from peeklock.stack.project.cache import cache_dir, locked

VIEWER = Path(bundle.__file__).parent / "viewer"


def chromium() -> str:
    """The browser of this machine; where there is none the test is skipped, unless CI says that there must be one."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("PEEKLOCK_BROWSER") == "required":
            pytest.fail("no Chromium is installed, and PEEKLOCK_BROWSER=required says that one must be")
        pytest.skip("no Chromium is installed: apt-get install chromium")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window; ends with the block."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def page_watched(
    opened: Browser, ours: str, size: tuple[int, int] = (1440, 900), expected: str | None = None
) -> Iterator[Page]:
    """A page; fails when anything is written to its console, or thrown, or asked of another address than `ours`.

    `expected`: a regular expression for lines of the console that the browser writes by itself.
    """
    trouble: list[str] = []
    context = opened.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.set_default_timeout(10_000)

    def told(text: str) -> None:
        if expected is None or not re.search(expected, text):
            trouble.append(text)

    page.on("console", lambda message: told(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: (trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: trouble.append(request.url) if not request.url.startswith(ours) else None)
    yield page
    context.close()
    assert trouble == [], trouble


@contextmanager
def page_at(opened: Browser, path: Path, place: str = "", size: tuple[int, int] = (1440, 900)) -> Iterator[Page]:
    """Open a file, which asks no network."""
    with page_watched(opened, "file:", size) as page:
        page.goto(path.as_uri() + place)
        yield page


def shows(page: Page, *texts: str, inside: str = "main") -> None:
    for text in texts:
        expect(page.locator(inside)).to_contain_text(text)


def modules() -> Path:
    """A `node_modules` with what the viewer's own tests need (axe-core, TypeScript): fetched once, kept in the cache."""
    digest = NpmBundle("Viewer", VIEWER).folder.name
    folder = cache_dir() / "viewer-dev" / digest
    with locked(folder.parent / "build.lock"):
        if not (folder / "done").exists():
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(VIEWER / name, folder)
            command = [*node().npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            environment = {**os.environ, "PATH": f"{node().node.parent}{os.pathsep}{os.environ['PATH']}"}
            subprocess.run(command, cwd=folder, env=environment, check=True, timeout=110)
            (folder / "done").touch()
    return folder / "node_modules"


def serious_faults(page: Page) -> list[str]:
    """What axe-core finds in a page that keeps people out of it."""
    page.evaluate((modules() / "axe-core" / "axe.min.js").read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html']}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
