"""The tutorial, done as a reader does it: its files, its commands, its mended line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import ROOT, environment

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
WORKER, SCENARIO = "worker.py", "scenarios/orders.yaml"


def blocks() -> dict[str, str]:
    """What the page has under each title."""
    found = re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == len(dict(found)), "two blocks have one title"
    return dict(found)


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("peeklock"), "run", "--backend", "embedded"]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_the_reader_does_ends_as_the_page_says(tmp_path: Path) -> None:
    """The folder is in no project, and nothing marks it as one."""
    found = blocks()
    for name in ("api.py", WORKER, "migrations/001_invoices.sql", SCENARIO):
        put(tmp_path, name, found.pop(name))
    first = run(tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr

    scenario = (tmp_path / SCENARIO).read_text(encoding="utf-8")
    put(tmp_path, SCENARIO, scenario.replace("always:", found.pop(f"{SCENARIO}, one more case") + "always:"))
    broken = run(tmp_path)
    assert broken.returncode == 1, broken.stdout + broken.stderr
    for line in re.findall(r"^FAILED \S+|^  rows .*|^         actual .*", PAGE, re.MULTILINE):
        assert line in broken.stdout

    put(tmp_path, "migrations/002_one_invoice.sql", found.pop("migrations/002_one_invoice.sql"))
    mended = found.pop(f"{WORKER}, the line that changes")
    worker, changed = re.subn(r"^INSERT = .*\n", mended, (tmp_path / WORKER).read_text("utf-8"), flags=re.MULTILINE)
    assert changed == 1
    put(tmp_path, WORKER, worker)
    sound = run(tmp_path)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert found.keys() == {"this fails"}
