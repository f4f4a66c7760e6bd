"""Decimals as Service Bus sends them.

.NET's AMQP library, of which the service is built, shifts the exponent of a decimal128 by 9 bits where IEEE 754 has 7.
The SDKs read that form alone, though they write the right one: azure-servicebus drops a message whose decimals come back
as it has sent them (its test_message_property).
"""

from __future__ import annotations

MARK = b"\x94"
"""The constructor of a decimal128: where it does not occur, there is none."""
_IEEE, _DOTNET = 6144 >> 7, 6144 >> 9
"""The first byte, but for its sign, for exponents of -32 to 95."""


def rewrite(parts: list[bytes]) -> bool:
    """Rewrite the decimals among encoded keys and values (S-36); return whether there were any. What .NET's decimal
    cannot hold, such as an exponent below -32, stays as it is."""
    found = False
    for index in range(1, len(parts), 2):
        raw = parts[index]
        if raw[:1] == MARK and raw[1] & 0x7F == _IEEE:
            parts[index] = MARK + bytes((raw[1] & 0x80 | _DOTNET,)) + raw[2:]
            found = True
    return found
