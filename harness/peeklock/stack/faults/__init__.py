"""The faults that a scenario can ask for, one file each; docs/adding-a-fault.md tells how to add one."""

from __future__ import annotations

from peeklock.stack.faults.bandwidth import Bandwidth
from peeklock.stack.faults.broker import BROKER
from peeklock.stack.faults.commit import Commit
from peeklock.stack.faults.content_length import ContentLength
from peeklock.stack.faults.down import Down
from peeklock.stack.faults.fault import RELAYED, CommitFault, Fault, HttpFault, NetworkFault
from peeklock.stack.faults.http import Answer, Request, Response
from peeklock.stack.faults.late_answer import LateAnswer
from peeklock.stack.faults.latency import Latency
from peeklock.stack.faults.limit_data import LimitData
from peeklock.stack.faults.lost_answer import LostAnswer
from peeklock.stack.faults.lost_commit import LostCommit
from peeklock.stack.faults.lost_commit_answer import LostCommitAnswer
from peeklock.stack.faults.openai import OPENAI, OpenAIWords
from peeklock.stack.faults.ports import Connection, Way
from peeklock.stack.faults.reset_peer import ResetPeer
from peeklock.stack.faults.slow_body import SlowBody
from peeklock.stack.faults.status import Status
from peeklock.stack.faults.strikes import Strikes
from peeklock.stack.faults.timeout import Timeout
from peeklock.stack.faults.truncate import Truncate

NETWORK: tuple[type[Fault], ...] = (Latency, Bandwidth, Timeout, ResetPeer, LimitData, Down)
HTTP: tuple[type[Fault], ...] = (Status, Truncate, ContentLength, SlowBody, LateAnswer, LostAnswer)
POSTGRES: tuple[type[Fault], ...] = (LostCommit, LostCommitAnswer)

KINDS: dict[str, type[Fault]] = {
    fault.kind: fault for kinds in (NETWORK, HTTP, POSTGRES, BROKER, OPENAI) for fault in kinds
}

__all__ = [
    "KINDS",
    "RELAYED",
    "Answer",
    "Commit",
    "CommitFault",
    "Connection",
    "Fault",
    "HttpFault",
    "NetworkFault",
    "OpenAIWords",
    "Request",
    "Response",
    "Strikes",
    "Way",
]
