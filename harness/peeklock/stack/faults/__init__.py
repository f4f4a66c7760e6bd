"""The faults that a scenario can ask for, one file each; docs/adding-a-fault.md tells how to add one."""

from __future__ import annotations

from peeklock.stack.faults.bandwidth import Bandwidth
from peeklock.stack.faults.broker import BROKER
from peeklock.stack.faults.content_length import ContentLength
from peeklock.stack.faults.down import Down
from peeklock.stack.faults.fault import Fault, HttpFault, NetworkFault
from peeklock.stack.faults.http import Answer, Request, Response
from peeklock.stack.faults.late_answer import LateAnswer
from peeklock.stack.faults.latency import Latency
from peeklock.stack.faults.limit_data import LimitData
from peeklock.stack.faults.lost_answer import LostAnswer
from peeklock.stack.faults.openai import OPENAI, OpenAIWords
from peeklock.stack.faults.ports import Way
from peeklock.stack.faults.reset_peer import ResetPeer
from peeklock.stack.faults.slow_body import SlowBody
from peeklock.stack.faults.status import Status
from peeklock.stack.faults.strikes import Strikes
from peeklock.stack.faults.timeout import Timeout
from peeklock.stack.faults.truncate import Truncate

NETWORK: tuple[type[Fault], ...] = (Latency, Bandwidth, Timeout, ResetPeer, LimitData, Down)
HTTP: tuple[type[Fault], ...] = (Status, Truncate, ContentLength, SlowBody, LateAnswer, LostAnswer)

KINDS: dict[str, type[Fault]] = {fault.kind: fault for kinds in (NETWORK, HTTP, BROKER, OPENAI) for fault in kinds}

__all__ = [
    "KINDS",
    "Answer",
    "Fault",
    "HttpFault",
    "NetworkFault",
    "OpenAIWords",
    "Request",
    "Response",
    "Strikes",
    "Way",
]
