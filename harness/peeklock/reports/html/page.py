"""`report.html`: one file with the viewer and the record of a run. It needs no network, and its content can run nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from peeklock import __version__
from peeklock.reports.html.bundle import Bundle
from peeklock.reports.html.case_data import packed
from peeklock.reports.html.history import Result, key_of, results_before
from peeklock.reports.html.last_passed import last_passed
from peeklock.reports.html.record import Recorded, read_heads, read_stories

NAME = "report.html"
_BASE64 = re.compile(r"[A-Za-z0-9+/=]*")


def write_page(folder: Path, bundle: Bundle) -> Path:
    """Make the page of the run whose record is in `folder`; return its path. Raises `OSError`."""
    recorded = read_heads(folder)
    script, style = bundle.script.read_text(encoding="utf-8"), bundle.style.read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )
    history = _history(folder, recorded)
    passed, passing_stories = last_passed(folder, recorded.heads, history)
    shown = {
        "run": {**recorded.run, "version": __version__, "root": _root(folder)},
        "cases": recorded.heads,
        "history": history,
        "passed": passed,
        "coverage": recorded.coverage.data(),
    }
    target = folder / NAME
    unfinished = folder / f"{NAME}.part"
    with unfinished.open("w", encoding="utf-8") as page:
        page.write(
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n<title>Peeklock</title>\n'
            f"<style>{style}</style>\n"
            '<div id="app"><noscript>This page needs JavaScript to show the run.</noscript></div>\n'
        )
        page.write(_block("run", packed(shown)))
        for number, story in enumerate(read_stories(folder)):
            page.write(_block(f"story-{number}", story))
        for number, story in enumerate(passing_stories):
            page.write(_block(f"passed-{number}", story))
        page.write(f"<script>{script}</script>\n</html>\n")
    unfinished.replace(target)
    return target


def _root(folder: Path) -> str:
    """Return the folder of the project, by which a line of a file is found in the editor; empty when the run lies elsewhere."""
    whole = folder.resolve()
    return str(whole.parent.parent) if whole.parent.name == ".peeklock" else ""


def _history(folder: Path, recorded: Recorded) -> list[list[Result]]:
    """Return what earlier runs left of each case, in the order of the heads."""
    known = results_before(folder)
    return [known.get(key_of(head), []) for head in recorded.heads]


def _block(name: str, text: str) -> str:
    """A block of data, which no browser runs; base64 alone cannot end it."""
    return f'<script type="text/plain" id="{name}">{text if _BASE64.fullmatch(text) else ""}</script>\n'


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
