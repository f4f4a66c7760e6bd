"""What Sitefit's parts have agreed on: a folder of JSON Schemas by definition and version, and the message on the queue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from services.shared.contracts import Contract

FOLDER = Path(__file__).parent
JOB_MESSAGE = Contract(FOLDER / "messages" / "job.schema.json")

# They become parts of a path.
_DEFINITION = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}")


class ContractNotFoundError(Exception):
    """There is no such definition, or not this version of it."""

    def __init__(self, definition: str, version: str) -> None:
        super().__init__(f"Contract not found: {definition}@{version}")


@dataclass(frozen=True, slots=True)
class DefinitionContract:
    """What goes into one version of a definition, and what comes out of it."""

    inputs: Contract
    outputs: Contract


class ContractDirectory:
    """The contracts under ``folder``: ``<definition>/<version>/{inputs,outputs}.schema.json``, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[tuple[str, str], DefinitionContract] = {}

    def get(self, definition: str, version: str) -> DefinitionContract:
        """Return the contract; raise :class:`ContractNotFoundError` when there is none."""
        key = (definition, version)
        if key not in self._read:
            place = self.folder / definition / version
            named = _DEFINITION.fullmatch(definition) and _VERSION.fullmatch(version)
            if not named or not (place / "inputs.schema.json").is_file():
                raise ContractNotFoundError(definition, version)
            self._read[key] = DefinitionContract(
                Contract(place / "inputs.schema.json"), Contract(place / "outputs.schema.json")
            )
        return self._read[key]

    def names(self) -> list[str]:
        """Return every ``definition@version`` that is there."""
        return sorted(
            f"{path.parent.parent.name}@{path.parent.name}" for path in self.folder.glob("*/*/inputs.schema.json")
        )
