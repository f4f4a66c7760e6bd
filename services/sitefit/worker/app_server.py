"""The worker's client of the AppServer: what a retry can mend, and what it cannot."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx

from services.shared.correlation import HEADER, current_correlation_id
from services.shared.logs import get_logger
from services.shared.outcomes import TransientFailure

log = get_logger()

_PAUSE = 0.5


class JobImpossibleError(Exception):
    """The AppServer has said no for good: another attempt would hear the same."""


@dataclass(frozen=True, slots=True)
class AppServer:
    """Solves jobs at ``POST /gh/{definition}:{version}/solve``. ``patience`` (seconds) is for all of one attempt."""

    client: httpx.AsyncClient
    patience: float

    async def solve(self, definition: str, version: str, inputs: dict[str, Any]) -> str:
        """Return the outputs, the JSON text as it came.

        Raises :class:`JobImpossibleError`, and ``TransientFailure`` for silence, refused connections and 5xx.
        """
        try:
            async with asyncio.timeout(self.patience):
                await self._until_ready()
                correlation_id = current_correlation_id()
                answer = await self.client.post(
                    f"/gh/{definition}:{version}/solve",
                    json=inputs,
                    headers={HEADER: correlation_id} if correlation_id else None,
                )
        except TimeoutError:
            raise TransientFailure(f"the AppServer gave no answer within {self.patience:g} s") from None
        except httpx.TransportError as error:
            raise TransientFailure(f"the AppServer cannot be reached ({type(error).__name__})") from error
        if answer.status_code == 200:
            return answer.text
        problem = f"the AppServer answered {answer.status_code}: {_detail(answer)}"
        if answer.status_code in (404, 422) or _code(answer) in ("contract_violation", "solver_failed"):
            raise JobImpossibleError(problem)
        raise TransientFailure(problem)

    async def _until_ready(self) -> None:
        """Wait while it is up and says that it is not ready."""
        told = False
        while (await self.client.get("/ready")).status_code == 503:
            if not told:
                log.info("appserver.not_ready")
                told = True
            await asyncio.sleep(_PAUSE)


def _body(answer: httpx.Response) -> Any:
    try:
        return json.loads(answer.text).get("detail")
    except (ValueError, AttributeError):
        return None


def _detail(answer: httpx.Response) -> str:
    detail = _body(answer)
    if isinstance(detail, dict):
        detail = detail.get("problem")
    return str(detail or "no reason given")[:500]


def _code(answer: httpx.Response) -> str | None:
    detail = _body(answer)
    return detail.get("code") if isinstance(detail, dict) else None
