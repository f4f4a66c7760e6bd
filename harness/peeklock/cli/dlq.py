"""`peeklock dlq list | resubmit` — what lies in a dead-letter queue, and a second chance for it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from peeklock.cli.exits import FAILED, INVALID, NO_STACK
from peeklock.engine.ledger import decode_body
from peeklock.redaction import redact

dlq = typer.Typer(help="Look into dead-letter queues and send messages back.", no_args_is_help=True)

_SUFFIX = "/$deadletterqueue"
_DEAD_LETTER_PROPERTIES = frozenset({"DeadLetterReason", "DeadLetterErrorDescription"})
ConnectionString = Annotated[
    str, typer.Option(envvar="AZURE_SERVICEBUS_CONNECTION_STRING", help="of the namespace", show_envvar=True)
]


@dlq.command("list")
def list_(
    queue: Annotated[str, typer.Argument(help="the queue whose dead letters are listed")],
    connection_string: ConnectionString = "",
    as_json: Annotated[bool, typer.Option("--json", help="for tools: a JSON array")] = False,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="so many at most")] = 100,
) -> None:
    """List dead-lettered messages: id, reason, properties and body. Nothing is taken out."""
    with _client(connection_string) as client:
        found = [_facts(message) for message in client.peek(queue + _SUFFIX, most)]
    if as_json:
        typer.echo(redact(json.dumps(found, ensure_ascii=False, indent=2)))
        return
    console = Console(highlight=False)
    for facts in found:
        console.print(Text(redact(str(facts["message_id"])), "bold"), soft_wrap=True)
        for key in ("reason", "description", "deliveries", "enqueued_at", "application_properties", "body"):
            if facts[key]:
                value = facts[key] if isinstance(facts[key], str) else json.dumps(facts[key], ensure_ascii=False)
                console.print(Text(f"  {key:<23}{redact(value)}"), soft_wrap=True)
    typer.echo(f"{len(found)} message{'' if len(found) == 1 else 's'} in {queue}{_SUFFIX}")


@dlq.command()
def resubmit(
    queue: Annotated[str, typer.Argument(help="the queue to which they go back")],
    connection_string: ConnectionString = "",
    message_id: Annotated[
        list[str] | None, typer.Option("--message-id", help="only this one (may be repeated)")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="every message")] = False,
) -> None:
    """Send dead-lettered messages to their queue again.

    Each gets a new message id, because duplicate detection would drop the old one; the old one stays in the application
    property `resubmitted_from`. A message leaves the dead-letter queue when it has arrived in the queue.
    """
    if bool(message_id) == everything:
        typer.echo("say which: --message-id ID, or --all", err=True)
        raise typer.Exit(INVALID)
    wanted = set(message_id or ())
    done: set[str] = set()
    with _client(connection_string) as client:
        others: list[Any] = []
        while batch := client.receive(queue + _SUFFIX, 100, 0.5):
            for message in batch:
                if wanted and message.message_id not in wanted:
                    others.append(message)
                    continue
                client.send(queue, [_again(message)])
                client.complete(message)
                done.add(message.message_id)
        for message in others:
            client.release(message)
    typer.echo(f"{len(done)} message{'' if len(done) == 1 else 's'} sent to {queue} again")
    if missing := wanted - done:
        typer.echo(f"not in the dead-letter queue: {', '.join(sorted(missing))}", err=True)
        raise typer.Exit(FAILED)


def _again(message: Any) -> Any:
    from peeklock.servicebus import OutgoingMessage

    properties = {
        key: value for key, value in message.application_properties.items() if key not in _DEAD_LETTER_PROPERTIES
    }
    return OutgoingMessage(
        body=message.body,
        message_id=str(uuid.uuid4()),
        correlation_id=message.correlation_id,
        session_id=message.session_id,
        subject=message.subject,
        content_type=message.content_type,
        reply_to=message.reply_to,
        to=message.to,
        application_properties={**properties, "resubmitted_from": message.message_id},
    )


def _facts(message: Any) -> dict[str, Any]:
    properties = {
        key: value if isinstance(value, str | int | float | bool | None) else str(value)
        for key, value in message.application_properties.items()
        if key not in _DEAD_LETTER_PROPERTIES
    }
    return {
        "message_id": message.message_id,
        "reason": message.dead_letter_reason,
        "description": message.dead_letter_error_description,
        "deliveries": message.delivery_count,
        "enqueued_at": message.enqueued_time.isoformat() if message.enqueued_time else None,
        "application_properties": properties,
        "body": decode_body(message.body),
    }


@contextmanager
def _client(connection_string: str) -> Iterator[Any]:
    if not connection_string:
        typer.echo("which namespace? say --connection-string, or set AZURE_SERVICEBUS_CONNECTION_STRING", err=True)
        raise typer.Exit(INVALID)
    # the other commands, which load this file for its options, need not load the client
    from peeklock.servicebus import Client, ServiceBusError

    try:
        with Client(connection_string) as client:
            yield client
    except (ServiceBusError, ValueError, OSError) as error:
        typer.echo(f"error: {redact(str(error))}", err=True)
        raise typer.Exit(NO_STACK) from None
