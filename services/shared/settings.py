"""Settings come from environment variables only; a service that lacks one says so in one line and stops."""

from __future__ import annotations

import os
import sys
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

# sysexits.h EX_CONFIG: tells an orchestrator that restarting will not help.
EXIT_MISCONFIGURED = 78


class ProcessSettings(BaseModel):
    """What every service reads. A subclass adds its own; a field's name in capitals is its variable."""

    model_config = ConfigDict(frozen=True)

    log_level: str = Field("INFO", pattern="(?i)^(debug|info|warning|error|critical)$")


class ServerSettings(ProcessSettings):
    """What a service that answers HTTP reads. ``python -m`` goes by ``host`` and ``port``; under uvicorn its own flags decide."""

    shutdown_grace_seconds: float = Field(10.0, ge=0)
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)


class ServiceSettings(ProcessSettings):
    """What every service on a queue reads."""

    azure_servicebus_connection_string: SecretStr


class ConsumerSettings(ProcessSettings):
    """What a worker reads: how patient it is with what it cannot do now, and with itself when it is to stop."""

    abandon_delay_seconds: float = Field(
        2.0, ge=0, description="Before a message is abandoned for the first time; twice as long each further, up to 5."
    )
    shutdown_grace_seconds: float = Field(10.0, ge=0)


class MisconfiguredError(Exception):
    """Settings are missing or invalid; the message names every one of them and shows no value."""

    def __init__(self, service: str, missing: list[str], invalid: list[str]) -> None:
        parts = []
        if missing:
            parts.append(f"missing environment variables: {', '.join(missing)}")
        if invalid:
            parts.append(f"invalid environment variables: {', '.join(invalid)}")
        super().__init__(f"{service} cannot start: {'; '.join(parts)}")
        self.missing = missing
        self.invalid = invalid


S = TypeVar("S", bound=ProcessSettings)


def read_settings(kind: type[S], service: str) -> S:
    """Read ``kind`` from the environment; raise :class:`MisconfiguredError` that names all that is wrong.

    A variable that is empty counts as one that is not there.
    """
    given = {name: value for name in kind.model_fields if (value := os.environ.get(name.upper()))}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        missing, invalid = [], []
        for problem in error.errors(include_input=False, include_url=False):
            name = str(problem["loc"][0]).upper() if problem["loc"] else "settings"
            if problem["type"] == "missing":
                missing.append(name)
            else:
                invalid.append(f"{name} ({problem['msg']})")
        raise MisconfiguredError(service, missing, invalid) from None


def settings_or_exit(kind: type[S], service: str) -> S:
    """Read ``kind`` from the environment, or write one line to stderr and exit with status 78."""
    try:
        return read_settings(kind, service)
    except MisconfiguredError as error:
        exit_misconfigured(str(error))


def exit_misconfigured(message: str) -> NoReturn:
    """Write ``message`` as one line to stderr and exit with status 78 (EX_CONFIG)."""
    print(message, file=sys.stderr, flush=True)
    sys.exit(EXIT_MISCONFIGURED)
