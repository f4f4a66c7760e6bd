"""What a file says of all of its requests: which service a path goes to, and with which headers."""

from __future__ import annotations

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.scenario.values import resolve


def default_service(context: CaseContext, named: str | None = None) -> str:
    """Return the service that a step means: the one named, the file's default, or the only one with `ready.http`."""
    header = context.scenario.header
    if wanted := named or header.defaults.http.service:
        return wanted
    with_http = [key for key, service in header.services.items() if service.ready and service.ready.http]
    if len(with_http) == 1:
        return with_http[0]
    raise VerbFailed(f"which service? {len(with_http)} have ready.http: say `on:`, or defaults.http.service")


def default_headers(context: CaseContext) -> dict[str, str]:
    """Return `defaults.http.headers`, their names looked up."""
    scope = context.names.file_scope()
    return {key: str(resolve(value, scope)) for key, value in context.scenario.header.defaults.http.headers.items()}
