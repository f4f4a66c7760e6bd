"""`blob: {put: "images/a.jpg", file: …, sas: {…}}` — put, get, look at, list, delete and sign blobs, also as the holder of a SAS URL."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from datetime import timedelta
from typing import Any

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.sas_holder import NoAnswer, SasHolder, SasUrlInvalid
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import FilePath, Model
from peeklock.scenario.values import is_template
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared

_ACTIONS = ("put", "get", "head", "list", "delete", "sign")


class Sas(Model):
    """A shared access signature, for one blob unless `scope: container` is said."""

    permissions: str = Field(
        "r", pattern="^[racwdlt]+$", description="letters: r read, w write, c create, d delete, l list …"
    )
    expires_in: Duration = 3600.0
    starts_in: Duration | None = Field(None, description="may be negative; absent: at once")
    scope: str = Field("blob", pattern="^(blob|container)$")
    https_only: bool = False
    break_signature: bool = Field(False, description="a signature that does not fit")
    blob: str | None = Field(None, description="sign for this blob instead, so that the URL does not fit its signature")


class BlobArguments(Model):
    """One action on `container/name`, by the account's key; or on a SAS URL, by nothing but that."""

    put: str | None = None
    get: str | None = None
    head: str | None = None
    list: str | None = Field(None, description="`container` or `container/prefix`")
    delete: str | None = None
    sign: str | None = Field(None, description="make a URL for a blob, which need not exist")
    file: FilePath | None = None
    text: str | None = None
    json_: Any = Field(None, alias="json")
    base64: str | None = None
    content_type: str | None = None
    metadata: dict[str, str] = {}
    sas: Sas | None = None
    as_: str | None = Field(None, alias="as", description="a SAS URL: act on `container/name` with its SAS alone")

    @model_validator(mode="after")
    def _one_action(self) -> BlobArguments:
        if sum(getattr(self, action) is not None for action in _ACTIONS) != 1:
            raise ValueError("say exactly one of " + ", ".join(_ACTIONS))
        contents = sum(value is not None for value in (self.file, self.text, self.json_, self.base64))
        if self.put is not None and contents != 1:
            raise ValueError("put needs exactly one of file, text, json or base64")
        if self.as_ is not None and _is_url(str(getattr(self, self.action))):
            raise ValueError(f"say container/name beside as, or {self.action} the URL itself")
        if self.held is not None and (self.sas is not None or self.sign is not None):
            raise ValueError("who holds a SAS has no key to sign with: leave sas or sign out")
        return self

    @property
    def action(self) -> str:
        """Which of the actions it is."""
        return next(action for action in _ACTIONS if getattr(self, action) is not None)

    @property
    def held(self) -> str | None:
        """The SAS URL by which it is done; None: by the account's key."""
        target = str(getattr(self, self.action))
        return target if _is_url(target) else self.as_


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def run(arguments: BlobArguments, context: CaseContext) -> Found:
    """Do the action; what it returns is told in the reference of the verb."""
    action = arguments.action
    target = str(getattr(arguments, action))
    if arguments.held is not None:
        return _held(arguments, arguments.held, context)
    container, _, name = target.partition("/")
    account, seconds = context.clients.blobs, context.deadline.left
    if action == "list":
        blobs = account.list(container, name, seconds)
        return Found({"count": len(blobs), "blobs": blobs})
    if not name:
        raise VerbFailed(f"{target!r} names no blob: write container/name", path=(action,))
    found: dict[str, Any] = {}
    if action in ("get", "head"):
        found = account.get(container, name, seconds) if action == "get" else account.head(container, name, seconds)
        if not found["exists"]:
            return Found(found)
    elif action == "put":
        body = _body(arguments)
        account.put(container, name, body, arguments.content_type, arguments.metadata, seconds)
        found = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    elif action == "delete":
        account.delete(container, name, seconds)
    url = account.url(container, name)
    if arguments.sas is not None or action == "sign":
        token = _token(arguments.sas or Sas(), container, name, context)
        found["sas_url"] = f"{url}?{token}"
        context.secrets |= {found["sas_url"], token.split("sig=")[-1].split("&")[0]}
    context.note("blobs", f"{action} {target}")
    return Found(found | {"url": url})


def _held(arguments: BlobArguments, url: str, context: CaseContext) -> Found:
    """Do the action with a SAS alone; of a refusal return `{status, error, message}`."""
    action, seconds = arguments.action, context.deadline.left
    try:
        holder = SasHolder(url, context.clients)
    except SasUrlInvalid as error:
        raise VerbFailed(str(error), path=("as" if arguments.as_ else action,)) from None
    context.secrets |= holder.secrets
    container, name = holder.container, "" if action == "list" else holder.blob
    if arguments.as_ is not None:
        container, _, name = str(getattr(arguments, action)).partition("/")
    if not container or not (name or action == "list"):
        raise VerbFailed("this names no blob: write container/name", path=(action,))
    try:
        match action:
            case "put":
                metadata = arguments.metadata
                answer = holder.put(container, name, _body(arguments), arguments.content_type, metadata, seconds)
            case "get":
                answer = holder.get(container, name, seconds)
            case "head":
                answer = holder.head(container, name, seconds)
            case "list":
                answer = holder.list(container, name, seconds)
            case _:
                answer = holder.delete(container, name, seconds)
    except NoAnswer as error:
        raise VerbFailed(str(error)) from None
    what = f"{action} {container}/{name}".rstrip("/") + " with a SAS"
    told = f"{what}: {answer.outcome}"
    context.note(
        "blobs", f"{what} ({f'sp={holder.permissions}' if holder.permissions else 'by a policy'}): {answer.outcome}"
    )
    return Found(dict(answer.facts), refused=told if answer.refused else "")


def _body(arguments: BlobArguments) -> bytes:
    if arguments.file is not None:
        return arguments.file.read_bytes()
    if arguments.base64 is not None:
        try:
            return b64decode(arguments.base64, validate=True)
        except ValueError as error:
            raise VerbFailed(f"base64: {error}", path=("base64",)) from None
    return arguments.text.encode() if arguments.text is not None else json.dumps(arguments.json_).encode()


def _token(sas: Sas, container: str, name: str, context: CaseContext) -> str:
    now = context.environment.clock.now()
    starts = now + timedelta(seconds=sas.starts_in) if sas.starts_in is not None else None
    expires = now + timedelta(seconds=sas.expires_in)
    blob = None if sas.scope == "container" else (sas.blob or f"{container}/{name}").removeprefix(f"{container}/")
    token = context.clients.blobs.sign(container, blob, sas.permissions, starts, expires, https_only=sas.https_only)
    if sas.break_signature:
        head, _, signed = token.partition("sig=")
        token = f"{head}sig={'B' if signed[0] == 'A' else 'A'}{signed[1:]}"
    return token


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    containers = facts.stack.blobs.containers if facts.stack.blobs else []
    complaints: list[Complaint] = []
    for action in _ACTIONS:
        target = raw.get(action)
        if isinstance(target, str) and not is_template(target.split("/")[0]) and not _is_url(target):
            complaints += undeclared("container", target.split("/")[0], containers, (action,))
    return complaints


VERB = Verb(
    "blob",
    BlobArguments,
    "put, get, look at, list, delete or sign a blob",
    observes=lambda raw: isinstance(raw, dict) and any(action in raw for action in ("get", "head", "list")),
    check=_check,
    run=run,
    loads=("peeklock.engine.blob_account",),
)
