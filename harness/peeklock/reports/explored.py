"""What `peeklock explore` has found, as JUnit XML: a `testcase` for each disturbance."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from peeklock.explore.events import Explored, Tried

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, case: str, explored: Explored) -> None:
    """Write it. A disturbance that ends otherwise is a failure, one that says nothing is skipped. Raises `OSError`."""
    flaky = {each.trial.signature for each in explored.findings if each.flaky}
    cases = [_case(case, each, flaky) for each in explored.tried]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(each.find("failure") is not None for each in cases)),
        "errors": "0",
        "skipped": str(sum(each.find("skipped") is not None for each in cases)),
    }
    root = ET.Element("testsuites", name="peeklock explore", time=f"{explored.seconds:.3f}")
    ET.SubElement(root, "testsuite", {"name": case, **counts}).extend(cases)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _case(case: str, tried: Tried, flaky: set[str]) -> ET.Element:
    trial = tried.trial
    element = ET.Element("testcase", classname=case, name=_clean(tried.disturbance.text), time=f"{trial.seconds:.3f}")
    if trial.verdict == "different" and trial.signature not in flaky:
        told = [_clean(str(each)) for each in trial.differences]
        ET.SubElement(element, "failure", message=told[0]).text = "\n".join(told)
    elif trial.verdict != "same":
        why = {"not_reached": "its moment did not come again", "different": "flaky"}.get(trial.verdict, trial.reason)
        ET.SubElement(element, "skipped", message=_clean(why))
    return element


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
