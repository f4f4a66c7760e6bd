"""What was done by hand in the page, and the scenario that does it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from peeklock.redaction import redact
from peeklock.scenario.writing import editable, step, written

_MOST = 1_000
_OF_A_FILE = ("cases", "always", "covers", "description", "explore", "background", "finally")
"""What a scenario file has beside what stands and runs."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that was done."""

    text: str
    """For people."""
    step: Mapping[str, Any] | None = None
    """That does it again; None for what no verb does: it becomes a comment."""


class ByHand:
    """All since the command began, or since they were forgotten. Thread-safe."""

    def __init__(self) -> None:
        self._acts: list[Act] = []

    def add(self, text: str, step: Mapping[str, Any] | None = None) -> None:
        """Note an act, with the step that does it again if there is one."""
        self._acts.append(Act(text, step))
        del self._acts[:-_MOST]

    def forget(self) -> dict[str, Any]:
        """Begin anew."""
        self._acts.clear()
        return {}

    def texts(self) -> list[str]:
        """Return a line for each."""
        return [redact(each.text) for each in self._acts]

    def scenario(self, entities: Mapping[str, Any], source: str = "", beside: str = "") -> str:
        """Return a scenario file in whose only case the steps are.

        `source`: the text of the scenario file whose environment it was done in, and `beside` its name: what stands and
        runs there does so again. Without it the entities are all that stands.
        """
        acts = list(self._acts)
        own = editable(source) if source else CommentedMap(stack={"servicebus": _bus(entities, acts)})
        for each in _OF_A_FILE:
            own.pop(each, None)
        own["scenario"] = "By hand"
        own.move_to_end("scenario", last=False)
        case = CommentedMap()
        if any("clock" in each.step for each in acts if each.step):
            case["clock"] = "movable"
        case["steps"], after = _steps(acts)
        own["cases"] = CommentedMap(by_hand=case)
        first = f"# Put it beside {beside}: paths in it lead from there.\n" if beside else ""
        return first + written(own) + "".join(f"# {note}\n" for note in after)


def literal(value: Any) -> Any:
    """Return a value as a step has it: a scenario looks up what stands behind a dollar sign; two stand for one."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [literal(each) for each in value]
    if isinstance(value, dict):
        return {key: literal(each) for key, each in value.items()}
    return value


def _steps(acts: list[Act]) -> tuple[Any, list[str]]:
    """Return the steps in their order, each below the comments on what was done before it, and the comments after the last."""
    steps = CommentedSeq()
    notes: list[str] = []
    for act in acts:
        if act.step is None:
            notes.append(redact("by hand: " + " ".join(act.text.split())))
            continue
        steps.append(step(act.step))
        if notes:
            steps.yaml_set_comment_before_after_key(len(steps) - 1, before="\n".join(notes), indent=6)
        notes = []
    return steps, notes


def _bus(entities: Mapping[str, Any], acts: list[Act]) -> dict[str, Any]:
    """Return those entities that steps name."""
    used = {name.lower() for act in acts if act.step for name in _named(act.step)}
    queues: dict[str, Any] = {each["name"]: {} for each in entities["queues"] if each["name"].lower() in used}
    topics: dict[str, Any] = {
        topic["name"]: {"subscriptions": {each["name"].rpartition("/")[2]: {} for each in topic["subscriptions"]}}
        for topic in entities["topics"]
        if topic["name"].lower() in used
    }
    return {name: value for name, value in (("queues", queues), ("topics", topics)) if value}


def _named(value: Any) -> list[str]:
    """Return the queues and topics in a step; of a subscription its topic."""
    if not isinstance(value, Mapping):
        return []
    own = [str(each).partition("/")[0] for key, each in value.items() if key in ("queue", "topic") and each]
    return own + [name for each in value.values() for name in _named(each)]
