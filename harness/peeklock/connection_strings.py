"""Connection strings of Azure's SDKs: `Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…`."""

from __future__ import annotations


def parts_of(text: str) -> dict[str, str]:
    """Return the parts of a connection string by name; what is no part is left out."""
    return dict(part.split("=", 1) for part in text.split(";") if "=" in part)


def servicebus_connection_string(address: str, rule: str, key: str) -> str:
    """Return what a client needs to connect to an emulator with an access rule: plain AMQP. `address` is `host:port`."""
    return f"Endpoint=sb://{address};SharedAccessKeyName={rule};SharedAccessKey={key};UseDevelopmentEmulator=true;"
