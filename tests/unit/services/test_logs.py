from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from services.shared.correlation import correlated
from services.shared.logs import configure_logs, get_logger


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_one_event_is_one_json_line_with_the_fields_that_every_service_has(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("svc", "INFO")
    with correlated("c-1"):
        get_logger().info("thing.done", count=2)
    (line,) = capsys.readouterr().out.splitlines()
    event = json.loads(line)
    assert list(event)[:5] == ["timestamp", "level", "event", "service", "correlation_id"]
    assert event | {"timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "event": "thing.done",
        "service": "svc",
        "correlation_id": "c-1",
        "count": 2,
    }


def test_a_librarys_log_is_an_event_too_and_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("svc", "INFO", secrets=("hush",))
    logging.getLogger("lib").warning("GET %s with %s", "http://h?sig=abc", "hush")
    event = json.loads(capsys.readouterr().out)
    assert event["event"] == "library.log"
    assert event["logger"] == "lib"
    assert event["message"] == "GET http://h?sig=[redacted] with [redacted]"


@pytest.mark.parametrize(
    ("logger", "level"), [("opentelemetry.exporter.otlp.common.http", "warning"), ("azure.storage", "error")]
)
def test_what_an_exporter_cannot_deliver_is_no_failure_of_the_service(
    capsys: pytest.CaptureFixture[str], logger: str, level: str
) -> None:
    """An error of any other library is one."""
    configure_logs("svc", "INFO")
    logging.getLogger(logger).error("Failed to export metrics batch")
    assert json.loads(capsys.readouterr().out)["level"] == level


def test_libraries_that_print_urls_are_silent_at_info(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("svc", "INFO")
    logging.getLogger("httpx").info("HTTP Request: GET http://h?sig=abc")
    logging.getLogger("azure.core.pipeline").info("Request URL: http://h?sig=abc")
    assert capsys.readouterr().out == ""


def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("svc", "INFO")
    try:
        raise ValueError("AccountKey=abc")
    except ValueError:
        get_logger().exception("thing.failed")
    (line,) = capsys.readouterr().out.splitlines()
    event = json.loads(line)
    assert event["level"] == "error"
    assert "ValueError: AccountKey=[redacted]" in event["exception"]
