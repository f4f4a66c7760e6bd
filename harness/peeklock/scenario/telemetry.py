"""The telemetry that a scenario file asks of its services: `telemetry` in its `stack`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from peeklock.scenario.fields import Model

Protocol = Literal["otlp", "application_insights"]


class Telemetry(Model):
    """A receiver for what services tell of themselves."""

    protocols: list[Protocol] = Field(
        ["otlp", "application_insights"],
        min_length=1,
        description="those that services are told of by environment variables",
    )


def _switch(value: Any) -> Any:
    return {} if value is True else None if value is False else value


TelemetryWanted = Annotated[Telemetry | None, BeforeValidator(_switch, json_schema_input_type=Telemetry | bool | None)]
"""May be written as true or false."""
