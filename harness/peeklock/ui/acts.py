"""What was done by hand in the page, and the scenario that does it again."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from peeklock.redaction import redact

_ARGUMENTS = (
    "json", "text", "message_id", "correlation_id", "session_id", "subject", "content_type", "reply_to", "to", "time_to_live",
    "properties",
)  # fmt: skip
"""Of the verb `send`; the page's form has no others."""
_MOST = 1_000


class Acts:
    """All since the command began, or since they were forgotten."""

    def __init__(self) -> None:
        self._steps: list[dict[str, Any] | str] = []

    def sent(
        self, entity: str, facts: Mapping[str, Any], scheduled_in: str | None, times: int, entities: Mapping[str, Any]
    ) -> None:
        """Note messages that were sent."""
        topics = {topic["name"].lower() for topic in entities["topics"]}
        step: dict[str, Any] = {"topic" if entity.lower() in topics else "queue": entity}
        step |= {name: _literal(facts[name]) for name in _ARGUMENTS if name in facts}
        if scheduled_in:
            step["scheduled_in"] = scheduled_in
        if times > 1:
            step["times"] = times
        self._add({"send": step})

    def noted(self, text: str) -> None:
        """Note what no verb of a scenario does: it becomes a comment."""
        self._add(text)

    def _add(self, step: dict[str, Any] | str) -> None:
        self._steps.append(step)
        del self._steps[:-_MOST]

    def forget(self) -> dict[str, Any]:
        """Begin anew."""
        self._steps.clear()
        return {}

    def texts(self) -> list[str]:
        """Return a line for each."""
        return [redact(each if isinstance(each, str) else _line(each["send"])) for each in self._steps]

    def scenario(self, entities: Mapping[str, Any]) -> str:
        """Return a scenario file in whose only case the steps are."""
        sends = [each for each in self._steps if not isinstance(each, str)]
        used = {str(step["send"].get("queue") or step["send"].get("topic")).lower() for step in sends}
        queues: dict[str, Any] = {queue["name"]: {} for queue in entities["queues"] if queue["name"].lower() in used}
        topics: dict[str, Any] = {
            topic["name"]: {"subscriptions": {each["name"].rpartition("/")[2]: {} for each in topic["subscriptions"]}}
            for topic in entities["topics"]
            if topic["name"].lower() in used
        }
        bus = {name: value for name, value in (("queues", queues), ("topics", topics)) if value}
        case = {"steps": sends}
        document = {"scenario": "By hand", "stack": {"servicebus": bus}, "cases": {"by_hand": case}}
        yaml = YAML()
        yaml.width = 100
        out = io.StringIO()
        yaml.dump(document, out)
        notes = [f"# by hand, too: {each}\n" for each in self._steps if isinstance(each, str)]
        return out.getvalue() + "".join(line.replace("\r", " ") for line in notes)


def _literal(value: Any) -> Any:
    """A scenario looks up what stands behind a dollar sign; two stand for one."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_literal(each) for each in value]
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    return value


def _line(send: Mapping[str, Any]) -> str:
    where = send.get("queue") or send.get("topic")
    return f"sent {send.get('times', 1)} to {where}"
