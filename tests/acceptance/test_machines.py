"""What tools read: events as lines, and one case of a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.acceptance.conftest import Run
from tests.acceptance.test_run import SECRET_SHAPES


def test_json_alone_is_on_standard_output(peeklock: Run, project: Path) -> None:
    """Each line is an event; people's text is on the other stream; the exit code is as ever; no secret in either."""
    done = peeklock("run", "scenarios", "--json", GITHUB_ACTIONS="true")
    assert done.returncode == 1, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (events[0]["event"], events[0]["format"]) == ("RunStarted", 1)
    assert {each["case"]: each["outcome"] for each in events if each["event"] == "CaseFinished"} == {
        "scenarios/doubling.yaml::good": "passed",
        "scenarios/doubling.yaml::wrong_expectation": "failed",
        "scenarios/doubling.yaml::in_containers": "skipped",
    }
    assert events[-1]["failed_cases"] == ["scenarios/doubling.yaml::wrong_expectation"]
    assert "report: .peeklock/run-1/report.html" in done.stderr
    assert not SECRET_SHAPES.search(done.stdout + done.stderr)

    shown = peeklock("show", "wrong")
    assert shown.returncode == 0
    assert "body.doubled   expected 5" in shown.stdout
    told = json.loads(peeklock("show", "scenarios/doubling.yaml::good", "--run", "1", "--json").stdout)
    assert [each["event"] for each in told["ledger"] if each["entity"] == "jobs"] == [
        "enqueued", "delivered", "completed",
    ]  # fmt: skip
    assert peeklock("report", "--archive", "out/run.zip").returncode == 0
    opened = peeklock("report", "out/run.zip")
    assert (opened.returncode, opened.stdout) == (0, "out/run.zip.html\n")
    pages = [(project / page).read_text() for page in ("out/run.zip.html", ".peeklock/run-1/report.html")]
    elsewhere, here = (re.findall(r'id="story-\d+">([^<]+)<', page) for page in pages)
    assert len(here) == 3
    assert elsewhere == here
    refused = peeklock("report", "api.py")
    assert refused.returncode == 3
    assert "no archive of a run that can be read" in refused.stderr
    unknown = peeklock("show", "wrng_expectation")
    assert unknown.returncode == 3
    assert "one of scenarios/doubling.yaml::wrong_expectation" in unknown.stderr


def test_nothing_is_on_standard_output_when_a_file_is_bad(peeklock: Run, project: Path) -> None:
    (project / "scenarios" / "bad.yaml").write_text("cases: 3\n", encoding="utf-8")
    done = peeklock("run", "scenarios", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was started" in done.stderr
