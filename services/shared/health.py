"""``/health``: the process lives, and has what it cannot do without. ``/ready``: everything it depends on answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from services.shared.redaction import redact_text

Check = Callable[[], Awaitable[None]]


async def run_checks(checks: Mapping[str, Check], patience: float = 3.0) -> dict[str, str]:
    """Run all ``checks`` at once and return each one's outcome: ``ok``, or what is wrong in a few words.

    A check is a coroutine that raises when its dependency does not answer; ``patience`` is in seconds.
    """

    async def outcome(check: Check) -> str:
        try:
            async with asyncio.timeout(patience):
                await check()
        except TimeoutError:
            return f"no answer within {patience:g} s"
        except Exception as error:  # noqa: BLE001 - whatever a dependency's client raises, it is not ready
            first_line = (str(error).splitlines() or [""])[0]
            return redact_text(f"{type(error).__name__}: {first_line}")[:300]
        return "ok"

    outcomes = await asyncio.gather(*(outcome(check) for check in checks.values()))
    return dict(zip(checks, outcomes, strict=True))


def health_routes(service: str, checks: Mapping[str, Check], vital: Mapping[str, Check] | None = None) -> APIRouter:
    """Return the two routes. ``/ready`` answers 200 or 503 and names every dependency either way.

    ``vital``: what the service is not even healthy without; ``/health`` names each, and answers 503 when one is away.
    """
    routes = APIRouter(tags=["health"])

    @routes.get("/health")
    async def health() -> JSONResponse:
        outcomes = await run_checks(vital or {})
        is_well = all(outcome == "ok" for outcome in outcomes.values())
        body = {"status": "ok" if is_well else "unhealthy", "service": service, **outcomes}
        return JSONResponse(body, status_code=200 if is_well else 503)

    @routes.get("/ready")
    async def ready() -> JSONResponse:
        outcomes = await run_checks(checks)
        is_ready = all(outcome == "ok" for outcome in outcomes.values())
        return JSONResponse(
            {"status": "ready" if is_ready else "not ready", "checks": outcomes}, status_code=200 if is_ready else 503
        )

    return routes
