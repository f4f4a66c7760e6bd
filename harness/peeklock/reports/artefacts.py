"""Files that tell the story of a failed case: logs by service, the ledger, the timeline."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from peeklock.alerts import Recording
from peeklock.engine.events import CaseFinished
from peeklock.engine.ledger import body_of
from peeklock.engine.record import Record
from peeklock.engine.timeline import timeline
from peeklock.redaction import Redactor
from peeklock.reports.failure_text import render_failure, render_timeline
from peeklock.servicebus.ledger import Entry, to_json
from peeklock.stack.project.folder import new_folder

SIGNALS = "signals.ndjson"
"""What alert rules could look at, of a case whose file names any; also when it passed."""
_WIDE = 200


def write_artefacts(finished: CaseFinished, folder: Path) -> CaseFinished:
    """Write what was seen during a case below `folder`, redacted, and return the event with the place of it.

    Of a case that passed only what is asked for by `peeklock alerts` is kept.
    """
    record = finished.record
    if finished.outcome == "passed":
        if record is not None and record.signals is not None:
            _write_signals(record.signals, new_folder(folder, _name(finished)), Redactor(record.secrets))
        return finished
    if record is None and not finished.traceback:
        return finished
    redact = Redactor(record.secrets if record is not None else ())
    place = new_folder(folder, _name(finished))  # no case hides another one of the same name
    for name, text in _files(record).items() if record is not None else ():
        (place / name).write_text(redact(text), encoding="utf-8", errors="backslashreplace")
    if record is not None and record.signals is not None:
        _write_signals(record.signals, place, redact)
    if finished.traceback:
        (place / "traceback.txt").write_text(redact(finished.traceback), encoding="utf-8", errors="backslashreplace")
    if finished.failure is None:
        return replace(finished, artefacts=place)
    told = "\n".join(render_failure(finished, _WIDE)) + "\n"
    (place / "failure.txt").write_text(redact(told), encoding="utf-8", errors="backslashreplace")
    return replace(finished, artefacts=place)


def _write_signals(signals: Recording, place: Path, redact: Redactor) -> None:
    text = "".join(f"{redact(line)}\n" for line in signals.lines())
    (place / SIGNALS).write_text(text, encoding="utf-8", errors="backslashreplace")


def _files(record: Record) -> dict[str, str]:
    rows = timeline(record.moments, record.entries, record.lines, record.exits)
    files = {
        "ledger.ndjson": "".join(json.dumps(_readable(entry), ensure_ascii=False) + "\n" for entry in record.entries)
    }
    for service in dict.fromkeys(line.service for line in record.lines):
        files[f"{service}.log"] = "".join(f"{line.text}\n" for line in record.lines if line.service == service)
    if rows:
        files["timeline.txt"] = "\n".join(render_timeline(rows, record.started_at, _WIDE)) + "\n"
    return files


def _readable(entry: Entry) -> dict[str, Any]:
    """Show bodies as what they say: inside base64 no redaction would find a secret."""
    document = to_json(entry)
    if (facts := document.get("message")) is not None:
        shown = {key: value for key, value in facts.items() if not key.startswith("body")}
        document["message"] = {**shown, "body": body_of(facts)}
    return document


def _name(finished: CaseFinished) -> str:
    file, _, case = finished.case.partition("::")
    name = f"{Path(file).with_suffix('')}-{case}" + (f"-{finished.repeat + 1}" if finished.repeat else "")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")
