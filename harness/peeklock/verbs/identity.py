"""`identity: {of: worker, revoke: ROLE}` — the roles of a managed identity, and changes to them within a case."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.errors import PeeklockError
from peeklock.scenario.fields import Model
from peeklock.scenario.identities import assignment_complaint
from peeklock.scenario.roles import part_of
from peeklock.scenario.topology import Assignment
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared


class IdentityArguments(Model):
    """Whose roles, and what becomes of one."""

    of: str = Field(description="an identity of `stack.identities`")
    grant: str | None = Field(None, description="a role, in full")
    revoke: str | None = Field(None, description="a role that it has")
    on: str | None = Field(
        None, description="an entity or container; absent: `grant` on the whole resource, `revoke` wherever it is"
    )

    @model_validator(mode="after")
    def _one(self) -> IdentityArguments:
        if self.grant is not None and self.revoke is not None:
            raise ValueError("say grant or revoke, not both: write two steps")
        if self.on is not None and self.grant is None and self.revoke is None:
            raise ValueError("`on` belongs to grant or revoke")
        return self


def run(arguments: IdentityArguments, context: CaseContext) -> Found:
    """Return `{roles: [{role, on}]}`, those that it has now."""
    identities = context.environment.identities
    assert identities is not None
    name, on = arguments.of, arguments.on or ""
    try:
        if arguments.grant is not None:
            identities.grant(name, arguments.grant, on)
            context.note("identity", f"{name} was given {arguments.grant}{_on(on)}")
        elif arguments.revoke is not None:
            has = identities.roles(name)
            if not identities.revoke(name, arguments.revoke, on):
                shown = ", ".join(each["role"] + _on(each.get("on", "")) for each in has) or "none"
                raise VerbFailed(
                    f"{name} has no role {arguments.revoke}{_on(on)} that could be taken away; it has: {shown}",
                    path=("revoke",),
                )
            context.note("identity", f"{name} has lost {arguments.revoke}{_on(on)}")
    except VerbFailed:
        raise
    except PeeklockError as error:
        raise VerbFailed(str(error)) from None
    return Found({"roles": identities.roles(name)})


def _on(entity: str) -> str:
    return f" on {entity}" if entity else ""


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    found = undeclared("identity", raw.get("of"), facts.stack.identities, ("of",))
    for key in ("grant", "revoke"):
        role, on = raw.get(key), raw.get("on")
        if not isinstance(role, str) or role.startswith("$"):
            continue
        known = part_of(role) is not None
        on = on if isinstance(on, str) and not on.startswith("$") and known else None
        wrong = assignment_complaint(Assignment(role=role, on=on), facts.stack)
        if wrong is not None:
            at, text, expected, fix = wrong
            found.append(Complaint((key if at == "role" else "on",), text, expected, fix))
    return found


VERB = Verb(
    "identity",
    IdentityArguments,
    "the roles of a managed identity, and changes to them",
    observes=lambda raw: "grant" not in raw and "revoke" not in raw,
    shorthand=lambda raw: {"of": raw} if isinstance(raw, str) else raw,
    check=_check,
    run=run,
)
