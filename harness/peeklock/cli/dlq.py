"""`peeklock dlq list | resubmit` — what lies in a dead-letter queue, and a second chance for it."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from peeklock import servicebus
from peeklock.cli.exits import FAILED, INVALID
from peeklock.cli.namespace import ConnectionString, connected
from peeklock.engine.ledger import decode_body
from peeklock.redaction import redact
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX

dlq = typer.Typer(help="Look into dead-letter queues and send messages back.", no_args_is_help=True)

_DEAD_LETTER_PROPERTIES = frozenset({"DeadLetterReason", "DeadLetterErrorDescription"})


@dlq.command("list")
def list_(
    queue: Annotated[str, typer.Argument(help="the queue whose dead letters are listed")],
    connection_string: ConnectionString = "",
    as_json: Annotated[bool, typer.Option("--json", help="for tools: a JSON array")] = False,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="so many at most")] = 100,
) -> None:
    """List dead-lettered messages: id, reason, properties and body. Nothing is taken out."""
    with connected(connection_string) as client:
        found = [facts(message) for message in client.peek(queue + DEAD_LETTER_SUFFIX, most)]
    if as_json:
        typer.echo(redact(json.dumps(found, ensure_ascii=False, indent=2)))
        return
    console = Console(highlight=False)
    for told in found:
        console.print(Text(redact(str(told["message_id"])), "bold"), soft_wrap=True)
        for key in ("reason", "description", "deliveries", "enqueued_at", "application_properties", "body"):
            if told[key]:
                value = told[key] if isinstance(told[key], str) else json.dumps(told[key], ensure_ascii=False)
                console.print(Text(f"  {key:<23}{redact(value)}"), soft_wrap=True)
    typer.echo(f"{len(found)} message{'' if len(found) == 1 else 's'} in {queue}{DEAD_LETTER_SUFFIX}")


@dlq.command()
def resubmit(
    queue: Annotated[str, typer.Argument(help="a queue, or a subscription as TOPIC/Subscriptions/NAME")],
    connection_string: ConnectionString = "",
    message_id: Annotated[
        list[str] | None, typer.Option("--message-id", help="only this one (may be repeated)")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="every message that is in the dead-letter queue now")
    ] = False,
    to: Annotated[
        str, typer.Option(help="where they go; default: the queue, or the topic, which gives it to all subscriptions")
    ] = "",
) -> None:
    """Send dead-lettered messages to their queue again, whole: body, properties, time to live, partition key, session.

    Each gets a new message id, because duplicate detection would drop the old one; the old one stays in the application
    property `resubmitted_from`. A message leaves the dead-letter queue when it has arrived in the queue.
    """
    if bool(message_id) == everything:
        typer.echo("say which: --message-id ID, or --all", err=True)
        raise typer.Exit(INVALID)
    target = to or re.split("/subscriptions/", queue, maxsplit=1, flags=re.IGNORECASE)[0]
    with connected(connection_string) as client:
        chosen = {
            message.sequence_number: message.message_id
            for message in servicebus.every_message(client, queue + DEAD_LETTER_SUFFIX)
            if everything or message.message_id in (message_id or ())
        }
        done = servicebus.send_again(client, queue + DEAD_LETTER_SUFFIX, target, chosen)
    typer.echo(f"{len(done)} message{'' if len(done) == 1 else 's'} sent to {target} again")
    missing = set(message_id or ()) - {chosen[number] for number in done}
    if missing:
        typer.echo(f"not in the dead-letter queue: {', '.join(sorted(missing))}", err=True)
    left = len(chosen) - len(done)
    if left:
        typer.echo(f"{left} could not be received: another receiver has them; run this again later", err=True)
    if missing or left:
        raise typer.Exit(FAILED)


def facts(message: Any) -> dict[str, Any]:
    """Return what is told of a message, as JSON data; secrets in it are not masked yet."""
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
