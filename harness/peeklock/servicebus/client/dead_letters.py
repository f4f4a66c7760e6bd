"""What lies in a queue, looked at page by page, and dead letters that are sent again."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from .client import Client
from .messages import ReceivedMessage, Resubmission

_PAGE = 100


def every_message(client: Client, path: str) -> Iterator[ReceivedMessage]:
    """Yield every message that is there, without taking it."""
    number = 0
    while batch := client.peek(path, _PAGE, number):
        yield from batch
        number = batch[-1].sequence_number + 1


def send_again(client: Client, path: str, target: str, chosen: Collection[int]) -> set[int]:
    """Send the messages of these sequence numbers to `target`, and complete each; return the numbers of those that were."""
    left = set(chosen)
    others: list[ReceivedMessage] = []
    while left and (batch := client.receive(path, _PAGE, 0.5)):
        for message in batch:
            if message.sequence_number not in left:
                others.append(message)  # held until the end, so that they do not come again
                continue
            client.send(target, [Resubmission(message)])
            client.complete(message)
            left.discard(message.sequence_number)
    for message in others:
        client.release(message)
    return set(chosen) - left
