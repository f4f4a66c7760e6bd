"""Which servers scenario files name, where the usual ones will not do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from peeklock.scenario.topology import Stack


@dataclass(frozen=True, slots=True)
class WantedServers:
    """Files that name the same servers share them. False where a file names none."""

    postgres_version: int | None = None
    postgres_image: str = ""
    postgres_settings: tuple[str, ...] = ()
    """As `name=value`."""
    blobs_image: str = ""
    postgres_url: str = ""
    """Without a password, or the name of the variable that has it."""

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """Return what a file names."""
        postgres, blobs = stack.postgres, stack.blobs
        image = "" if blobs is None else blobs.image or ""
        if postgres is None:
            return cls(blobs_image=image)
        settings = tuple(f"{name}={_text(value)}" for name, value in sorted(postgres.settings.items()))
        return cls(postgres.major, postgres.image or "", settings, image, postgres.url or "")

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return what `state` told."""
        return cls(**{**state, "postgres_settings": tuple(state["postgres_settings"])})

    @property
    def state(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def __bool__(self) -> bool:
        return self != USUAL


USUAL = WantedServers()
"""Those of files that name none."""


def _text(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
