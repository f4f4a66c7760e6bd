"""What services say of themselves."""

from __future__ import annotations

from typing import Any

from peeklock.preflight import readiness
from peeklock.preflight.findings import Finding
from peeklock.preflight.readiness import Answer


def judged(*answers: tuple[str, int, Any]) -> tuple[Finding, ...]:
    return readiness.judge(
        [Answer(name, "/ready", f"{name}.yaml:1", status, body) for name, status, body in answers]
    ).findings


def test_what_is_not_ready_is_named() -> None:
    body = {"status": "not ready", "checks": {"queue": "grant 'Sender' on jobs", "blobs": "ok"}}
    (found,) = judged(("api", 503, body))
    assert (found.name, found.where) == ("not-ready", "api.yaml:1")
    assert found.actual == "status 503; queue: grant 'Sender' on jobs"


def test_no_answer_and_one_that_is_no_json() -> None:
    assert [each.actual for each in judged(("api", 0, None), ("worker", 500, None))] == ["no answer", "status 500"]


def test_ready_is_ready() -> None:
    assert judged(("api", 200, {"status": "ready"}), ("worker", 204, None)) == ()


def test_two_databases_by_their_own_words() -> None:
    one, other = {"database": "db:5432/orders"}, {"details": {"database": "db:5432/orders_old"}}
    (found,) = judged(("api", 200, one), ("worker", 200, other))
    assert found.name == "different-databases"
    assert judged(("api", 200, one), ("worker", 200, {"database": "DB:5432/orders"})) == ()
    assert judged(("api", 200, {"database": "ok"}), ("worker", 200, {"database": "up"})) == ()
