"""`blob: {put: "images/a.jpg", file: …, sas: {…}}` — put, get, look at, list, delete and sign blobs."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.environments import connection_facts
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.durations import Duration
from peeklock.scenario.topology import FilePath, Model
from peeklock.scenario.values import is_template
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

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
    """One action on `container/name`."""

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

    @model_validator(mode="after")
    def _one_action(self) -> BlobArguments:
        if sum(getattr(self, action) is not None for action in _ACTIONS) != 1:
            raise ValueError("say exactly one of " + ", ".join(_ACTIONS))
        contents = sum(value is not None for value in (self.file, self.text, self.json_, self.base64))
        if self.put is not None and contents != 1:
            raise ValueError("put needs exactly one of file, text, json or base64")
        return self

    @property
    def action(self) -> str:
        """Which of the actions it is."""
        return next(action for action in _ACTIONS if getattr(self, action) is not None)


def run(arguments: BlobArguments, context: CaseContext) -> Found:
    """Do the action; what it returns is told in the reference of the verb."""
    action = arguments.action
    target = str(getattr(arguments, action))
    container, _, name = target.partition("/")
    if action == "list":
        return Found(_list(context, container, name))
    if not name:
        raise VerbFailed(f"{target!r} names no blob: write container/name", path=(action,))
    from azure.core.exceptions import AzureError, HttpResponseError

    blob = context.clients.blobs.get_blob_client(container, name)
    try:
        found = _do(action, arguments, blob)
    except HttpResponseError as error:
        if action in ("get", "head") and error.status_code == 404:
            return Found({"exists": False})
        raise VerbFailed(
            f"{action} {target}: {error.status_code} {getattr(error, 'error_code', '') or error.reason}"
        ) from None
    except AzureError as error:
        raise VerbFailed(f"{action} {target}: {type(error).__name__}: no answer from the blob service") from None
    if arguments.sas is not None or action == "sign":
        url = signed_url(context, container, name, arguments.sas or Sas())
        found |= {"sas_url": url}
        context.secrets |= {url, url.split("sig=")[-1].split("&")[0]}
    context.note("blobs", f"{action} {target}")
    return Found(found | {"url": _url(context, container, name)})


def _do(action: str, arguments: BlobArguments, blob: BlobClient) -> dict[str, Any]:
    from azure.storage.blob import ContentSettings

    if action == "put":
        body = _body(arguments)
        settings = ContentSettings(content_type=arguments.content_type) if arguments.content_type else None
        blob.upload_blob(body, overwrite=True, content_settings=settings, metadata=arguments.metadata or None)
        return {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    if action == "delete":
        blob.delete_blob()
        return {}
    if action == "sign":
        return {}
    properties = blob.get_blob_properties()
    facts: dict[str, Any] = {
        "exists": True,
        "size": properties.size,
        "content_type": properties.content_settings.content_type,
        "metadata": dict(properties.metadata or {}),
    }
    if action == "head":
        return facts
    body = blob.download_blob().readall()
    facts["sha256"] = hashlib.sha256(body).hexdigest()
    try:
        text = body.decode("utf-8")
        facts["text"] = text
        facts["json"] = json.loads(text)
    except ValueError:
        pass
    return facts


def _body(arguments: BlobArguments) -> bytes:
    if arguments.file is not None:
        return arguments.file.read_bytes()
    if arguments.base64 is not None:
        try:
            return b64decode(arguments.base64, validate=True)
        except ValueError as error:
            raise VerbFailed(f"base64: {error}", path=("base64",)) from None
    return arguments.text.encode() if arguments.text is not None else json.dumps(arguments.json_).encode()


def _list(context: CaseContext, container: str, prefix: str) -> dict[str, Any]:
    client = context.clients.blobs.get_container_client(container)
    names = [{"name": blob.name, "size": blob.size} for blob in client.list_blobs(name_starts_with=prefix or None)]
    return {"count": len(names), "blobs": names}


def signed_url(context: CaseContext, container: str, name: str, sas: Sas) -> str:
    """Return the URL of a blob with a signature by the account's key."""
    from azure.storage.blob import (
        BlobSasPermissions,
        ContainerSasPermissions,
        generate_blob_sas,
        generate_container_sas,
    )

    facts = connection_facts(context.environment.endpoints.blobs_connection_string or "")
    now = context.environment.clock.now()
    common: dict[str, Any] = {
        "account_name": facts["AccountName"],
        "account_key": facts["AccountKey"],
        "container_name": container,
        "expiry": now + timedelta(seconds=sas.expires_in),
        "start": now + timedelta(seconds=sas.starts_in) if sas.starts_in is not None else None,
        "protocol": "https" if sas.https_only else None,
    }
    if sas.scope == "container":
        token = generate_container_sas(permission=ContainerSasPermissions.from_string(sas.permissions), **common)
    else:
        signed = (sas.blob or f"{container}/{name}").removeprefix(f"{container}/")
        token = generate_blob_sas(
            blob_name=signed, permission=BlobSasPermissions.from_string(sas.permissions), **common
        )
    if sas.break_signature:
        head, _, signature = token.partition("sig=")
        token = f"{head}sig={'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    return f"{_url(context, container, name)}?{token}"


def _url(context: CaseContext, container: str, name: str) -> str:
    """Return a blob's URL as services see it; the test's own client may go another way, past the faults."""
    url: str = context.clients.blobs.get_blob_client(container, name).url
    own = connection_facts(context.environment.endpoints.blobs_connection_string or "").get("BlobEndpoint", "")
    seen = connection_facts(context.environment.seen.blobs_connection_string or "").get("BlobEndpoint", "")
    return seen + url.removeprefix(own)


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    containers = facts.stack.blobs.containers if facts.stack.blobs else []
    complaints: list[Complaint] = []
    for action in _ACTIONS:
        target = raw.get(action)
        if isinstance(target, str) and not is_template(target.split("/")[0]):
            complaints += undeclared("container", target.split("/")[0], containers, (action,))
    return complaints


VERB = Verb(
    "blob",
    BlobArguments,
    "put, get, look at, list, delete or sign a blob",
    observes=lambda raw: isinstance(raw, dict) and any(action in raw for action in ("get", "head", "list")),
    check=_check,
    run=run,
    loads=("azure.storage.blob",),
)
