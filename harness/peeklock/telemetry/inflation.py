"""Bodies that come compressed, inflated within bounds."""

from __future__ import annotations

import zlib

from peeklock.telemetry.limits import TelemetryRefused

_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def inflate(body: bytes, encoding: str, most: int) -> bytes:
    """Return a body as it was before `content-encoding`, at most `most` bytes. Raises `TelemetryRefused`."""
    if encoding in ("", "identity"):
        return body
    window = _WINDOW.get(encoding)
    if window is None:
        raise TelemetryRefused(415, f"the content-encoding {encoding[:40]!r} is not known: gzip, deflate or none")
    reader = zlib.decompressobj(window)
    try:
        found = reader.decompress(body, most + 1)
    except zlib.error as error:
        raise TelemetryRefused(400, f"the body is not {encoding}: {error}") from None
    if len(found) > most:
        raise TelemetryRefused(413, f"the body is longer than {most} bytes when it is inflated")
    if not reader.eof or reader.unused_data:
        raise TelemetryRefused(400, f"the body is not one whole {encoding} stream")
    return found
