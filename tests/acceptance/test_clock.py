"""A clock that is moved, as a user meets it: with the library, and without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from peeklock.stack.clock import faketime
from tests.acceptance.conftest import Run

TOMORROW = """\
scenario: a reminder for tomorrow
stack:
  servicebus:
    queues: {reminders: {}}
cases:
  arrives_tomorrow:
    steps:
      - send: {queue: reminders, json: {text: hello}, scheduled_in: 1d}
      - messages: {queue: reminders}
        expect: {count: 1, each: {outcome: scheduled}}
      - clock: {advance: 1d}
      - messages: {queue: reminders}
        expect: {count: 1, each: {outcome: active}}
  on_new_years_eve:
    clock: {start: 2027-12-31T23:00:00Z}
    steps:
      - clock: {advance: 1h}
      - send: {queue: reminders, json: {text: a happy new year}}
      - messages: {queue: reminders}
        expect: {count: 1, each: {enqueued_at: {$regex: ^2028-01-01T00:0}}}
  today:
    clock: real
    steps:
      - settle:
"""


@pytest.fixture
def tomorrow(project: Path) -> str:
    """A file beside the toy's own, with a queue that nobody reads."""
    (project / "scenarios" / "tomorrow.yaml").write_text(TOMORROW, encoding="utf-8")
    return "scenarios/tomorrow.yaml"


@pytest.mark.skipif(bool(faketime.why_not()), reason=faketime.why_not() or "it works")
def test_tomorrow_comes_at_once(peeklock: Run, tomorrow: str) -> None:
    done = peeklock("run", tomorrow)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed, 3 passed" in done.stdout


def test_without_the_library_a_case_is_skipped_with_what_to_install(
    peeklock: Run, tomorrow: str, tmp_path: Path
) -> None:
    """And the others of its file run."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "libfaketime.py").write_text("", encoding="utf-8")  # a module of that name, which brings no library
    path = os.pathsep.join(filter(None, [str(hidden), os.environ.get("PYTHONPATH", "")]))
    done = peeklock("run", tomorrow, PYTHONPATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED scenarios/tomorrow.yaml::arrives_tomorrow" in done.stdout
    assert "the embedded backend has not the ability: clock" in done.stdout
    assert "pip install 'peeklock[clock]'" in done.stdout or not faketime.LINUX
    assert "0 failed, 1 passed, 2 skipped" in done.stdout
