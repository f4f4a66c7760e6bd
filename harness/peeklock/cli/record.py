"""`peeklock record QUEUE --output FILE` — the messages of a queue into a file that `send: {recorded: FILE}` sends again."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from peeklock import servicebus
from peeklock.cli.exits import FAILED
from peeklock.cli.namespace import ConnectionString, connected
from peeklock.redaction import redact
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX


def record(
    queue: Annotated[str, typer.Argument(help="a queue, or a subscription as TOPIC/Subscriptions/NAME")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the file that is written", dir_okay=False)],
    connection_string: ConnectionString = "",
    dead_letter: Annotated[bool, typer.Option("--dead-letter", help="those in its dead-letter queue")] = False,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="so many at most")] = 1000,
) -> None:
    """Write the messages that are in a queue now, whole, one JSON object a line. Nothing is taken out.

    `send: {queue: …, recorded: FILE}` sends them as they were: body, ids, properties with their AMQP types, time to live.
    """
    path = queue + (DEAD_LETTER_SUFFIX if dead_letter else "")
    with connected(connection_string) as client:
        messages = [
            servicebus.RecordedMessage.of(message) for message in islice(servicebus.every_message(client, path), most)
        ]
    if not messages:
        typer.echo(f"no message is in {path}: send some while nobody receives from it", err=True)
        raise typer.Exit(FAILED)
    text = servicebus.write_recording(messages)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        typer.echo(f"error: {output} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(FAILED) from None
    typer.echo(f"{len(messages)} message{'' if len(messages) == 1 else 's'} of {path} in {output}")
    telling = [number for number, line in enumerate(text.split("\n"), 1) if redact(line) != line]
    if telling:
        lines = ", ".join(map(str, telling[:5])) + (" …" if len(telling) > 5 else "")
        typer.echo(
            f"what looks like a key, token or signature is in it, line {lines}: look before you commit it", err=True
        )
