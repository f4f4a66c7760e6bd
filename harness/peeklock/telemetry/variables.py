"""What services are told, in the variables that the SDKs read."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping

Variables = Mapping[str, str | None]

_SOON = "100"
"""Milliseconds that spans and log records wait for others; by default they would arrive after the case."""
_OFTEN = "200"
"""Milliseconds between two exports of metrics."""
_SIGNALS = ("TRACES", "METRICS", "LOGS")


def telemetry_variables(port: int, door: int, process: str, service: str, protocols: Collection[str]) -> Variables:
    """Return the variables of one process; None: it must not have the caller's own.

    `port`: the receiver's, `door`: that at which it is reached over TLS; `protocols`: `otlp`, `application_insights`.
    """
    url = f"http://127.0.0.1:{port}/{process}"
    told: dict[str, str | None] = {
        "OTEL_SDK_DISABLED": None,
        "OTEL_SERVICE_NAME": service,
        "OTEL_TRACES_SAMPLER": "always_on",  # Azure Monitor's own would drop what is above five traces a second
        "OTEL_BSP_SCHEDULE_DELAY": _SOON,
        "OTEL_BLRP_SCHEDULE_DELAY": _SOON,
        "OTEL_METRIC_EXPORT_INTERVAL": _OFTEN,
        "OTEL_METRIC_EXPORT_TIMEOUT": _OFTEN,  # the SDK for Node refuses one that is longer than the interval
    }
    if "otlp" in protocols:
        told |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_HEADERS": None,
            "OTEL_EXPORTER_OTLP_CERTIFICATE": None,
        }
        told |= {f"OTEL_{signal}_EXPORTER": "otlp" for signal in _SIGNALS}
        told |= {
            f"OTEL_EXPORTER_OTLP_{signal}_{what}": None
            for signal in _SIGNALS
            for what in ("ENDPOINT", "PROTOCOL", "HEADERS")
        }
    if "application_insights" in protocols:
        url = f"https://127.0.0.1:{door}/{process}"
        key = uuid.uuid5(uuid.NAMESPACE_URL, url)
        told |= {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={key};IngestionEndpoint={url}/;LiveEndpoint={url}/",
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
            "APPINSIGHTS_INSTRUMENTATIONKEY": None,
        }
    return told
