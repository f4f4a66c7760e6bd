"""JUnit XML, as pipelines read it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from peeklock.engine.events import CaseFinished, Event, RunFinished
from peeklock.reports.failure_text import cause_line, render_failure

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnitReport:
    """Writes one `testcase` for each case when the run has ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._suites: dict[str, list[ET.Element]] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, CaseFinished):
            self._case(event)
        elif isinstance(event, RunFinished):
            self._write(event)

    def _case(self, event: CaseFinished) -> None:
        file, _, name = event.case.partition("::")
        name += f" #{event.repeat + 1}" if event.repeat else ""
        element = ET.Element("testcase", classname=file, name=name, time=f"{event.durations.total:.3f}")
        if event.covers:
            properties = ET.SubElement(element, "properties")
            for criterion in event.covers:
                ET.SubElement(properties, "property", name="covers", value=criterion)
        if event.failure:
            message = cause_line(event.failure)
            ET.SubElement(element, "failure", message=_clean(message)).text = _clean("\n".join(render_failure(event)))
        elif event.outcome in ("skipped", "error"):
            ET.SubElement(element, event.outcome, message=_clean(event.reason)).text = _clean(event.traceback) or None
        self._suites.setdefault(file, []).append(element)

    def _write(self, event: RunFinished) -> None:
        root = ET.Element("testsuites", name="peeklock", time=f"{event.seconds:.3f}")
        for file, cases in self._suites.items():
            counts: dict[str, str] = {
                word: str(sum(case.find(tag) is not None for case in cases))
                for word, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
            }
            facts = {"name": file, "tests": str(len(cases)), **counts}
            ET.SubElement(root, "testsuite", facts).extend(cases)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ET.ElementTree(root).write(self._path, encoding="utf-8", xml_declaration=True)


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
