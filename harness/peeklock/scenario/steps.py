"""Reads the steps of a case: one verb each, with `expect`, `capture`, `eventually`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from peeklock.scenario.document import DataPath, Document, unknown_key
from peeklock.scenario.durations import Duration
from peeklock.scenario.errors import Problem, ScenarioInvalid, suggestion
from peeklock.scenario.fields import Model
from peeklock.scenario.load_step import act_complaints, expectation_complaint
from peeklock.scenario.matchers import Matcher, MatcherInvalid, compile_collection, compile_matcher, show
from peeklock.scenario.model import Capture, Eventually, FragmentHeader, Step
from peeklock.scenario.project import is_root
from peeklock.scenario.validation import validate
from peeklock.scenario.values import is_template
from peeklock.scenario.vocabulary import Facts, VerbSpec, Vocabulary

_COMMON = ("name", "expect", "capture", "eventually")
_USE_ONLY = ("with", "outputs", "times")

LoadFragment = Callable[[Path, Vocabulary, Facts, tuple[Path, ...]], tuple[FragmentHeader, tuple[Step, ...]]]


class EventuallyArguments(Model):
    """The long form of `eventually`."""

    within: Duration | None = Field(
        None, gt=0, description="default: defaults.eventually of the file, or of peeklock.yaml"
    )
    stable_for: Duration = Field(0.0, ge=0)
    fail_if: Any = None


class CaptureArguments(Model):
    """The long form of a capture."""

    path: str
    secret: bool = False


class StepReader:
    """Turns the raw steps of one document into `Step`s; what is wrong is appended to `problems`."""

    def __init__(
        self,
        document: Document,
        vocabulary: Vocabulary,
        facts: Facts,
        problems: list[Problem],
        load_fragment: LoadFragment,
        trail: tuple[Path, ...] = (),
    ) -> None:
        self.document, self.vocabulary, self.facts = document, vocabulary, facts
        self.problems, self._load_fragment, self._trail = problems, load_fragment, trail

    def read_all(self, raw: Sequence[Any], base: DataPath) -> tuple[Step, ...]:
        """Return the steps of a list that stands at `base`."""
        steps = (self.read(step, (*base, index)) for index, step in enumerate(raw))
        return tuple(step for step in steps if step is not None)

    def read(self, raw: Any, path: DataPath) -> Step | None:
        """Return one step, or None when it cannot be understood."""
        if not isinstance(raw, dict):
            self._complain(
                path,
                "a step is a mapping with one verb",
                expected="for example {http: {get: /health}}",
                actual=show(raw),
            )
            return None
        verb = self._verb(raw, path)
        if verb is None:
            return None
        arguments = verb.shorthand(raw[verb.name])
        name = raw.get("name")
        if name is not None and not isinstance(name, str):
            self._complain((*path, "name"), '"name" has the wrong type', expected="text", actual=show(name))
        inner = self._nested(verb, raw, arguments, path)
        if verb.name not in ("use", "never"):
            self._check_arguments(verb, raw[verb.name], arguments, (*path, verb.name))
        bindings, outputs, steps = inner or ({}, (), ())
        return Step(
            verb=verb,
            arguments=arguments,
            name=name if isinstance(name, str) else "",
            document=self.document,
            path=path,
            expect=self._expect(verb, raw, path),
            capture=self._captures(raw, path),
            eventually=self._eventually(verb, raw, arguments, path),
            steps=steps,
            bindings=bindings,
            outputs=outputs,
            times=self._times(raw, path) if verb.name == "use" else 1,
        )

    def _complain(
        self, path: DataPath, message: str, *, expected: str = "", actual: str = "", fix: str = "", at_key: bool = False
    ) -> None:
        self.problems.append(
            self.document.problem(path, message, expected=expected, actual=actual, fix=fix, at_key=at_key)
        )

    def _verb(self, raw: dict[str, Any], path: DataPath) -> VerbSpec | None:
        verbs = [key for key in raw if key in self.vocabulary]
        extra = _USE_ONLY if "use" in verbs else ()
        for key in raw:
            if key not in self.vocabulary and key not in _COMMON and key not in extra:
                if not verbs:
                    self._complain(
                        (*path, key),
                        f'there is no verb "{key}"',
                        expected="one of " + ", ".join(sorted(self.vocabulary)),
                        fix=suggestion(key, self.vocabulary),
                        at_key=True,
                    )
                    return None
                self.problems.append(unknown_key(self.document, (*path, key), [*_COMMON, *extra]))
        if len(verbs) != 1:
            message = "a step has one verb" if verbs else "a step needs a verb"
            self._complain(
                path,
                message,
                expected="one of " + ", ".join(sorted(self.vocabulary)),
                actual=", ".join(verbs) or "none",
                fix="write one step for each" if verbs else "",
            )
            return None
        return self.vocabulary[verbs[0]]

    def _check_arguments(self, verb: VerbSpec, written: Any, arguments: Any, path: DataPath) -> None:
        _, problems = validate(verb.arguments, arguments, self.document, path, resolved_later=True)
        self.problems += problems
        if not problems and not isinstance(arguments, dict):
            text, fix = f'the arguments of "{verb.name}" are written out', "use `${…}` inside them"
            self._complain(path, text, expected="a mapping", actual=show(arguments), fix=fix)
        elif not problems:
            for complaint in verb.check(arguments, self.facts):
                where = (*path, *complaint.path) if isinstance(written, dict) else path
                self._complain(where, complaint.message, expected=complaint.expected, fix=complaint.fix)

    def _nested(
        self, verb: VerbSpec, raw: dict[str, Any], arguments: Any, path: DataPath
    ) -> tuple[Any, Any, Any] | None:
        if verb.name == "use":
            return self._fragment(raw, arguments, path)
        if verb.name == "never":
            return self._observed(verb, arguments, path)
        if verb.name == "load" and isinstance(arguments, dict) and isinstance(arguments.get("acts"), list):
            return self._acts(raw, arguments["acts"], path)
        return None

    def _acts(self, raw: dict[str, Any], acts: list[Any], path: DataPath) -> tuple[Any, Any, Any]:
        steps = self.read_all(acts, (*path, "load", "acts"))
        missing = expectation_complaint(raw, path)
        for each in (*act_complaints(steps), *([missing] if missing else [])):
            self._complain(each.path, each.message, expected=each.expected, fix=each.fix, at_key=True)
        return {}, (), steps

    def _observed(self, verb: VerbSpec, arguments: Any, path: DataPath) -> tuple[Any, Any, Any] | None:
        here = (*path, verb.name)
        if not isinstance(arguments, dict):
            self._complain(here, "never takes a mapping", expected="{messages: {…}, for: 2s}", actual=show(arguments))
            return None
        _, problems = validate(
            verb.arguments,
            {key: value for key, value in arguments.items() if key == "for"},
            self.document,
            here,
            resolved_later=True,
        )
        self.problems += problems
        inner = {key: value for key, value in arguments.items() if key != "for"}
        step = StepReader(
            self.document, self.vocabulary, self.facts, self.problems, self._load_fragment, self._trail
        ).read(inner, here)
        if step is None:
            return None
        if not step.verb.observes(step.arguments):
            self._complain(
                (*here, step.verb.name),
                f'"{step.verb.name}" acts, it does not observe',
                fix="never watches observes only",
                at_key=True,
            )
        elif step.verb.shape != "collection" and step.expect is None:
            self._complain(here, "never needs an expect for this verb: what must not come true", fix="add expect: …")
        return {}, (), (step,)

    def _fragment(self, raw: dict[str, Any], arguments: Any, path: DataPath) -> tuple[Any, Any, Any] | None:
        here = (*path, "use")
        if not isinstance(arguments, str):
            self._complain(here, "use takes the path of a fragment file", expected="text", actual=show(arguments))
            return None
        file = self._find_fragment(arguments)
        if file is None:
            self._complain(
                here, f"no such fragment: {arguments}", fix="paths are relative to the file, or to a folder above it"
            )
            return None
        if file in self._trail:
            self._complain(
                here, "fragments use each other in a circle", actual=" → ".join(p.name for p in (*self._trail, file))
            )
            return None
        try:
            header, steps = self._load_fragment(file, self.vocabulary, self.facts, self._trail)
        except ScenarioInvalid as error:
            self.problems += error.problems
            return None
        return self._bind(raw, header, path), self._outputs(raw, header, path), steps

    def _find_fragment(self, name: str) -> Path | None:
        for folder in self.document.path.parents:
            if (folder / name).is_file():
                return (folder / name).resolve()
            if is_root(folder):
                break
        return None

    def _bind(self, raw: dict[str, Any], header: FragmentHeader, path: DataPath) -> dict[str, Any]:
        given = raw.get("with", {})
        names = list(header.inputs)
        if not isinstance(given, dict):
            self._complain((*path, "with"), '"with" has the wrong type', expected="a mapping", actual=show(given))
            return {}
        for key in given:
            if key not in names:
                self._complain(
                    (*path, "with", key),
                    f'the fragment has no input "{key}"',
                    expected="one of " + ", ".join(names) if names else "no inputs",
                    fix=suggestion(key, names),
                    at_key=True,
                )
        if isinstance(header.inputs, list):
            for name in names:
                if name not in given:
                    self._complain(
                        (*path, "use"), f'the fragment needs the input "{name}"', fix=f"add with: {{{name}: …}}"
                    )
            return dict(given)
        return {**header.inputs, **given}

    def _outputs(self, raw: dict[str, Any], header: FragmentHeader, path: DataPath) -> tuple[str, ...]:
        wanted = raw.get("outputs", [])
        if not isinstance(wanted, list):
            self._complain(
                (*path, "outputs"), '"outputs" has the wrong type', expected="a list of names", actual=show(wanted)
            )
            return ()
        for index, name in enumerate(wanted):
            if name not in header.outputs:
                self._complain(
                    (*path, "outputs", index),
                    f'the fragment has no output "{name}"',
                    expected="one of " + ", ".join(header.outputs),
                    fix=suggestion(str(name), header.outputs),
                )
        return tuple(name for name in wanted if isinstance(name, str))

    def _times(self, raw: dict[str, Any], path: DataPath) -> Any:
        times = raw.get("times", 1)
        if is_template(times) or (isinstance(times, int) and not isinstance(times, bool) and times >= 1):
            return times
        if isinstance(times, list) and times:
            return times
        expected = "a whole number from 1, or a list with an item for each"
        self._complain((*path, "times"), '"times" is how often', expected=expected, actual=show(times))
        return 1

    def _expect(self, verb: VerbSpec, raw: dict[str, Any], path: DataPath) -> Matcher | None:
        if "expect" not in raw:
            return None
        here = (*path, "expect")
        if verb.shape == "nothing":
            self._complain(
                here, f'"{verb.name}" yields nothing to expect anything of', fix="remove expect", at_key=True
            )
            return None
        return self._compile(compile_collection if verb.shape == "collection" else compile_matcher, raw["expect"], here)

    def _compile(self, compile_: Callable[[Any, DataPath], Matcher], raw: Any, path: DataPath) -> Matcher | None:
        try:
            return compile_(raw, ())
        except MatcherInvalid as error:
            self._complain(
                (*path, *error.path), error.problem, expected=error.expected, fix=error.fix, at_key=error.at_key
            )
            return None

    def _captures(self, raw: dict[str, Any], path: DataPath) -> dict[str, Capture]:
        written = raw.get("capture", {})
        here = (*path, "capture")
        if not isinstance(written, dict):
            self._complain(here, '"capture" has the wrong type', expected="{name: path}", actual=show(written))
            return {}
        captures: dict[str, Capture] = {}
        for name, value in written.items():
            if isinstance(value, str):
                captures[name] = Capture(value)
                continue
            arguments, problems = validate(CaptureArguments, value, self.document, (*here, name))
            self.problems += problems
            if arguments:
                captures[name] = Capture(arguments.path, arguments.secret)
        return captures

    def _eventually(self, verb: VerbSpec, raw: dict[str, Any], arguments: Any, path: DataPath) -> Eventually | None:
        if "eventually" not in raw:
            return None
        here, written = (*path, "eventually"), raw["eventually"]
        if not verb.observes(arguments) and not verb.repeats(arguments):
            self._complain(
                here,
                f'"eventually" on an act: "{verb.name}" changes something here, so it runs once',
                at_key=True,
                expected="an observation: http GET or HEAD, messages, queue, db query, blob get, head or list, logs; or a request "
                "that a client may repeat: http PUT, DELETE, or with the header idempotency-key",
                fix="act once, then observe with eventually in a step of its own",
            )
            return None
        raw_form = written if isinstance(written, dict) else {"within": written} if written is not None else {}
        _, problems = validate(EventuallyArguments, raw_form, self.document, here, resolved_later=True)
        self.problems += problems
        if "expect" not in raw and not verb.judges(arguments):
            self._complain(here, '"eventually" needs an expect to wait for', fix="add expect: …", at_key=True)
        fail_if = None
        if raw_form.get("fail_if") is not None:
            compile_ = compile_collection if verb.shape == "collection" else compile_matcher
            fail_if = self._compile(compile_, raw_form["fail_if"], (*here, "fail_if"))
        times = {key: value for key, value in raw_form.items() if key != "fail_if"}
        return Eventually(times, fail_if)
