"""The pages of docs/ as a site."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.acceptance.conftest import ROOT


def test_the_site_is_built_without_a_warning_and_has_every_page(tmp_path: Path) -> None:
    """A link or an anchor that leads nowhere is a warning, and so is a page that is in none of the four parts."""
    command = [Path(sys.executable).with_name("mkdocs"), "build", "--strict", "--site-dir", tmp_path]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix("")
        assert (tmp_path / (name if name.name == "index" else name / "index")).with_suffix(".html").is_file()


def test_nothing_of_a_page_comes_from_elsewhere(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("mkdocs"), "build", "--quiet", "--site-dir", tmp_path]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, check=True, capture_output=True)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    for tag in ('<script src="http', '<link rel="stylesheet" href="http', "fonts.g"):
        assert tag not in text


def test_how_easily_the_pages_read_is_told() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "reading_ease.py"], capture_output=True, text=True, check=True
    )
    ease = {name: float(number) for number, name in (line.split(maxsplit=1) for line in done.stdout.splitlines())}
    assert ease.keys() >= {"README.md", "tutorial.md", "scenarios.md", "all pages"}
    assert ease["README.md"] >= 60  # plain English, by Flesch's scale
    assert ease["tutorial.md"] >= 60
