"""The AppServer's routes: ``POST /gh/{definition}:{version}/solve`` between two contracts."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from services.shared.contracts import ContractViolationError
from services.shared.health import Check, health_routes
from services.shared.http import BodyLimit, RequestLog
from services.shared.logs import get_logger
from services.sitefit.appserver.mock_solver import MockSolver
from services.sitefit.appserver.settings import AppServerSettings
from services.sitefit.appserver.solver import Solver, SolverFailedError, SolverUnavailableError
from services.sitefit.contracts import ContractDirectory, ContractNotFoundError

SERVICE = "sitefit-appserver"

log = get_logger()


def build_app(settings: AppServerSettings) -> FastAPI:
    """Return the application; nothing is opened before its lifespan starts."""
    contracts = ContractDirectory(settings.contracts_dir)
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            solver = await _solver(settings, stack)
            app.state.solver = solver

            async def check_contracts() -> None:
                if not contracts.names():
                    raise FileNotFoundError(f"no contracts in {settings.contracts_dir}")

            checks.update(contracts=check_contracts, solver=solver.ready)
            log.info("appserver.started", solver=type(solver).__name__, contracts=contracts.names())
            yield
        log.info("appserver.stopped")

    app = FastAPI(title="Sitefit AppServer", lifespan=lifespan)
    app.include_router(health_routes(SERVICE, checks))
    app.add_middleware(BodyLimit, max_bytes=settings.max_request_bytes)
    app.add_middleware(RequestLog)

    @app.post("/gh/{definition}:{version}/solve")
    async def solve(definition: str, version: str, inputs: dict[str, Any], request: Request) -> JSONResponse:
        return JSONResponse(await _solve(request.app.state.solver, contracts, definition, version, inputs))

    return app


async def _solver(settings: AppServerSettings, stack: AsyncExitStack) -> Solver:
    if not settings.use_compute:
        return MockSolver()
    # here: the mock solver needs no HTTP client, which is slow to load
    from services.shared.http_client import http_client
    from services.sitefit.appserver.compute_solver import ComputeSolver

    key = settings.compute_api_key
    headers = {"RhinoComputeKey": key.get_secret_value()} if key else None
    client = http_client(settings.compute_timeout_sec, str(settings.compute_url), headers)
    return ComputeSolver(await stack.enter_async_context(client))


async def _solve(
    solver: Solver, contracts: ContractDirectory, definition: str, version: str, inputs: dict[str, Any]
) -> dict[str, Any]:
    started = time.perf_counter()
    named = {"definition": definition, "version": version}
    log.info("solve.start", **named)
    try:
        contract = contracts.get(definition, version)
        contract.inputs.check(inputs)
        log.info("inputs.validated", **named)
        outputs = await solver.solve(definition, version, inputs)
        log.info("solve.complete", **named, duration_ms=round((time.perf_counter() - started) * 1000))
        contract.outputs.check(outputs)
    except ContractNotFoundError as error:
        log.warning("solve.refused", **named, problem=str(error))
        raise HTTPException(404, str(error)) from error
    except ContractViolationError as error:
        is_ours = error.contract.startswith("outputs")
        log.warning("solve.refused", **named, problem=str(error))
        raise HTTPException(500 if is_ours else 422, {"code": "contract_violation", "problem": str(error)}) from error
    except SolverUnavailableError as error:
        log.warning("solve.unavailable", **named, problem=str(error))
        raise HTTPException(503, str(error), {"Retry-After": "1"}) from error
    except SolverFailedError as error:
        log.warning("solve.failed", **named, problem=str(error))
        raise HTTPException(500, {"code": "solver_failed", "problem": str(error)}) from error
    log.info("solve.success", **named, results=len(outputs["results"]))
    return outputs
