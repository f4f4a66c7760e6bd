"""The page of a case whose services were scaled, in a real browser."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from peeklock.stack.clock import faketime
from tests.acceptance.browser import page_at, serious_faults
from tests.acceptance.conftest import PEEKLOCK, environment
from tests.acceptance.test_scale import JOB, SCENARIO

pytestmark = pytest.mark.skipif(bool(faketime.why_not()), reason=faketime.why_not() or "it works")


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run in which a job is begun for each of three messages, 30 s after the case began."""
    project = tmp_path_factory.mktemp("scaled")
    (project / "pyproject.toml").touch()
    (project / "job.py").write_text(JOB, encoding="utf-8")
    (project / "chores.yaml").write_text(SCENARIO, encoding="utf-8")
    command = [PEEKLOCK, "run", "chores.yaml::one_each"]
    done = subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return project / ".peeklock" / "run-1" / "report.html"


@pytest.mark.parametrize(("size", "scheme"), [((1440, 900), "light"), ((390, 844), "dark")])
def test_scaling_is_told_with_its_reasons(scaled: Path, opened: Browser, size: tuple[int, int], scheme: str) -> None:
    """The rule, a chart, and each change by the clock of the case."""
    with page_at(opened, scaled, "#/case/0", size) as page:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.get_by_role("button", name="Scaling", exact=True).click()
        pane = page.get_by_role("region", name="Scaling")
        expect(pane).to_contain_text("chores: 1 message each · at most 4 executions")
        expect(pane.locator("canvas")).to_be_in_viewport()
        row = pane.get_by_role("row").filter(has_text="0 → 3")
        expect(row).to_contain_text("3 messages at 1 each")
        assert row.get_by_role("cell").first.inner_text().startswith("30")
        expect(pane.get_by_role("row").filter(has_text="succeeded")).to_have_count(3)
        drawn = "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"
        assert pane.locator("canvas").evaluate(drawn) > 10, "nothing is drawn"
        assert serious_faults(page) == []
        page.get_by_role("button", name="Scaling", exact=True).click()
        expect(pane).to_be_hidden()
