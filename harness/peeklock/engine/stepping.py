"""Runs the steps of a case, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from peeklock.durations import parse_duration
from peeklock.engine.bounded import GRACE, Call
from peeklock.engine.context import CaseContext
from peeklock.engine.events import Event, StepFinished, StepStarted
from peeklock.engine.failure import StepFailed, Unforeseen, VerbFailed, title
from peeklock.engine.listing import last_line
from peeklock.engine.record import MOST_LOOKS, Looks, StepRun
from peeklock.engine.settling import settled
from peeklock.engine.unanswered import unanswered
from peeklock.engine.verb import Found, Verb
from peeklock.engine.waiting import Deadline, Look, Waited, wait_until
from peeklock.errors import PeeklockError
from peeklock.redaction import RedactedError
from peeklock.scenario.errors import shorten
from peeklock.scenario.fields import Model
from peeklock.scenario.matchers import Context as MatchContext
from peeklock.scenario.matchers import Matcher, Mismatch, show
from peeklock.scenario.model import Eventually, Step
from peeklock.scenario.names import ALWAYS_DEFINED
from peeklock.scenario.steps import EventuallyArguments
from peeklock.scenario.values import ValueInvalid, dig, resolve

M = TypeVar("M", bound=Model)
NOTHING: Mapping[str, Any] = MappingProxyType({})
MOST_ROUNDS = 100_000
"""Of one `times`."""
SHORTEST_LOOK = 1.0
"""Seconds that an observation has, however little is left of the time in which it is repeated."""


@dataclass(frozen=True)
class _Seen:
    """One look of a step: what was there and what was wrong with it."""

    found: Found
    mismatches: tuple[Mismatch, ...]
    error: VerbFailed | None = None


class Stepper:
    """Runs steps against a context and tells of each by an event."""

    def __init__(self, context: CaseContext, emit: Callable[[Event], None]) -> None:
        self._context, self._emit = context, emit
        self._tries = 1
        self._looks: list[Looks] = []
        self._shown: Any = None
        self._depth = 0

    def run_all(self, steps: Sequence[Step]) -> None:
        """Run steps in order. Raises `StepFailed` at the first that fails."""
        for step in steps:
            self.run(step)

    def run(self, step: Step) -> None:
        """Run one step with its waiting, expectation and captures. Raises `StepFailed`, `RedactedError` and `Unforeseen`."""
        started, started_at, waited_before = time.monotonic(), time.time(), self._context.spent.waiting
        outer = self._tries, self._looks, self._shown
        self._tries, self._looks, self._shown, ok = 1, [], None, False
        self._depth += 1
        line, waits = step.document.span(step.path).line, step.eventually is not None or step.verb.name == "never"
        self._emit(StepStarted(started_at, self._context.id, title(step), step.verb.name, line, waits))
        try:
            self._check_time(step)
            self._do(step)
            self._check_time(step)
            ok = True
        except (StepFailed, RedactedError, Unforeseen):
            raise
        except PeeklockError as error:
            notes = (error.fix,) if error.fix else ()
            raise StepFailed(step, error.problem, notes=notes, at=(*step.path, step.verb.name)) from None
        except Exception as error:
            raise Unforeseen(step, error) from error
        finally:
            self._depth -= 1
            self._tell(step, started_at, time.monotonic() - started, self._context.spent.waiting - waited_before, ok)
            self._tries, self._looks, self._shown = outer

    def _tell(self, step: Step, started_at: float, seconds: float, waiting: float, ok: bool) -> None:
        document = step.document
        span = document.span(step.path)
        told = StepRun(
            started_at,
            shorten(document.path, self._context.scenario.root),
            span.line,
            last_line(document, span),
            self._depth,
            title(step),
            step.verb.name,
            seconds,
            waiting,
            self._tries,
            ok,
            tuple(self._looks),
            self._shown,
        )
        self._context.story.steps.append(told)
        self._emit(
            StepFinished(
                time.time(),
                self._context.id,
                told.name,
                told.verb,
                told.line,
                seconds,
                waiting,
                told.tries,
                ok,
            )
        )

    def _check_time(self, step: Step) -> None:
        if self._context.deadline.passed:
            raise StepFailed(step, f"the case has used up its {self._context.deadline.seconds:g} s (its `timeout`)")

    def _do(self, step: Step) -> None:
        match step.verb.name:
            case "use":
                self._use(step)
            case "never":
                self._never(step)
            case "set":
                self._set(step)
            case _:
                self._verb(step)

    def _verb(self, step: Step) -> None:
        act = self._action(step)
        if step.eventually is None:
            seen = self._look(step, act, self._context.deadline)
            if seen.error is not None:
                at = (*step.path, step.verb.name, *seen.error.path)
                raise StepFailed(step, str(seen.error), notes=seen.error.notes, at=at, story=seen.error.story)
            if seen.mismatches:
                raise StepFailed(step, mismatches=seen.mismatches, notes=_notes(seen), actual=seen.found.value)
            self._capture(step, seen.found.value)
            return
        waited = self._wait(step, step.eventually, act)
        if not waited.good:
            raise _waited_in_vain(step, waited)
        self._capture(step, waited.last.found.value)

    def _action(self, step: Step) -> Callable[[], Found]:
        """Return what does the step's verb once, its names looked up."""
        verb = step.verb
        assert isinstance(verb, Verb)
        if verb.run_acts is not None:
            return self._acting(step, verb.run_acts)
        times = step.arguments.get("times") if verb.run_many else None
        if verb.run_many is None or times is None:
            arguments = self._arguments(step)
            return lambda: verb.run(arguments, self._context)
        run_many = verb.run_many
        rounds = self._rounds(step, times)
        once = {key: value for key, value in step.arguments.items() if key != "times"}
        each = [self._model(step, verb.arguments, once, verb.name, extra) for extra in rounds]
        return lambda: run_many(each, self._context)

    def _acting(self, step: Step, run_acts: Callable[[Any, Sequence[Step], CaseContext], Found]) -> Callable[[], Found]:
        said = {key: value for key, value in step.arguments.items() if key != "acts"}
        later = {"acts": step.arguments["acts"]}
        arguments = self._model(step, step.verb.arguments, said, step.verb.name, later=later)
        return lambda: run_acts(arguments, step.steps, self._context)

    def _rounds(self, step: Step, times: Any) -> list[dict[str, Any]]:
        """Return what each round of `times` has for names: `index`, and `item` of a list."""
        wanted = resolve(times, self._context.names.scope(step.document.path.parent))
        if isinstance(wanted, list) and wanted:
            return [{"index": index, "item": item} for index, item in enumerate(wanted)]
        if not isinstance(wanted, int) or isinstance(wanted, bool) or not 1 <= wanted <= MOST_ROUNDS:
            raise ValueInvalid(f"times is {show(wanted)}, expected a whole number from 1 to {MOST_ROUNDS}, or a list")
        return [{"index": index} for index in range(wanted)]

    def _arguments(self, step: Step) -> Any:
        return self._model(step, step.verb.arguments, step.arguments, step.verb.name)

    def _model(
        self,
        step: Step,
        model: type[M],
        raw: Any,
        key: str,
        extra: Mapping[str, Any] = NOTHING,
        later: Mapping[str, Any] = NOTHING,
    ) -> M:
        """Return what stands at a key of a step, with its names looked up, but for those of `later`. Raises `StepFailed`."""
        folder = step.document.path.parent
        looked_up = resolve(raw, self._context.names.scope(folder, extra))
        if later:
            looked_up |= later
        try:
            return model.model_validate(looked_up, context={"folder": folder})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            message = f"{where}: {first['msg'].removeprefix('Value error, ')}, after looking up its names"
            raise StepFailed(
                step, message, notes=(f"actual    {show(first['input'])}",), at=(*step.path, key)
            ) from None

    def _look(self, step: Step, act: Callable[[], Found], deadline: Deadline) -> _Seen:
        """Do it once. It has what is left of `deadline`, at least `SHORTEST_LOOK`, and no more than the case has."""
        self._context.folder = step.document.path.parent
        with self._context.within(max(deadline.left, SHORTEST_LOOK)) as own:
            call = Call(act)
            if not call.ended(own.left + GRACE):
                self._context.abandoned.append(call)
                text = f"{step.verb.name} did not come to its end in {own.seconds + GRACE:.3g} s"
                raise StepFailed(step, text, notes=(f"it was given up at {call.where()}",))
        try:
            found = call.result()
        except VerbFailed as error:
            return _Seen(Found(None), (), error)
        except (StepFailed, RedactedError):
            raise
        except PeeklockError as error:
            return _Seen(Found(None), (), VerbFailed(str(error)))
        self._shown = found.shown
        if found.refused and step.expect is None:
            return _Seen(found, (), VerbFailed(found.refused))
        return _Seen(found, self._match(step, step.expect, found.value))

    def _match(self, step: Step, matcher: Matcher | None, value: Any) -> tuple[Mismatch, ...]:
        if matcher is None:
            return ()
        folder = step.document.path.parent
        scope = self._context.names.scope(folder)
        matching = MatchContext(lambda raw: resolve(raw, scope), folder, self._context.update_snapshots)
        return tuple(matcher.match(value, matching, ""))

    def _wait(self, step: Step, eventually: Eventually, act: Callable[[], Found]) -> Waited[_Seen]:
        times = self._model(step, EventuallyArguments, eventually.arguments, "eventually")
        within = times.within or self._context.scenario.header.defaults.eventually
        deadline = self._context.deadline.sooner(within)

        self._tries, began = 0, time.monotonic()

        def look() -> Look[_Seen]:
            self._tries += 1
            seen = self._look(step, act, deadline)
            good = seen.error is None and not seen.mismatches
            add_look(self._looks, time.monotonic() - began, _missing(seen))
            return Look(good, seen, "" if good else self._final(step, seen))

        waited = wait_until(look, deadline, self._context.signal, stable_for=times.stable_for)
        self._context.spent.waiting += waited.seconds
        return waited

    def _final(self, step: Step, seen: _Seen) -> str:
        """Return why waiting longer is of no use; empty while it may be."""
        eventually = step.eventually
        if (
            eventually
            and eventually.fail_if
            and seen.error is None
            and not self._match(step, eventually.fail_if, seen.found.value)
        ):
            return "what `fail_if` says has come true"
        if final := seen.found.final or (seen.error.final if seen.error is not None else ""):
            return final
        self._context.environment.check()
        if "no_service_exit" not in self._context.case.header.allow and (gone := self._context.unexpected_exit()):
            return gone
        if problems := unanswered(self._context.environment):
            return problems[0]
        if step.verb.name in ("messages", "path", "queue") and settled(self._context):
            return "the case has settled, no further message can come"
        return ""

    def _capture(self, step: Step, value: Any) -> None:
        for name, capture in step.capture.items():
            try:
                captured = dig(value, capture.path if capture.path.startswith("[") else "." + capture.path)
            except ValueInvalid as error:
                raise StepFailed(
                    step,
                    f"capture {name}: {error.problem}",
                    notes=(error.fix,) if error.fix else (),
                    at=(*step.path, "capture", name),
                ) from None
            self._context.names[name] = captured
            if capture.secret and isinstance(captured, str) and captured:
                self._context.secrets.add(captured)

    def _use(self, step: Step) -> None:
        for extra in self._rounds(step, step.times):
            self._use_once(step, extra)

    def _use_once(self, step: Step, extra: Mapping[str, Any]) -> None:
        names = self._context.names
        visible = names.visible()
        inner = {key: visible[key] for key in ALWAYS_DEFINED & visible.keys()}
        inner |= resolve(dict(step.bindings), names.scope(step.document.path.parent, extra))
        with names.inside(inner):
            self.run_all(step.steps)
        for name in step.outputs:
            names[name] = inner[name]

    def _set(self, step: Step) -> None:
        # one by one, so that a name may build on those before it
        for name, raw in step.arguments.items():
            self._context.names[name] = resolve(raw, self._context.names.scope(step.document.path.parent))
        value = {name: self._context.names[name] for name in step.arguments}
        if mismatches := self._match(step, step.expect, value):
            raise StepFailed(step, mismatches=mismatches, actual=value)

    def _window(self, step: Step) -> float:
        scope = self._context.names.scope(step.document.path.parent)
        try:
            return parse_duration(str(resolve(step.arguments.get("for", "2s"), scope)))
        except ValueInvalid:
            raise
        except ValueError as error:
            raise ValueInvalid(str(error)) from None

    def _never(self, step: Step) -> None:
        observed = step.steps[0]
        act = self._action(observed)
        window = self._window(step)
        deadline = self._context.deadline.sooner(window)

        def look() -> Look[_Seen]:
            seen = self._look(observed, act, deadline)
            if seen.error is not None:
                return Look(False, seen)
            came_true = bool(seen.found.value) if observed.expect is None else not seen.mismatches
            return Look(came_true, seen)

        waited = wait_until(look, deadline, self._context.signal)
        self._context.spent.waiting += waited.seconds
        if waited.good:
            after = f"after {waited.seconds:.1f} s of {window:g} s"
            notes = (f"actual    {show(waited.last.found.value)}",)
            raise StepFailed(
                step, f"what must never come true did, {after}", notes=notes, actual=waited.last.found.value
            )
        if waited.last.error is not None:
            raise StepFailed(step, str(waited.last.error), at=observed.path)


def _missing(seen: _Seen) -> str:
    """Return what was not as it should be, in a few words; empty where nothing was."""
    if seen.error is not None:
        return str(seen.error).partition("\n")[0]
    first = seen.mismatches[0] if seen.mismatches else None
    return "" if first is None else f"{first.path}: {first.actual}".removeprefix(": ")


def add_look(looks: list[Looks], at: float, missing: str) -> None:
    """Add a look, `at` seconds after the step began, to those before it. `missing`: see `Looks`."""
    last = looks[-1] if looks else None
    if last is not None and last.missing == missing:
        looks[-1] = replace(last, last=at, count=last.count + 1)
    elif last is not None and len(looks) == MOST_LOOKS:
        looks[-1] = Looks(last.first, at, last.count + 1, missing)
    else:
        looks.append(Looks(at, at, 1, missing))


def _notes(seen: _Seen) -> tuple[str, ...]:
    told = (("nearest", seen.found.nearest), ("refused", seen.found.refused))
    return tuple(f"{label:<9} {text}" for label, text in told if text)


def _waited_in_vain(step: Step, waited: Waited[_Seen]) -> StepFailed:
    last = waited.last
    early = "stopped early" if waited.early else "gave up"
    notes = [f"{early} after {waited.tries} tries in {waited.seconds:.1f} s: {waited.why}", *_notes(last)]
    first = waited.first
    if first.error is None and last.error is None and first.found.value != last.found.value:
        notes.append(f"at first  {show(first.found.value)}")
    if last.error is not None:
        at = (*step.path, step.verb.name)
        return StepFailed(step, str(last.error), notes=(*notes, *last.error.notes), at=at, story=last.error.story)
    return StepFailed(step, mismatches=last.mismatches, notes=tuple(notes), actual=last.found.value)
