"""Detectors: a question, and how sure an answer must be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.intellioptics.identifiers import new_detector_id
from services.shared.database import Pool, Row
from services.shared.logs import get_logger

log = get_logger()

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Threshold = Annotated[float, Field(ge=0, le=1)]
Status = Literal["active", "disabled"]


class NewDetector(BaseModel):
    """The body of ``POST /v1/detectors``."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    query: Question
    confidence_threshold: Threshold = 0.9


class DetectorChange(BaseModel):
    """The body of ``PATCH /v1/detectors/{id}``: only what is given changes."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    query: Question | None = None
    confidence_threshold: Threshold | None = None
    status: Status | None = None


class Detector(BaseModel):
    """A detector as clients see it."""

    id: str
    name: str
    query: str
    confidence_threshold: float
    status: Status


_COLUMNS = "public_id AS id, name, query, confidence_threshold, status"


class DetectorStore:
    """Detectors in Postgres, found by ``det_…`` or by the id they had before the cut-over."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, new: NewDetector, detector_id: str) -> Row:
        """Insert ``new`` under its ``det_…`` id, or return the one that is there; the database makes the old id."""
        await self._one(
            """
            INSERT INTO detectors (public_id, name, query, confidence_threshold)
            VALUES (%(id)s, %(name)s, %(query)s, %(confidence_threshold)s)
            ON CONFLICT (public_id) DO NOTHING
            RETURNING public_id
            """,
            {"id": detector_id, **new.model_dump()},
        )
        made = await self.find(detector_id)
        assert made is not None
        return made

    async def newest(self, limit: int) -> list[Row]:
        """Return up to ``limit`` detectors, newest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"SELECT {_COLUMNS} FROM detectors ORDER BY created_at DESC, public_id LIMIT %s",  # noqa: S608
                (limit,),
            )
            return await cursor.fetchall()

    async def find(self, detector_id: str) -> Row | None:
        """Return the detector with this ``det_…`` or legacy id, or None."""
        condition = _match(detector_id)
        return await self._one(
            f"SELECT {_COLUMNS} FROM detectors WHERE {condition}",  # noqa: S608
            {"id": detector_id},
        )

    async def change(self, detector_id: str, change: DetectorChange) -> Row | None:
        """Apply what ``change`` gives and return the detector, or None when there is none."""
        condition = _match(detector_id)
        return await self._one(
            f"""
            UPDATE detectors SET
                name = coalesce(%(name)s, name),
                query = coalesce(%(query)s, query),
                confidence_threshold = coalesce(%(confidence_threshold)s, confidence_threshold),
                status = coalesce(%(status)s, status)
            WHERE {condition}
            RETURNING {_COLUMNS}
            """,  # noqa: S608
            {"id": detector_id, **change.model_dump()},
        )

    async def _one(self, statement: str, values: dict[str, Any]) -> Row | None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchone()


def _match(detector_id: str) -> str:
    # The old id's column is UUID or TEXT, by the age of the installation; old clients write it in either case.
    return "public_id = %(id)s" if detector_id.startswith("det_") else "lower(id::text) = lower(%(id)s)"


def found(detector: Row | None, detector_id: str) -> Row:
    """Return ``detector``, or answer 404 when there is none."""
    if detector is None:
        raise HTTPException(404, f"detector not found: {detector_id}")
    return detector


routes = APIRouter(prefix="/v1/detectors", tags=["detectors"])


def _store(request: Request) -> DetectorStore:
    store: DetectorStore = request.app.state.detectors
    return store


@routes.post("", status_code=201, response_model=Detector)
async def create_detector(
    new: NewDetector,
    request: Request,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Row:
    """Make a detector; it is active at once. Repeating a request with the same ``Idempotency-Key`` never makes two."""
    detector = await _store(request).create(new, new_detector_id(idempotency_key))
    log.info("detector.created", detector_id=detector["id"])
    return detector


@routes.get("", response_model=list[Detector])
async def list_detectors(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Row]:
    """List detectors, newest first."""
    return await _store(request).newest(limit)


@routes.get("/{detector_id}", response_model=Detector)
async def get_detector(detector_id: str, request: Request) -> Row:
    """Return one detector by its ``det_…`` id or, during the cut-over, by its old UUID."""
    return found(await _store(request).find(detector_id), detector_id)


@routes.patch("/{detector_id}", response_model=Detector)
async def change_detector(detector_id: str, change: DetectorChange, request: Request) -> Row:
    """Rename a detector, ask differently, move its threshold, disable it or take it up again."""
    detector = found(await _store(request).change(detector_id, change), detector_id)
    log.info("detector.changed", detector_id=detector["id"], status=detector["status"])
    return detector
