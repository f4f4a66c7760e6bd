from __future__ import annotations

import pytest
from azure.servicebus import ServiceBusMessage

from services.shared.correlation import correlated, correlation_id_of, correlation_id_or_new, current_correlation_id


def _message(**properties: object) -> ServiceBusMessage:
    return ServiceBusMessage("x", **properties)  # type: ignore[arg-type]


def test_the_application_property_comes_before_the_amqp_field() -> None:
    message = _message(application_properties={b"correlation_id": b"property"}, correlation_id="field")
    assert correlation_id_of(message) == "property"  # type: ignore[arg-type]
    assert correlation_id_of(_message(correlation_id="field")) == "field"  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [None, "", "a b", "x" * 129, "new\nline", "<script>"])
def test_an_id_that_is_unfit_for_logs_and_headers_is_replaced(bad: str | None) -> None:
    assert correlation_id_or_new(bad) != bad
    assert len(correlation_id_or_new(bad)) == 32


def test_the_id_is_bound_to_the_enclosed_work_only() -> None:
    with correlated("c"):
        assert current_correlation_id() == "c"
    assert current_correlation_id() is None
