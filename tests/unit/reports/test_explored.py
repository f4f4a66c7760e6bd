"""The JUnit file of an exploration: what ends otherwise has failed, what says nothing is skipped."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from peeklock.explore.disturbances import disturbances
from peeklock.explore.events import Explored, Finding, Tried
from peeklock.explore.judge import Difference
from peeklock.explore.moments import MessageMoment
from peeklock.explore.trial import Ended, Trial
from peeklock.reports.explored import write_junit

LOST = Difference("table jobs", "lost", (("status", '"DONE"'),), (), 1, 0)
FLAKY = Difference("table logs", "lost", (("n", "1"),), (), 1, 0)


def different(what: Difference) -> Trial:
    return Trial("different", 1.5, Ended([], [], [], [what], True, 1))


def test_each_disturbance_is_a_testcase(tmp_path: Path) -> None:
    by = next(disturbances([MessageMoment("worker", "complete", "jobs", 1)], None))
    trials = [
        Trial("same", 1),
        different(LOST),
        different(FLAKY),
        Trial("not_reached", 1),
        Trial("could_not", 1, None, "no API"),
    ]
    tried = tuple(Tried(number, 5, by, trial) for number, trial in enumerate(trials, 1))
    findings = (Finding(by, trials[1], 3), Finding(by, trials[2], 1))
    write_junit(tmp_path / "new" / "j.xml", "a.yaml::good", Explored(None, tried, findings, 0, 9.0))
    (suite,) = ET.parse(tmp_path / "new" / "j.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "1", "3")
    told = [(each.tag, each.get("message")) for case in suite for each in case]
    assert told == [
        ("failure", 'table jobs: lost, 0 instead of 1: status "DONE"'),
        ("skipped", "flaky"),
        ("skipped", "its moment did not come again"),
        ("skipped", "no API"),
    ]
    assert suite[0].get("name") == "worker dies before its complete of jobs#1 is done"
