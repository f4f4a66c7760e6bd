"""Checks that services that name their dependencies as in production can be led to those of their environment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from peeklock.scenario.errors import Problem
from peeklock.scenario.model import Scenario

_PYTHON = re.compile(r"python[0-9.]*(\.exe)?")
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")


def check_production_names(scenario: Scenario) -> list[Problem]:
    """Return a problem for each service that is told a production name by an interpreter that ignores its environment."""
    stack = scenario.header.stack
    hosts = {each.host for each in stack.http.values()}
    names = {name if name in hosts else name.partition(".")[0]: name for name in stack.production_names}
    problems = []
    for service, facts in scenario.header.services.items():
        option = _isolating(facts.run or ())
        told = " ".join(value for value in facts.env.values() if isinstance(value, str))
        found = next((full for short, full in names.items() if re.search(rf"\b{re.escape(short)}\b", told)), None)
        if option is not None and found is not None:
            problems.append(
                scenario.document.problem(
                    ("services", service, "run"),
                    f"{found} does not lead {service} anywhere: python {option} ignores the variables that lead there",
                    fix=f"leave {option} away, or give the service a connection string as ${{blobs.connection_string}}",
                )
            )
    return problems


def _isolating(run: Sequence[str]) -> str | None:
    """Return the option by which a command's Python ignores its environment."""
    if not run or not _PYTHON.fullmatch(PurePath(run[0]).name):
        return None
    options = iter(run[1:])
    for option in options:
        if not option.startswith("-") or option[:2] in ("-c", "-m", "--") or option == "-":
            return None
        if option in _WITH_VALUE:
            next(options, None)
        elif re.search("[IE]", option) and option[:2] not in ("-W", "-X"):
            return option
    return None
