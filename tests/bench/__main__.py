"""`make bench`: how fast Peeklock is, as ratios within one run, against the bars; and where the time goes."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import backends, brokers, command, defectiq, durable, emulator, rabbitmq, reports, stack, telemetry
from tests.bench.command import FIRST, CannotMeasureError, Timed, median
from tests.bench.table import Missing, Row, render

Rows = list[Row | Missing]


def main() -> int:
    """Measure everything and print the table. Return 1 when something could not be measured; a bar not met is told only."""
    rows: Rows = []
    where: dict[str, Timed] = {}
    if (why := rabbitmq.missing()) is not None:
        print(f"the rows of RabbitMQ will be missing: {why}", flush=True)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of several rounds", flush=True)
    with tempfile.TemporaryDirectory(prefix="peeklock-bench-") as folder:
        project = command.copy_project(Path(folder) / "project")
        with _told("preparing", rows):
            command.peeklock(project, "run", FIRST)  # migrates the template and compiles, which is done once a machine
        yardstick = median([command.yardstick() for _ in range(5)])
        with _told("stack up", rows):
            _stack(project, rows)
        with _told("cold start", rows):
            _cold(project, rows, where, yardstick)
        with _told("restarts of services", rows):
            _restarts(project, rows)
        with _warm_stack(project):
            with _told("warm stack", rows):
                _warm(project, rows, where, yardstick)
            with _told("reset between cases", rows):
                _resets(project, rows)
            with _told("reports", rows):
                rows.extend(reports.cost(project, rounds=5))
                rows.extend(reports.opening(Path(folder) / "large", rounds=5))
            with _told("the whole suite", rows):
                _suite(project, rows, where)
        with _told("DefectIQ", rows):
            rows.append(defectiq.cold_start(project, rounds=5))
            rows.append(defectiq.identities(project, repeats=9))
            rows.append(defectiq.many(project))
        with _told("telemetry", rows):
            rows.append(telemetry.cost(project, rounds=5))
            rows.append(telemetry.flood(project))
        with _told("embedded and containers side by side", rows):
            rows.extend(backends.compare(project))
    with _told("broker against SDK", rows):
        _servicebus(rows)
    with _told("broker against RabbitMQ", rows):
        _brokers(rows)
    with _told("what the emulator takes", rows):
        _emulator(rows)
    with _told("the store", rows):
        rows.extend(durable.compare())
    print()
    print("\n".join(render([Row("yardstick: importing what the services are made of", yardstick, "s"), *rows])))
    print()
    print("\n".join(_where(where)))
    return 1 if any(isinstance(row, Missing) for row in rows) else 0


@contextlib.contextmanager
def _told(what: str, rows: Rows) -> Iterator[None]:
    """Say what is being measured; make a row of what fails, and go on."""
    print(f"  {what} …", file=sys.stderr, flush=True)
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the other measurements are wanted
        if isinstance(error, CannotMeasureError):
            print(error, file=sys.stderr)
        else:
            traceback.print_exc()
        rows.append(Missing(what, str(error)))


@contextlib.contextmanager
def _warm_stack(project: Path) -> Iterator[None]:
    command.peeklock(project, "up")
    try:
        yield
    finally:
        command.peeklock(project, "down")


def _stack(project: Path, rows: Rows) -> None:
    together, alone = stack.together_and_alone(project, rounds=7)
    alones = {kind: median(seconds) for kind, seconds in alone.items()}
    slowest = max(alones, key=lambda kind: alones[kind])
    each = ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in alones.items())
    rows.append(
        Row("stack up: all three / the slowest alone", median(together) / alones[slowest], "x", 1.3, f"alone: {each}")
    )
    rows.append(Row("stack up: all three", median(together), "s", note=f"best {min(together):.2f} s"))


def _cold(project: Path, rows: Rows, where: dict[str, Timed], yardstick: float) -> None:
    runs = [command.run(project, FIRST) for _ in range(5)]
    where["cold start"] = cold = command.middle(runs)
    best = min(run.green for run in runs)
    rows.append(
        Row(
            "first scenario green, cold start",
            cold.green,
            "s",
            3.0,
            f"best {best:.2f} s; ended after {cold.whole:.2f} s",
        )
    )
    rows.append(Row("  / yardstick", cold.green / yardstick, "x"))


def _warm(project: Path, rows: Rows, where: dict[str, Timed], yardstick: float) -> None:
    where["first run on a warm stack"] = first = command.run(project, FIRST)
    runs = [command.run(project, FIRST) for _ in range(7)]
    where["warm stack"] = warm = command.middle(runs)
    best = min(run.green for run in runs)
    rows.append(
        Row(
            "first scenario green, warm stack",
            warm.green,
            "s",
            1.5,
            f"best {best:.2f} s; ended after {warm.whole:.2f} s",
        )
    )
    rows.append(Row("  / yardstick", warm.green / yardstick, "x"))
    rows.append(Row("  the first run on it, which starts the services", first.green, "s"))


def _resets(project: Path, rows: Rows) -> None:
    seconds = stack.resets(project, FIRST.partition("::")[0], 20)
    note = f"of 20: best {min(seconds) * 1000:.0f}, worst {max(seconds) * 1000:.0f} ms"
    rows.append(Row("reset between cases", median(seconds) * 1000, "ms", 100, note))


def _restarts(project: Path, rows: Rows) -> None:
    for service in ("api", "worker"):
        executed, forked = stack.restarts(project, FIRST.partition("::")[0], service, rounds=7)
        note = f"{median(forked):.2f} and {median(executed):.2f} s until ready"
        what = f"start of the {service}: forked / a new interpreter"
        rows.append(Row(what, median(forked) / median(executed), "x", 0.35, note))


def _suite(project: Path, rows: Rows, where: dict[str, Timed]) -> None:
    where["whole suite, -n 2"] = suite = command.run(project, "scenarios/intellioptics", "-n", "2")
    rows.append(Row("IntelliOptics, every scenario, warm stack", suite.whole, "s", 60.0))


def _servicebus(rows: Rows) -> None:
    try:
        run: Callable[[], list[dict[str, float | str]]] = importlib.import_module("tests.bench.servicebus").run
    except ModuleNotFoundError as error:
        raise CannotMeasureError(f"no module {error.name}") from error
    for result in run():
        name = str(result["name"])
        if "ratio" in result:
            bar = 0.4 if name.startswith("SDK") else None
            note = (
                f"{float(result['per_second']):,.0f} messages a second; broker {float(result['broker_us']):.0f} us each"
            )
            rows.append(Row(f"broker CPU / client CPU: {name}", float(result["ratio"]), "x", bar, note))


def _brokers(rows: Rows) -> None:
    for work, (ours, theirs) in brokers.compare().items():
        mine, its = median(ours), median(theirs)
        note = f"{mine:,.0f} and {its:,.0f} messages a second, 1 KB each"
        rows.append(Row(f"RabbitMQ (AMQP 1.0) / emulator: {work}", its / mine, "x", 1.0, note))


def _emulator(rows: Rows) -> None:
    rows.append(Row("emulator: first answer / import asyncio", emulator.cold_start(), "x", 1.5))
    rows.append(Row("emulator: memory for a queued message of 1 KB", emulator.memory_of_a_message(), "KB", 1.6))
    rows.append(Row("emulator: longest pause, 200,000 queued", emulator.longest_pause(), "ms", 50))
    spread, taken = emulator.many_connections()
    note = f"each takes {taken:.0f} KB"
    rows.append(Row("emulator: CPU a message, 1,000 connections / one", spread, "x", 1.3, note))
    rows.append(Row("emulator: CPU a message, 1,000 queues / one", emulator.entities(), "x", 1.1))
    rows.append(Row("emulator: start with 10,000 queues", emulator.start(10_000), "s", 2.0))
    rows.append(Row("emulator: CPU a message, 1,000,000 queued / none", emulator.depth(), "x", 1.3))


def _where(where: dict[str, Timed]) -> Iterator[str]:
    """Yield where the time went, in seconds."""
    if not where:
        return
    names = [*next(iter(where.values())).phases]
    yield f"{'where the time goes (s)':28}" + "".join(f"{name:>20}" for name in names)
    for title, timed in where.items():
        yield f"{title:28}" + "".join(f"{timed.phases[name]:>20.2f}" for name in names)
    yield ""
    yield f"{'of all cases (s)':28}{'set-up':>20}{'waiting':>20}{'working':>20}"
    for title, timed in where.items():
        yield f"{title:28}" + "".join(f"{timed.cases[name]:>20.2f}" for name in ("setup", "waiting", "working"))


if __name__ == "__main__":
    sys.exit(main())
