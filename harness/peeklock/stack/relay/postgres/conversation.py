"""What client and server of one connection to Postgres say to each other: bytes of both in, transactions out. No sockets, no clock.

The server answers in the order in which it was asked, so what the client sends is written down as what is expected, and what
the server sends is matched with it. A *cycle* is what one ReadyForQuery ends: a simple query, or everything up to a Sync.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from peeklock.stack.relay.postgres.framing import Frames, Message, NotUnderstood
from peeklock.stack.relay.postgres.statements import Statement, read_statements
from peeklock.stack.relay.postgres.transaction import End, Transaction

_LONGEST_TEXT = 16 << 10
"""Bytes of a statement's text that are looked at."""
_NAMES = 1 << 10
_MOST_PREPARED = 20_000
_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_UNKNOWN = Statement("?")
_WRITING = ("INSERT", "UPDATE", "DELETE", "MERGE")
_CLIENT = {
    "Q": _LONGEST_TEXT,
    "P": _LONGEST_TEXT,
    "B": _NAMES,
    "E": _NAMES,
    "C": _NAMES,
    "S": 0,
    "F": 0,
    "X": 0,
    "c": 0,
    "f": 0,
}
_SERVER = {"C": 80, "Z": 1, "E": 400, "I": 0, "s": 0, "G": 0, "W": 0}

Part = tuple[bytes, tuple[Transaction, ...]]
"""Bytes, and the transactions that are about to be committed by them (of a client), or that they tell to be committed (of a server)."""


@dataclass(eq=False, slots=True)
class _Cycle:
    simple: bool
    expected: deque[tuple[Statement, Transaction | None]] = field(default_factory=deque)
    """Statements that were sent and not answered, each with the transaction that it is part of, or ends."""
    sent: bool = False
    """Whether its end was sent, so that ReadyForQuery will come."""
    failed: bool = False
    implicit: Transaction | None = None
    """The one that its end commits."""


class Conversation:
    """One connection. `now` returns Unix seconds; `ended` hears of each transaction that has ended, `stopped` once why nothing is
    read any more."""

    def __init__(
        self, now: Callable[[], float], ended: Callable[[Transaction], None], stopped: Callable[[str], None]
    ) -> None:
        self._now, self._ended, self._stopped = now, ended, stopped
        self._client = Frames(_CLIENT, "DHdp")
        self._client.typed = False
        self._server = Frames(_SERVER, "RKSNATDdcH123ntvV")
        self.application = ""
        """What the client calls itself."""
        self.reading = True
        """Until something comes that is not understood."""
        self._asked_for: deque[int] = deque()
        """Kinds of encryption whose answer is to come."""
        self._cycles: deque[_Cycle] = deque()
        self._building: _Cycle | None = None
        """The one whose Sync is to come."""
        self._open: Transaction | None = None
        """The one that the client's next statement is part of."""
        self._standing: Transaction | None = None
        """The one that the server has told to be open."""
        self._copying = False
        self._prepared: dict[str, Statement] = {}
        self._portals: dict[str, Statement] = {}

    def requests(self, data: bytes) -> list[Part]:
        """Take what the client has sent; return it in parts that go on one after the other."""
        return self._read(self._client, data, self._request)

    def answers(self, data: bytes) -> list[Part]:
        """Take what the server has sent; return it in parts."""
        return self._read(self._server, data, self._answer)

    def close(self) -> None:
        """The connection is over."""
        if self.reading:
            for transaction in self._pending():
                self._finish(transaction, "connection lost")
        self.reading = False

    def _pending(self) -> list[Transaction]:
        found = [self._open, self._standing]
        found += [each for cycle in self._cycles for _, each in cycle.expected]
        found += [cycle.implicit for cycle in self._cycles]
        return [each for each in dict.fromkeys(found) if each is not None and each.end is None]

    def _read(self, frames: Frames, data: bytes, take: Callable[[Message], tuple[Transaction, ...]]) -> list[Part]:
        if not self.reading:
            return [(data, ())]
        parts: list[Part] = []
        start = at = 0
        try:
            for message in frames.feed(data):
                if met := take(message):
                    # what came before goes on; the message itself has no effect before its last byte
                    if at > start:
                        parts.append((data[start:at], ()))
                    parts.append((data[at : message.end], met))
                    start = message.end
                at = message.end
        except NotUnderstood as error:
            self._stop(str(error))
        except Exception as error:  # noqa: BLE001  a mistake of the reader must not break what it only looks at
            self._stop(f"the reader gave up: {type(error).__name__}")
        if start < len(data) or not parts:
            parts.append((data[start:], ()))
        return parts

    def _stop(self, why: str) -> None:
        self.reading = False
        if why:  # there is nothing to read in a request to cancel
            self._stopped(why)

    # -- the client ----------------------------------------------------------------------------------------------------

    def _request(self, message: Message) -> tuple[Transaction, ...]:
        match chr(message.kind):
            case "\0":
                self._begin(message.body)
            case "Q":
                return self._query(message.body)
            case "P":
                name, text = _strings(message.body, 2)
                if len(self._prepared) >= _MOST_PREPARED:
                    raise NotUnderstood(f"it has prepared more than {_MOST_PREPARED:,} statements")
                self._prepared[name] = next(iter(read_statements(text)), Statement(""))
            case "B":
                portal, name = _strings(message.body, 2)
                if len(self._portals) >= _MOST_PREPARED:
                    self._portals.clear()
                self._portals[portal] = self._prepared.get(name, _UNKNOWN)
            case "C":
                kind, (name,) = message.body[:1], _strings(message.body[1:], 1)
                (self._prepared if kind == b"S" else self._portals).pop(name, None)
            case "E":
                (portal,) = _strings(message.body, 1)
                return self._execute(self._cycle(), self._portals.get(portal, _UNKNOWN))
            case "S":
                return self._sync()
            case "F":
                cycle = _Cycle(simple=True, sent=True)
                self._cycles.append(cycle)
            case "c" | "f":
                self._copying = False
            case "X":
                for transaction in self._pending():
                    if not transaction.asked:
                        self._finish(transaction, "rolled back")
        return ()

    def _begin(self, body: bytes) -> None:
        code = int.from_bytes(body[:4])
        if code in (_SSL, _GSS):
            self._asked_for.append(code)
            self._server.lone += 1
        elif code == _CANCEL:
            raise NotUnderstood("")
        elif code >> 16 != 3:
            raise NotUnderstood(f"it speaks version {code >> 16} of the protocol, not 3")
        else:
            pieces = body[4:].split(b"\0")
            said = dict(zip(pieces[::2], pieces[1::2], strict=False))
            if said.get(b"replication", b"false") not in (b"false", b"off", b"no", b"0"):
                raise NotUnderstood("it is for replication")
            self.application = said.get(b"application_name", b"").decode("utf-8", "replace")
            self._client.typed = True

    def _query(self, body: bytes) -> tuple[Transaction, ...]:
        (text,) = _strings(body, 1, cut=True)
        cycle = _Cycle(simple=True)
        self._cycles.append(cycle)
        met: tuple[Transaction, ...] = ()
        for statement in read_statements(text):
            met += self._execute(cycle, statement)
        return met + self._end(cycle)

    def _cycle(self) -> _Cycle:
        if self._building is None:
            self._building = _Cycle(simple=False)
            self._cycles.append(self._building)
        return self._building

    def _execute(self, cycle: _Cycle, statement: Statement) -> tuple[Transaction, ...]:
        if cycle.failed:  # it is not even looked at
            return ()
        if statement.kind in ("commit", "rollback"):
            transaction, self._open = self._open, None
            cycle.expected.append((statement, transaction))
            if statement.chained and transaction is not None:
                self._open = Transaction(self._now(), explicit=True)
            return self._ask(transaction) if statement.kind == "commit" else ()
        if self._open is None:
            self._open = Transaction(self._now(), explicit=False)
        if statement.kind == "begin":
            self._open.explicit = True
        else:
            self._open.add(statement)
        cycle.expected.append((statement, self._open))
        return ()

    def _sync(self) -> tuple[Transaction, ...]:
        if self._copying:  # the server does not look at it
            return ()
        cycle, self._building = self._cycle(), None
        return self._end(cycle)

    def _end(self, cycle: _Cycle) -> tuple[Transaction, ...]:
        cycle.sent = True
        if self._open is None or self._open.explicit:
            return ()
        cycle.implicit, self._open = self._open, None
        return self._ask(cycle.implicit)

    @staticmethod
    def _ask(transaction: Transaction | None) -> tuple[Transaction, ...]:
        """Return the one that is about to be committed, if that changes anything."""
        if transaction is None or transaction.asked or transaction.broken:
            return ()
        transaction.asked = True
        return (transaction,) if transaction.changes else ()

    # -- the server ----------------------------------------------------------------------------------------------------

    def _answer(self, message: Message) -> tuple[Transaction, ...]:
        match chr(message.kind):
            case "\0":
                self._encryption(message.body)
            case "C":
                return self._complete(message.body.partition(b"\0")[0].decode("ascii", "replace"))
            case "I":
                if self._cycles and not self._cycles[0].simple:
                    self._take()
            case "s":
                self._take()
            case "E":
                self._fail(_sqlstate(message.body))
            case "Z":
                return self._ready(message.body)
            case "G" | "W":
                self._copy_in()
        return ()

    def _encryption(self, answer: bytes) -> None:
        asked = self._asked_for.popleft()
        if answer in (b"S", b"G"):
            raise NotUnderstood("it speaks TLS" if asked == _SSL else "it is encrypted by GSSAPI")
        if answer != b"N":
            raise NotUnderstood("what goes over it is not the protocol of Postgres, version 3")

    def _take(self) -> tuple[Statement, Transaction | None]:
        if not self._cycles:
            raise NotUnderstood("its messages do not answer each other")
        cycle = self._cycles[0]
        # of a very long text, the end was not looked at
        return cycle.expected.popleft() if cycle.expected else (_UNKNOWN, self._standing or cycle.implicit)

    def _complete(self, tag: str) -> tuple[Transaction, ...]:
        statement, transaction = self._take()
        if transaction is None:
            return ()
        if statement.kind == "commit" or (statement is _UNKNOWN and tag == "COMMIT"):
            done = tag in ("COMMIT", "PREPARE TRANSACTION")
            self._finish(transaction, "committed" if done else "failed" if transaction.error else "rolled back")
            return (transaction,) if done and transaction.changes else ()
        if statement.kind == "rollback":
            self._finish(transaction, "rolled back")
        elif statement.text == "ROLLBACK TO":
            transaction.broken = False
        elif statement.kind == "other":
            verb, count = tag.partition(" ")[0], tag.rpartition(" ")[2]
            if count == "0" and len(statement.changes) == 1 and statement.text.startswith(verb):
                transaction.change(statement.changes, -1)
            elif verb in _WRITING and count != "0" and not statement.changes:
                transaction.change((f"{verb} ?",), 1)
        if transaction.explicit:
            self._standing = transaction
        return ()

    def _fail(self, sqlstate: str) -> None:
        if not self._cycles:
            return
        cycle = self._cycles[0]
        cycle.failed, self._copying = True, False
        for number, (statement, transaction) in enumerate(cycle.expected):
            if transaction is not None:
                transaction.change(statement.changes, -1)
                transaction.error, transaction.broken = sqlstate, True
                transaction.asked &= number == 0 or statement.kind != "commit"  # it was skipped
        cycle.expected.clear()
        if cycle.implicit is not None:
            cycle.implicit.error, cycle.implicit.broken = sqlstate, True

    def _ready(self, status: bytes) -> tuple[Transaction, ...]:
        if not self._cycles:  # the first one, after the log-in
            return ()
        cycle = self._cycles.popleft()
        if not cycle.sent:
            raise NotUnderstood("its messages do not answer each other")
        met: tuple[Transaction, ...] = ()
        if (implicit := cycle.implicit) is not None:
            self._finish(implicit, "failed" if cycle.failed else "committed")
            met = (implicit,) if implicit.end == "committed" and implicit.changes else ()
        if self._standing is not None and (self._standing.end is not None or status == b"I"):
            self._finish(self._standing, "failed" if self._standing.error else "rolled back")
            self._standing = None
        if self._standing is not None:
            self._standing.broken = status == b"E"
        if not self._cycles:
            self._agree(status)
        return met

    def _agree(self, status: bytes) -> None:
        """Nothing is under way: what the server says of the transaction is so, whatever was expected."""
        if status != b"I" and self._standing is None:
            self._standing = self._open or Transaction(self._now(), explicit=True)
            self._standing.explicit = True
        if self._open is not self._standing:
            if self._open is not None:
                self._finish(self._open, "failed")
            self._open = self._standing

    def _copy_in(self) -> None:
        self._copying = True
        cycle = self._cycles[0] if self._cycles else None
        if cycle is not None and not cycle.simple and cycle.sent:  # its Sync came too early to be looked at
            cycle.sent, self._building = False, cycle
            if cycle.implicit is not None:
                self._open, cycle.implicit = cycle.implicit, None

    def _finish(self, transaction: Transaction, end: End) -> None:
        if transaction.end is None:
            transaction.finish(end, self._now())
            self._ended(transaction)


def _strings(body: bytes, count: int, *, cut: bool = False) -> list[str]:
    """Return the strings at the begin of a body; the last one of several may be cut off. Raises `NotUnderstood`."""
    pieces = body.split(b"\0", count)
    if len(pieces) < count or (count == 1 and len(pieces) == 1 and not cut):
        raise NotUnderstood("a name in it is too long")
    return [piece.decode("utf-8", "replace") for piece in pieces[:count]]


def _sqlstate(body: bytes) -> str:
    found = next((field for field in body.split(b"\0") if field[:1] == b"C"), b"")
    return found[1:6].decode("ascii", "replace")
