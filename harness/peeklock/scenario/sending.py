"""Messages as `send` describes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from peeklock import servicebus
from peeklock.scenario.durations import Duration
from peeklock.scenario.errors import suggestion
from peeklock.scenario.fields import FilePath, Model, Times
from peeklock.scenario.values import is_template


def _read(path: Path) -> list[servicebus.RecordedMessage]:
    try:
        return servicebus.read_recording(path.read_text(encoding="utf-8"))
    except servicebus.RecordingInvalid as error:
        text = f"{path.name}, line {error.line}: {error.problem}"
        raise servicebus.RecordingInvalid(text, error.expected, error.fix) from None
    except UnicodeDecodeError:
        raise servicebus.RecordingInvalid(f"{path.name} is not UTF-8") from None
    except OSError as error:
        raise servicebus.RecordingInvalid(f"{path.name} cannot be read: {error.strerror}") from None


def _readable(path: Path) -> Path:
    if "${" not in str(path):
        _read(path)
    return path


Recording = Annotated[FilePath, AfterValidator(_readable)]
"""A file of recorded messages that can be read."""

_REPLACED = (
    "message_id", "correlation_id", "session_id", "subject", "content_type", "reply_to", "to", "time_to_live", "properties",
)  # fmt: skip
"""Arguments that, said beside `recorded`, stand in the place of what was recorded."""


class SendArguments(Model):
    """A message, or `times` of them."""

    queue: str | None = None
    topic: str | None = None
    json_: Any = Field(None, alias="json")
    text: str | None = None
    file: FilePath | None = None
    recorded: Recording | None = Field(
        None, description="a file of messages, sent as they were; what else is said replaces what was recorded"
    )
    only: list[str] | None = Field(None, min_length=1, description="of the recorded, those with these message ids")
    message_id: str | None = None
    correlation_id: str | None = Field(None, description="default: the case's own")
    session_id: str | None = None
    subject: str | None = None
    content_type: str | None = None
    reply_to: str | None = None
    to: str | None = None
    time_to_live: Duration | None = Field(None, gt=0)
    properties: dict[str, str | int | float | bool | None] = Field({}, description="application properties")
    scheduled_in: Duration | None = Field(None, ge=0)
    times: Times = Field(
        1,
        description="how often, or a list: once for each `${item}`; `${…}` is looked up anew each time, `${index}` counts from 0",
    )
    batch: bool = Field(False, description="send all of `times` in one batch")

    @model_validator(mode="after")
    def _one_body(self) -> SendArguments:
        if (self.queue is None) == (self.topic is None):
            raise ValueError("say exactly one of queue or topic")
        if sum(body is not None for body in (self.json_, self.text, self.file, self.recorded)) > 1:
            raise ValueError("a message has one body: say one of json, text, file or recorded")
        if self.only is not None:
            if self.recorded is None:
                raise ValueError("only chooses among recorded messages: say recorded")
            known = [message.message_id for message in _read(self.recorded)]
            for one in self.only:
                if one not in known and not is_template(one):
                    fix = suggestion(one, known)
                    raise servicebus.RecordingInvalid(
                        f'{self.recorded.name} has no message "{one}"', "one of " + ", ".join(known[:20]), fix
                    )
        return self


def outgoing(
    arguments: SendArguments, correlation_id: str, now: Callable[[], datetime]
) -> list[servicebus.OutgoingMessage | servicebus.RecordedMessage]:
    """Return the messages that are to be sent; `correlation_id` for those that say none."""
    scheduled = None
    if arguments.scheduled_in is not None:
        scheduled = now() + timedelta(seconds=arguments.scheduled_in)
    if arguments.recorded is not None:
        return list(_recorded(arguments, arguments.recorded, scheduled))
    if arguments.file is not None:
        body = arguments.file.read_bytes()
    elif arguments.text is not None:
        body = arguments.text.encode()
    else:
        body = b"" if arguments.json_ is None else json.dumps(arguments.json_, ensure_ascii=False).encode()
    correlation = arguments.correlation_id or correlation_id
    message = servicebus.OutgoingMessage(
        body=body,
        message_id=arguments.message_id,
        correlation_id=correlation,
        session_id=arguments.session_id,
        subject=arguments.subject,
        content_type=arguments.content_type or ("application/json" if arguments.json_ is not None else None),
        reply_to=arguments.reply_to,
        to=arguments.to,
        time_to_live=arguments.time_to_live,
        application_properties={"correlation_id": correlation, **arguments.properties},
        scheduled_enqueue_time=scheduled,
    )
    return [message]


def _recorded(arguments: SendArguments, path: Path, scheduled: datetime | None) -> Iterator[servicebus.RecordedMessage]:
    said = {name: getattr(arguments, name) for name in _REPLACED if name in arguments.model_fields_set}
    for message in _read(path):
        if arguments.only is None or message.message_id in arguments.only:
            one = message.replaced(said) if said else message
            one.scheduled_enqueue_time = scheduled
            yield one
