"""An error says what happened, where, what was checked and how to fix it, and tells no secret."""

from __future__ import annotations

import errno
from pathlib import Path

from peeklock.stack.errors import StackError, unwritable
from peeklock.supervision.errors import cannot_start, exit_text, exited_before_ready


def test_the_text_has_every_part_in_a_fixed_order() -> None:
    error = StackError(
        "it broke", where="here", expected="peace", actual="war", checked=["one", "two"], fix="talk", log=["last words"]
    )
    assert str(error) == (
        "it broke\n  where: here\n  expected: peace\n  actual: war\n  checked:\n    - one\n    - two\n"
        "  how to fix: talk\n  last log lines:\n    | last words"
    )


def test_secrets_are_masked_in_every_part() -> None:
    error = StackError(
        "hush hunter22",
        where="hunter22",
        actual="http://h/?sig=abc",
        fix="hunter22",
        log=["pw hunter22"],
        secrets=["hunter22"],
    )
    assert "hunter22" not in str(error)
    assert "abc" not in str(error)


def test_a_full_disk_is_told_as_one_whoever_met_it() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "no space left" in str(unwritable("/x", full))
    assert "no space left" in str(cannot_start("api", "/bin/api", full))


def test_a_service_that_ended_shows_its_exit_and_its_last_lines() -> None:
    text = str(exited_before_ready("service api", -9, ["boom"], Path("api.log")))
    assert "killed by SIGKILL" in text
    assert "| boom" in text
    assert "api.log" in text


def test_a_silent_service_is_said_to_have_been_silent() -> None:
    assert "it wrote nothing" in str(exited_before_ready("service api", 3, []))


def test_exit_texts() -> None:
    assert [exit_text(0), exit_text(3), exit_text(-15), exit_text(-99)] == [
        "exit status 0", "exit status 3", "killed by SIGTERM", "killed by signal 99",
    ]  # fmt: skip
