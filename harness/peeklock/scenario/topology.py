"""What a scenario stands on: the `stack` key of a scenario file."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import FilePath, FunctionName, Model
from peeklock.scenario.http_standins import HttpName, HttpStandIn
from peeklock.scenario.postgres import ImageName, Postgres
from peeklock.scenario.telemetry import TelemetryWanted
from peeklock.servicebus.entity_settings import SETTINGS


def _container(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"\$root|\$web|\$logs|(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*", value):
        raise ValueError(
            f"not a container's name: {value!r} (3 to 63 lower-case letters, digits and single hyphens between them)"
        )
    return value


ContainerName = Annotated[str, BeforeValidator(_container, json_schema_input_type=str)]
"""As Azure allows it: the blob service refuses others."""


def _account(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[a-z0-9]{3,24}", value):
        raise ValueError(
            f"not a storage account's name: {value!r} (3 to 24 lower-case letters and digits; without .blob.core.windows.net)"
        )
    return value


AccountName = Annotated[str, BeforeValidator(_account, json_schema_input_type=str)]
"""As Azure allows it."""


class Blobs(Model):
    """A storage account of its own for each scenario file."""

    name: AccountName | None = Field(
        None, description="its name in production: for services, NAME.blob.core.windows.net leads here, over TLS"
    )
    containers: list[ContainerName] = Field([], description="containers that exist, empty, when a case begins")
    image: ImageName | None = Field(
        None, description="another Azurite: mcr.microsoft.com/azure-storage/azurite:3.35.0; a process is Azurite anyway"
    )


class Effect(Model):
    """What a message is to bring about, once: what `nothing_lost` and `nothing_doubled` look for."""

    id: str = Field("message_id", description="where a message has its id, as in body.order_id")
    queue: str | None = Field(None, description="a message in this queue that has the same id in the same place")
    query: str | None = Field(None, description="SQL whose first column is the ids of what was done")

    @model_validator(mode="after")
    def _one(self) -> Effect:
        if (self.queue is None) == (self.query is None):
            raise ValueError("say exactly one of queue or query")
        return self


def _setting(name: str, description: str | None = None) -> Any:
    """Return the field of a setting that the Service Bus has: its default and its limits."""
    setting = SETTINGS[name]
    limits: dict[str, Any] = {}
    if setting.unit == "count":
        limits = {"ge": int(setting.least)}
    elif setting.unit == "seconds":
        limits = {"gt": 0, "le": setting.administered or setting.most}
    return Field(setting.default, description=description, **limits)


class Receivable(Model):
    """What messages are received from; what is not written has Azure's default."""

    max_delivery_count: int = _setting("max_delivery_count")
    lock_duration: Duration = _setting("lock_duration")
    default_time_to_live: Duration | None = _setting("default_time_to_live")
    dead_lettering_on_expiration: bool = _setting("dead_lettering_on_expiration")
    requires_session: bool = _setting("requires_session")
    forward_to: str | None = _setting("forward_to", "a queue or topic that every message goes on to")
    forward_dead_lettered_messages_to: str | None = _setting("forward_dead_lettered_messages_to")
    consumers: list[str] | None = Field(
        None, description="the services that may receive from it; absent: not checked; []: only the test reads it"
    )
    message_schema: FilePath | None = Field(
        None, alias="schema", description="JSON Schema that `contracts_hold` holds every message body to"
    )
    effect: Effect | None = Field(None, description="what `nothing_lost` and `nothing_doubled` expect of each message")


class Queue(Receivable):
    """A queue."""

    duplicate_detection_window: Duration | None = _setting(
        "duplicate_detection_window", "absent: no duplicate detection"
    )


class Rule(Model):
    """A rule of a subscription: one filter, and perhaps an action."""

    sql: str | None = Field(None, description="an SQL filter, as in: quantity > 5 AND sys.Label LIKE 'a%'")
    correlation: dict[str, Any] | None = Field(
        None,
        description="equality: correlation_id, subject, to, reply_to, session_id, content_type, message_id, properties",
    )
    action: str | None = Field(None, description="SQL: SET and REMOVE")

    @model_validator(mode="after")
    def _one(self) -> Rule:
        if (self.sql is None) == (self.correlation is None):
            raise ValueError("say exactly one of sql or correlation; or write true or false instead of a mapping")
        return self


class Subscription(Receivable):
    """A subscription of a topic."""

    rules: dict[str, Rule | bool] | None = Field(None, description="absent: every message; a rule may be true or false")


class Topic(Model):
    """A topic."""

    duplicate_detection_window: Duration | None = _setting(
        "duplicate_detection_window", "absent: no duplicate detection"
    )
    default_time_to_live: Duration | None = _setting("default_time_to_live")
    subscriptions: dict[str, Subscription] = {}

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return _filled(data, "subscriptions")


class AccessRule(Model):
    """A shared access rule; its key is made anew for each run and is never written anywhere."""

    rights: list[Literal["Send", "Listen", "Manage"]] = Field(min_length=1)
    queue: str | None = Field(None, description="absent: the rule holds for the whole namespace")


def _namespace(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"(?=.{6,50}$)[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]", value):
        raise ValueError(
            f"not a namespace's name: {value!r} (6 to 50 letters, digits and hyphens; a letter first, no hyphen last; "
            "without .servicebus.windows.net)"
        )
    return value


NamespaceName = Annotated[str, BeforeValidator(_namespace, json_schema_input_type=str)]
"""As Azure allows it."""


class ServiceBus(Model):
    """A Service Bus namespace of its own for each scenario file."""

    name: NamespaceName | None = Field(
        None, description="its name in production: for services, NAME.servicebus.windows.net leads here, over TLS"
    )
    config: FilePath | None = Field(
        None, description="a Config.json of the official emulator, whose queues and topics are here too"
    )
    queues: dict[str, Queue] = {}
    topics: dict[str, Topic] = {}
    access_rules: dict[str, AccessRule] = {}

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return _filled(_filled(data, "queues"), "topics")

    def receivable(self) -> dict[str, Receivable]:
        """Return everything that messages are received from, a subscription by its path `topic/Subscriptions/name`."""
        found: dict[str, Receivable] = dict(self.queues)
        for topic, facts in self.topics.items():
            found |= {f"{topic}/Subscriptions/{name}": each for name, each in facts.subscriptions.items()}
        return found


def _filled(data: Any, key: str) -> Any:
    """Let `queues: {jobs: }` mean a queue with every default."""
    if isinstance(data, dict) and isinstance(data.get(key), dict):
        return {**data, key: {name: {} if value is None else value for name, value in data[key].items()}}
    return data


class Answer(Model):
    """What a stand-in says: exactly one of the four."""

    text: str | None = None
    json_: Any = Field(None, alias="json")
    python: FunctionName | None = Field(
        None, description="`answers:look` is look(request) in answers.py beside the file; pictures are bytes there"
    )
    file: FilePath | None = Field(
        None, description="a text, or a .json file: the JSON to say, or a whole recorded answer with its `choices`"
    )

    @model_validator(mode="after")
    def _one(self) -> Answer:
        said = self.model_fields_set - {"when"}
        if len(said) != 1:
            words = [field.alias or name for name, field in type(self).model_fields.items() if name != "when"]
            raise ValueError(f"say exactly one of {', '.join(words)}")
        if self.file is not None and self.file.suffix == ".json" and self.file.is_file():
            try:
                json.loads(self.file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{self.file.name} is not JSON: {error}") from None
        return self


class AnswerRule(Answer):
    """An answer, and the requests that get it."""

    when: dict[str, Any] | None = Field(
        None, description="matchers for the request, as in `where` of `requests`; absent: every request"
    )
    sequence: list[Answer] | None = Field(
        None, min_length=1, description="the first request gets the first; after the last the rule answers no more"
    )


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Embeddings(Model):
    """Vectors that depend on the text alone."""

    dimensions: int = Field(1536, ge=1, le=8192)


class Deployment(Model):
    """A model under a name of one's own: it answers, or it embeds."""

    model: str | None = Field(None, description="what answers call the model; default: the deployment's name")
    answers: Annotated[
        list[AnswerRule], BeforeValidator(_listed, json_schema_input_type=AnswerRule | list[AnswerRule])
    ] = Field([], description="the first rule that fits answers; a request that none fits fails the case")
    embeddings: Embeddings | None = None

    @model_validator(mode="after")
    def _one(self) -> Deployment:
        if bool(self.answers) == (self.embeddings is not None):
            raise ValueError("say answers, at least one, or embeddings")
        return self


def _resource(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"(?=.{2,64}$)[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]", value):
        raise ValueError(
            f"not an Azure OpenAI resource's name: {value!r} (2 to 64 letters, digits and hyphens, none first or last; "
            "without .openai.azure.com)"
        )
    return value


ResourceName = Annotated[str, BeforeValidator(_resource, json_schema_input_type=str)]
"""As Azure allows it."""


_OPENAI_DOMAINS = ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com")


class OpenAI(Model):
    """A stand-in for an Azure OpenAI resource."""

    name: ResourceName | None = Field(
        None,
        description="its name in production: for services, NAME.openai.azure.com, NAME.cognitiveservices.azure.com and "
        "NAME.services.ai.azure.com lead here, over TLS",
    )
    deployments: dict[str, Deployment] = Field(min_length=1)


class Assignment(Model):
    """A role that an identity has."""

    role: str = Field(description="one of Azure's built-in roles, in full: Azure Service Bus Data Sender")
    on: str | None = Field(
        None, description="a queue, topic, subscription (topic/Subscriptions/name) or container; absent: all of them"
    )


def _assignment(value: Any) -> Any:
    return {"role": value} if isinstance(value, str) else value


RoleAssigned = Annotated[Assignment, BeforeValidator(_assignment, json_schema_input_type=str | Assignment)]
"""May be written as the role's name alone."""


def _identity_name(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", value):
        raise ValueError(f"not an identity's name: {value!r} (letters, digits, hyphens and underscores)")
    return value


IdentityName = Annotated[str, BeforeValidator(_identity_name, json_schema_input_type=str)]


DEPENDENCIES = ("postgres", "blobs", "servicebus")
"""The parts of a stack that are processes of their own."""


class Stack(Model):
    """The dependencies that a scenario file needs; what is absent is not started for it."""

    postgres: Postgres | None = None
    blobs: Blobs | None = None
    servicebus: ServiceBus | None = None
    openai: OpenAI | None = None
    http: dict[HttpName, HttpStandIn] = Field(
        {}, description="stand-ins for what speaks HTTP and is not the system's own"
    )
    identities: dict[IdentityName, list[RoleAssigned]] = Field(
        {}, description="managed identities, and the roles that each has; a service has the one of its own name"
    )
    telemetry: TelemetryWanted = Field(
        None, description="true: services export their spans, metrics and logs to a receiver of the file's own"
    )

    @property
    def production_names(self) -> dict[str, str]:
        """Return by production name the key of the stack to which it leads; `login` is the issuer of tokens."""
        found = {each.host: name for name, each in self.http.items() if each.host is not None}
        if self.servicebus is not None and self.servicebus.name is not None:
            found[f"{self.servicebus.name}.servicebus.windows.net"] = "servicebus"
        if self.blobs is not None and self.blobs.name is not None:
            found |= {f"{self.blobs.name}{copy}.blob.core.windows.net": "blobs" for copy in ("", "-secondary")}
        if self.openai is not None and self.openai.name is not None:
            found |= {f"{self.openai.name}.{domain}": "openai" for domain in _OPENAI_DOMAINS}
        if self.identities:
            found["login.microsoftonline.com"] = "login"
        return found

    @property
    def azure_ml(self) -> list[str] | None:
        """The HTTP stand-ins that are Azure ML endpoints; None where there is none."""
        return [name for name, each in self.http.items() if each.kind == "azure_ml"] or None

    @property
    def has_blob_door(self) -> bool:
        """Whether its blobs are reached over TLS as well."""
        return self.blobs is not None and self.blobs.name is not None
