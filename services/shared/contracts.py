"""Message contracts: JSON Schema files, loaded once, whose violations name the failing field and never its value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field; safe to log, since a value (a SAS URL, say) is never quoted."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class ContractViolationError(Exception):
    """A document does not keep its contract."""

    def __init__(self, contract: str, violations: list[Violation]) -> None:
        self.contract = contract
        self.violations = violations
        super().__init__(f"{contract}: {'; '.join(str(violation) for violation in violations)}")


class Contract:
    """One JSON Schema (2020-12) file.

    ``name`` is the file's stem. :meth:`parse` reads a message body; :meth:`check` takes a document. Both raise
    :class:`ContractViolationError`, which lists every failing field.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        self.schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self._validator = Draft202012Validator(self.schema, format_checker=FormatChecker())

    def parse(self, body: bytes) -> dict[str, Any]:
        """Return the document in ``body`` (UTF-8 JSON)."""
        try:
            document = json.loads(body)
        except UnicodeDecodeError:
            raise ContractViolationError(self.name, [Violation("body", "is not UTF-8")]) from None
        except json.JSONDecodeError as error:
            problem = f"is not JSON (line {error.lineno}, column {error.colno})" if body else "is empty"
            raise ContractViolationError(self.name, [Violation("body", problem)]) from None
        except RecursionError:
            raise ContractViolationError(self.name, [Violation("body", "is nested too deeply")]) from None
        return self.check(document)

    def check(self, document: Any) -> dict[str, Any]:
        """Return ``document`` unchanged when it keeps the contract."""
        errors = sorted(self._validator.iter_errors(document), key=lambda error: [str(part) for part in error.path])
        violations = [violation for error in errors for violation in _violations(error)]
        if violations:
            raise ContractViolationError(self.name, list(dict.fromkeys(violations)))
        checked: dict[str, Any] = document
        return checked


def _violations(error: ValidationError) -> Iterator[Violation]:
    field = ".".join(str(part) for part in error.absolute_path) or "body"
    keyword, limit = error.validator, error.validator_value
    if keyword == "required":
        for name in limit:
            if name not in error.instance:
                yield Violation(name if field == "body" else f"{field}.{name}", "is required")
    elif keyword == "additionalProperties":
        for name in sorted(set(error.instance) - set(error.schema.get("properties", {}))):
            yield Violation(name if field == "body" else f"{field}.{name}", "is not part of the contract")
    elif keyword in ("if", "then", "else", "allOf", "anyOf", "oneOf") and error.context:
        closest = best_match(error.context)
        if closest is not None:
            yield from _violations(closest)
    else:
        yield Violation(field, _problem(keyword, limit, error))


def _problem(keyword: str, limit: Any, error: ValidationError) -> str:
    match keyword:
        case "type":
            expected = " or ".join(limit) if isinstance(limit, list) else limit
            return f"must be {expected}, not {_type_of(error.instance)}"
        case "const":
            return f"must be {json.dumps(limit)}"
        case "enum":
            return f"must be one of {', '.join(json.dumps(item) for item in limit)}"
        case "pattern" | "not":
            return str(
                error.schema.get("description", f"must match {limit}" if keyword == "pattern" else "not allowed")
            )
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "minLength" | "maxLength" | "format":
            return f"breaks {keyword} {limit}"
        case _:
            return f"breaks {keyword}"


def _type_of(value: Any) -> str:
    names = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
