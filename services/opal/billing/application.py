"""Puts the billing service together: ``PUT /v1/usage/{item_id}``, ``GET /v1/bills/{tenant_id}``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, HTTPException, Path, Request, Response

from services.opal.billing.ledger import ROLE, Ledger, UsageConflictError
from services.opal.billing.settings import BillingSettings
from services.opal.contracts import TENANT_PATTERN, USAGE
from services.shared.contracts import ContractViolationError
from services.shared.database import check_database, connection_pool, database_name
from services.shared.health import Check, health_routes
from services.shared.http import BearerToken, BodyLimit, RequestLog, answer_when_database_is_away
from services.shared.logs import get_logger

SERVICE = "opal-billing"

log = get_logger()


def build_app(settings: BillingSettings) -> FastAPI:
    """Return the application; nothing is opened before its lifespan starts."""
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database_url = settings.database_url.get_secret_value()
        async with connection_pool(database_url, ROLE) as pool:

            async def check_postgres() -> None:
                await check_database(pool, "SELECT item_id FROM usage LIMIT 0")

            checks["database"] = check_postgres
            app.state.ledger = Ledger(pool)
            log.info("billing.started", database=database_name(database_url))
            yield

    app = FastAPI(title="OPAL billing", lifespan=lifespan)
    app.include_router(health_routes(SERVICE, checks))

    @app.put("/v1/usage/{item_id}")
    async def record(item_id: UUID, request: Request, response: Response) -> dict[str, Any]:
        """Put one item on its tenant's bill: 201; 200 when it is there; 409 when it is there as something else."""
        ledger: Ledger = app.state.ledger
        try:
            usage = USAGE.parse(await request.body())
            is_new = await ledger.record(str(item_id), usage)
        except ContractViolationError as error:
            problems = [{"field": found.field, "problem": found.problem} for found in error.violations]
            raise HTTPException(422, problems) from error
        except UsageConflictError as error:
            raise HTTPException(409, f"item {item_id} is on a bill already, with other facts") from error
        log.info("usage.recorded" if is_new else "usage.recorded_before", item_id=str(item_id), **usage)
        response.status_code = 201 if is_new else 200
        return {"item_id": str(item_id), **usage}

    @app.get("/v1/bills/{tenant_id}")
    async def bill(tenant_id: Annotated[str, Path(pattern=TENANT_PATTERN)]) -> dict[str, Any]:
        """Tell what a tenant has used so far."""
        ledger: Ledger = app.state.ledger
        return {"tenant_id": tenant_id, **await ledger.bill(tenant_id)}

    answer_when_database_is_away(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=64 * 1024)
    app.add_middleware(BearerToken, token=settings.billing_token.get_secret_value(), prefix="/v1")
    app.add_middleware(RequestLog)
    return app
