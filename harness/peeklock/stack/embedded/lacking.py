"""What a file names that plain processes cannot have here."""

from __future__ import annotations

from peeklock.scenario.postgres import Postgres
from peeklock.scenario.topology import Stack
from peeklock.stack.embedded.installed_postgres import installed, package_of, postgres
from peeklock.stack.errors import StackError
from peeklock.stack.servers.given_postgres import url_of


def lacking(wanted: Stack) -> str:
    """Return it in a sentence that says what to install; empty when everything can be had."""
    reasons = [_postgres(wanted.postgres) if wanted.postgres is not None else ""]
    image = wanted.blobs.image if wanted.blobs is not None else None
    if image is not None and "azurite" not in image:
        reasons.append(f"{image} is not Azurite, which is what stands for blobs here; --backend containers runs it")
    return "; ".join(filter(None, reasons))


def url_lacking(named: str) -> str:
    """Return why the URL of a server elsewhere is not known; empty when it is."""
    try:
        url_of(named)
    except StackError as error:
        return f"{error.problem}: {error.fix}"
    return ""


def _postgres(wanted: Postgres) -> str:
    if wanted.url is not None:
        return url_lacking(wanted.url)
    if wanted.image is not None and wanted.major is None:
        return f"{wanted.image} does not tell its version of Postgres: say `version` beside it, or --backend containers"
    return extensions_lacking(wanted)


def extensions_lacking(wanted: Postgres) -> str:
    """Return which extensions the Postgres that is installed here cannot create; empty when it can."""
    try:
        found = postgres(wanted.major)
    except StackError as error:
        return f"{error.problem}: {error.fix}"
    missing = found.lacking(wanted.extensions)
    if not missing:
        return ""
    others = [each for each in installed() if not each.lacking(wanted.extensions)]
    if others and wanted.major is None:
        return f"{found} has no extension {', '.join(missing)}; {others[0]} has: say `version: {others[0].major}`"
    # Packages are for what a distribution has installed, not for the wheel.
    there = next((each for each in reversed(installed()) if wanted.major in (None, each.major)), found)
    packages = " ".join(dict.fromkeys(package_of(name, there.major) for name in there.lacking(wanted.extensions)))
    also = f" and say `version: {there.major}`" if there.major != found.major else ""
    return f"{found} has no extension {', '.join(missing)}: apt-get install {packages}{also}"
