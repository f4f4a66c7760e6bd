"""What the engine asks of a backend: a `Stack` that stands, an `Environment` for each scenario file, its `Services`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from peeklock.scenario.services import Service
from peeklock.scenario.topology import Stack as StackSpec
from peeklock.servicebus.ledger import Entry
from peeklock.stack.faults import Fault
from peeklock.stack.names.names import Names
from peeklock.standins import StandIn, Surroundings
from peeklock.supervision.commands import Commands
from peeklock.supervision.usage import Usage
from peeklock.telemetry import Telemetry

Ports = Mapping[str, Sequence[int]]
"""By service, one for each of its replicas; a replica itself is told its own as the first of its service."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the dependencies of one environment are, as its services and its test see them. Absent: not asked for."""

    postgres_url: str | None = None
    blobs_connection_string: str | None = None
    servicebus_connection_string: str | None = None
    access_rules: Mapping[str, str] = field(default_factory=dict)
    """Connection string by the name of an access rule of the scenario."""
    service_connection_strings: Mapping[str, str] = field(default_factory=dict)
    """Of the Service Bus, by service: each has a rule of its own, so that the ledger tells who did what."""
    service_postgres_urls: Mapping[str, str] = field(default_factory=dict)
    """By service, where each has a port of its own there, so that it is known whose a transaction is."""
    blobs_https_url: str | None = None
    """The account at the blob door, which takes tokens; clients call the account by its production name there."""
    openai_url: str | None = None
    openai_keys: Mapping[str, str] = field(default_factory=dict)
    """By service: each has its own, so that the journal tells who asked; that of nobody (`""`) is the test's."""
    http_urls: Mapping[str, str] = field(default_factory=dict)
    """Of each HTTP stand-in."""
    http_tls_urls: Mapping[str, str] = field(default_factory=dict)
    """Of those that are reached over TLS as well."""
    http_keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of those that have any, by stand-in and service, as `openai_keys`."""
    identities: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """`client_id` and `object_id` of each managed identity."""
    queues: Mapping[str, str] = field(default_factory=dict)
    """What each queue is called where it is, by its name in the file."""
    containers: Mapping[str, str] = field(default_factory=dict)
    """The same of blob containers."""
    names: Names | None = None
    """Where production names lead services and steps."""


Variables = Callable[[Endpoints, Ports], Mapping[str, Mapping[str, str]]]
"""`(endpoints, ports) ->` environment variables by service."""


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """Everything that an environment is made of; two specs with the same `key` can share a warm environment."""

    name: str
    """A short name for people and for log folders: the scenario file's stem."""
    stack: StackSpec
    services: Mapping[str, Service]
    root: Path
    """The project's root: the working directory of services that name none."""
    variables: Variables
    """`(endpoints, ports) -> env by service`, the scenario's `env:` with every `${…}` resolved."""
    command: Callable[[str, Endpoints, Ports], Sequence[str]]
    """`(service, endpoints, ports) -> argv` with every `${…}` resolved."""
    surroundings: Callable[[Endpoints, Ports, Commands, Path, Callable[[], Names | None]], Surroundings] | None = None
    """`(endpoints, ports, commands, log_dir) ->` what its stand-ins have of the scenario; present when it has any."""
    key: str = ""
    """A digest of the definition."""
    movable_clock: bool = False
    """The clock of everything in it can be moved; needs a `private` stack."""
    relayed: bool = False
    """What its services reach, they reach through a relay in which faults can strike."""
    lasting: bool = False
    """Its dependencies can be ended and come back with their data; needs a `private` stack."""
    private: bool = False
    """A stack of its own, which ends with the environment: what is done to its dependencies must not be felt by others."""
    before_services: Callable[[Environment], None] | None = None
    """Called with a new environment when what its services stand on answers, before any of them starts; may raise."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a service wrote, redacted."""

    service: str
    replica: int
    at: float
    """Unix seconds when the supervisor read it."""
    text: str
    record: Mapping[str, Any] | None
    """The JSON object, when the line is one."""


@dataclass(frozen=True, slots=True)
class Exit:
    """A service's process ended. `expected` when the harness ended it."""

    service: str
    replica: int
    at: float
    code: int
    """The exit status; negative for a signal, as in `subprocess`."""
    expected: bool


@dataclass(frozen=True, slots=True)
class DatabaseUse:
    """A database to which a service has a connection."""

    service: str
    database: str
    identity: tuple[str, str]
    """The server's own identifier and the database's in it."""


class Services(Protocol):
    """The processes under test of one environment. All waits end by the event, not by polling.

    What is done to a service is done to all of its replicas; one of several is named with its number, as `worker.1`.
    """

    def names(self) -> Sequence[str]: ...
    def url(self, service: str) -> str:
        """`http://127.0.0.1:PORT` of the service: of its first replica, or of the one that is named."""

    def urls(self, service: str) -> Sequence[str]:
        """One for each replica of a service."""

    def variables(self, service: str) -> Mapping[str, str]:
        """What the first replica of a service is told: where things are, and the scenario's `env` for it."""

    def databases(self) -> list[DatabaseUse]:
        """Databases of the environment's server, its own and others, to which they have connections now. Known of services that
        let libpq, or a driver like it, name a connection by `PGAPPNAME`."""

    def tell(self, variables: Variables | None) -> None:
        """What services are told besides, from now on, and nobody else; those that were told otherwise are stopped, and started
        by the next `reset` of their environment."""

    def start(self, service: str) -> None:
        """Start every replica that is not running and wait until it is ready; `StackError` when it is not."""

    def stop(self, service: str) -> None:
        """SIGTERM, then SIGKILL after the service's grace; returns when it is gone."""

    def kill(self, service: str) -> None:
        """SIGKILL; returns when it is gone."""

    def pause(self, service: str) -> None:
        """SIGSTOP."""

    def resume(self, service: str) -> None:
        """SIGCONT."""

    def scale(self, service: str, count: int) -> list[int]:
        """Have so many replicas run: start more and wait until they are ready, or stop those with the highest numbers. Returns the
        numbers that were started; `StackError` when one does not become ready."""

    def execute(self, service: str, env: Mapping[int, Mapping[str, str]], run: Sequence[str] | None = None) -> None:
        """Start the replicas with these numbers, which must not be running, for an execution of a job: `env` has what each is told
        besides; `run` is the command instead of the service's own. `StackError` when one does not become ready."""

    def running(self, service: str) -> int:
        """How many replicas run."""

    def usage(self, service: str, *, anew: bool = False) -> list[Usage]:
        """CPU time and memory of each replica that runs; `anew`: the peak of its memory begins anew after this."""

    def logs(self, after: int = 0, *, late: bool = False) -> tuple[list[LogLine], int]:
        """Lines of this environment since the cursor `after`, in the order read, and the new cursor; none past the end.

        `late`: those too that services have written by now and that have not been read; on a busy machine there are some.
        """

    def exits(self, after: int = 0) -> tuple[list[Exit], int]:
        """Exits of this environment since the cursor `after`, and the new cursor."""


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """A fault began, struck or ended outside of the emulator, whose ledger tells of its own."""

    target: str
    at: float
    """Unix seconds."""
    text: str


@dataclass(frozen=True, slots=True)
class RelayedRequest:
    """A request of a service that was answered through the relay."""

    target: str
    """`blobs`, a stand-in, a service or one replica of it."""
    method: str
    path: str
    """Without its query, in which there may be a signature."""


@dataclass(frozen=True, slots=True)
class DatabaseTransaction:
    """A transaction of a service that was seen in the relay, and changed something, or was to."""

    service: str
    """Or one replica of it; empty where that is not known."""
    began: float
    """Unix seconds."""
    ended: float
    end: Literal["committed", "rolled back", "failed", "connection lost"]
    """`failed`: by an error of the server, at its commit or before."""
    asked: bool
    """Whether its commit had come."""
    error: str
    """The SQLSTATE of its last error; empty where there was none."""
    changes: tuple[str, ...]
    """`INSERT orders`, `UPDATE jobs`; never a value."""
    statements: tuple[tuple[str, int], ...]
    """What it consisted of in a few words each, those that only read too, and how often."""


@dataclass(frozen=True, slots=True)
class Transactions:
    """Those of one environment since it was reset."""

    seen: Sequence[DatabaseTransaction] = ()
    """In the order of their ends, the newest 10,000."""
    unseen: Sequence[str] = ()
    """A sentence for each reason why some are not."""


@dataclass(frozen=True, slots=True)
class HeldCommit:
    """A commit of a service that is to be held in the relay."""

    service: str
    changes: tuple[str, ...]
    """All of which it has; none: any commit that changes something."""
    done: bool
    """Hold the answer of the server, not what the service has sent."""
    nth: int = 1
    then: Literal["dropped", "done"] = "dropped"
    """What becomes of it in the end: its connection breaks, or it goes on."""


class CommitHold(NamedTuple):
    """What `Faults.hold_commit` has begun."""

    reached: Callable[[], bool]
    """Tells whether a commit is held."""
    end: Callable[[], None]


class Faults(Protocol):
    """The faults of one environment; all end with their case."""

    def begin(self, target: str, fault: Fault, times: int | None = None, seconds: float | None = None) -> int:
        """Let `fault` strike at `target` (`postgres`, `blobs`, `servicebus`, a service or one replica of it), on when this returns.

        It is over after `times` strikes (at each replica of a service) or `seconds`, absent: until it is ended. Returns how often it has struck at once.
        """

    def end(self, target: str | None = None) -> int:
        """End the faults at a target, or all; returns how often they have struck, when they are over."""

    def events(self) -> list[FaultEvent]:
        """What happened since the environment was reset."""

    def requests(self) -> list[RelayedRequest]:
        """What services have asked over HTTP since then, in the order of the answers, the newest 10,000; none without a relay."""

    def transactions(self) -> Transactions:
        """What services have changed in the database since then; none without a relay."""

    def hold_commit(self, held: HeldCommit) -> CommitHold:
        """Hold such a commit once. Raises `StackError`."""


class Clock(Protocol):
    """The wall clock that everything in an environment goes by."""

    @property
    def movable(self) -> bool: ...
    @property
    def offset(self) -> float:
        """Seconds by which it is ahead of the machine's."""

    def now(self) -> datetime:
        """Its time, in UTC."""

    def real(self, at: float) -> float:
        """The machine's time when it showed `at`, both in seconds since 1970."""

    def shown(self, at: float) -> float:
        """What it showed when the machine's time was `at`, both in seconds since 1970."""

    def moved(self) -> list[tuple[float, float]]:
        """When it was set, by the machine's time, and by how many seconds it has been ahead of the machine's from then on."""

    def advance(self, seconds: float) -> datetime:
        """Move it for everybody; returns when all have the new time, which is returned, and what fell due by it has been done.

        Raises `StackError` when it cannot be moved, for negative seconds, and when somebody does not follow.
        """


class Dependencies(Protocol):
    """Processes that an environment stands on, by kind: `postgres`, `blobs`, `servicebus`. All keep their data and their ports.

    Raises `StackError`; only an environment whose spec says `lasting` can do any of it.
    """

    def stop(self, kind: str) -> None:
        """End it in order; returns when it is gone."""

    def kill(self, kind: str) -> None:
        """SIGKILL; returns when it is gone. What clients were told is kept; not for blobs."""

    def pause(self, kind: str) -> None:
        """SIGSTOP."""

    def resume(self, kind: str) -> None:
        """SIGCONT."""

    def start(self, kind: str) -> None:
        """Start it again unless it runs; returns when it answers."""

    def running(self, kind: str) -> bool: ...

    def revive(self) -> None:
        """Start or resume whatever is away; returns when all of it answers."""


@dataclass(frozen=True, slots=True)
class TokenRefusal:
    """A service asked for a token in vain."""

    at: float
    """Unix seconds."""
    service: str
    """Or one replica of it."""
    reason: str


class Identities(Protocol):
    """The managed identities of one environment; what a case changes ends with it."""

    def roles(self, identity: str) -> list[dict[str, str]]:
        """`{role, on}` of each that an identity has now; no `on` where it holds for the whole resource."""

    def grant(self, identity: str, role: str, on: str) -> None:
        """Give a role; "" is the whole resource. It is worth something with the next token that is shown."""

    def revoke(self, identity: str, role: str, on: str) -> int:
        """Take a role away, everywhere when `on` is empty; how many assignments that were. Tokens that were shown to Service Bus
        before stay good until they expire."""

    def refusals(self) -> list[TokenRefusal]:
        """Who asked for a token in vain since the environment was reset."""


@dataclass(frozen=True, slots=True)
class HeldOperation:
    """An operation that is to arrive at the emulator, and to be neither done nor answered."""

    entity: str
    operation: str
    """`send`, `answer`, `complete` …"""
    message_id: str | None = None
    """Only of this message."""
    nth: int = 1
    """Which of them, from 1."""
    by: str | None = None
    """Only of this service."""
    then: Literal["dropped", "done"] = "dropped"
    """What becomes of it in the end."""


class Hold(NamedTuple):
    """What `Environment.hold` has begun."""

    fault: str
    """The `fault_id` by which the ledger tells that an operation has arrived."""
    end: Callable[[], None]
    """Ends it: what was held is never done, or (`then` was "done") only now."""


class Environment(Protocol):
    """What one scenario file runs on: a database, an account, a namespace and its services, leased by one run."""

    endpoints: Endpoints
    seen: Endpoints
    """Where its services find them: the same, or at the ports of the relay in which faults strike."""
    services: Services

    @property
    def clock(self) -> Clock:
        """That of the machine again after each `reset`."""

    faults: Faults
    condemned: bool
    """Whether `condemn` was called."""
    commands: Commands
    """Runs what its cases run besides its services; of this machine, on every backend."""

    @property
    def dependencies(self) -> Dependencies: ...
    @property
    def standins(self) -> Mapping[str, StandIn]:
        """What answers in the place of others: `openai`, and the HTTP stand-ins by their names."""

    @property
    def identities(self) -> Identities | None:
        """None where the file declares none."""

    @property
    def telemetry(self) -> Telemetry | None:
        """What its services export; None where the file asks for none."""

    log_dir: Path
    """Where `<service>.log` files are written (redacted)."""

    @property
    def made_at_start(self) -> str:
        """Why services are restarted for every case, in a few words; empty when they are not."""

    def reset(self, at: datetime | None = None) -> int:
        """Empty queues, a freshly cloned database, empty containers, within 100 ms; services that are down are started again.

        The clock shows `at`, or the machine's time; services that have seen another by more than a minute are new ones.
        Returns the ledger's cursor: entries after it belong to the new life.
        """

    def ledger(self, after: int, wait: float = 0.0) -> tuple[list[Entry], int]:
        """Ledger entries after the cursor, waiting at most `wait` seconds for the first, and the new cursor."""

    def queues(self) -> list[dict[str, Any]]:
        """Counts and receivers by queue, as the control API's `entities`."""

    def session(self, entity: str, session_id: str) -> dict[str, Any]:
        """The state and the lock of one message session, as the control API tells of it; takes no lock. Raises `StackError`."""

    def hold(self, held: HeldOperation) -> Hold:
        """Hold such an operation once; the ledger tells that it has arrived."""

    def check(self) -> None:
        """Raise `StackError` when something that the environment stands on has ended. Costs less than a millisecond."""

    def on_change(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` (from any thread, cheaply) when a log line, an exit or a ledger entry arrives; returns the function that ends it."""

    def condemn(self) -> None:
        """Somebody may still be at work in it: `close` takes it down, so that nobody has it again."""

    def close(self) -> None:
        """Give the environment back: a warm stack keeps it for the next run, an own stack ends its services."""


class Stack(Protocol):
    """Postgres, blobs and Service Bus, up and answering."""

    backend: str
    """`embedded`, `containers` or `azure`."""
    warm: bool
    """True when `peeklock up` started it, so that it outlives this process."""

    @property
    def place(self) -> str:
        """The engine that it is on; empty when that is this machine."""

    @property
    def abilities(self) -> frozenset[str]:
        """What a case may `require` of it: `exact_ledger`, `clock`, `faults`, `docker`, `usage`."""

    def why_not(self, ability: str) -> str:
        """Why it has not an ability, in a few words; empty when there is no more to say."""

    def lacks(self, wanted: StackSpec) -> str:
        """Why the servers that a file names cannot be had here, and what gets them; empty when they can."""

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds from the start until each of `postgres`, `blobs`, `servicebus` answered; empty for a warm stack."""

    def environment(self, spec: EnvironmentSpec) -> Environment:
        """A leased environment, reset, services ready. Raises `StackError`. Safe to call from several threads at once."""

    def close(self) -> None: ...
