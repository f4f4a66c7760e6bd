"""Faults outside of the emulator: between the services and what they stand on, in the words of the verb `fault`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from peeklock.errors import PeeklockError
from peeklock.scenario.writing import YAMLError
from peeklock.stack.environment.faults import EnvironmentFaults
from peeklock.stack.faults import KINDS, RELAYED
from peeklock.stack.servers.relay import RelayServer
from peeklock.ui.by_hand import ByHand
from peeklock.ui.chosen import Chosen
from peeklock.ui.view import Document, Query, Refused, said
from peeklock.verbs.fault import FaultArguments, may_strike
from peeklock.yaml_data import read_yaml

_LONGEST = 2_000
_RELAYED = {kind: fault for kind, fault in KINDS.items() if fault.layer in RELAYED}


class RelayFaults:
    """Implements `View`."""

    def __init__(self, chosen: Chosen, by_hand: ByHand) -> None:
        self._chosen, self._by_hand = chosen, by_hand

    @property
    def looks(self) -> Mapping[str, Callable[[Query], Any]]:
        return {"relay": lambda _: self._state()}

    @property
    def acts(self) -> Mapping[str, Callable[[Document], Any]]:
        return {"relay/begin": self._begin, "relay/clear": self._clear}

    def _state(self) -> dict[str, Any]:
        with self._relay() as (relay, targets):
            found = relay.ask("faults")
        return {
            "targets": [
                {"name": name, "kinds": [kind for kind, fault in _RELAYED.items() if may_strike(fault, name)]}
                for name in targets
            ],
            "kinds": {
                kind: {"summary": fault.summary, "short": fault.short, "counted": fault.counted}
                for kind, fault in _RELAYED.items()
            },
            "faults": found,
        }

    def _begin(self, document: Document) -> dict[str, Any]:
        target, kind, value = said(document, "on"), said(document, "fault"), document.get("value") or "true"
        if kind not in _RELAYED:
            raise Refused(400, f"fault: {kind!r} is none of the relay", f"use one of {', '.join(_RELAYED)}")
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise Refused(400, f"value: expected a text of at most {_LONGEST} characters")
        try:
            step = {"on": target, kind: read_yaml(value)}
            step |= {name: document[name] for name in ("times", "for") if document.get(name)}
            asked = FaultArguments.model_validate(step)
        except YAMLError:
            raise Refused(400, f"{kind}: cannot be read as YAML", "write it as in a scenario") from None
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, each['loc']))} {each['msg']}".strip() for each in error.errors()[:3])
            raise Refused(400, told, f"write {kind} as in a scenario: docs/faults.md") from None
        with self._relay() as (relay, targets):
            if target not in targets or not may_strike(asked.fault, target):
                raise Refused(400, f"on: {kind} cannot strike {target!r}", f"use one of {', '.join(targets)}")
            EnvironmentFaults(None, "", relay, targets, {}).begin(target, asked.fault, asked.times, asked.for_)
        self._by_hand.add(f"began the fault {kind} on {target}", {"fault": step})
        return {}

    def _clear(self, document: Document) -> dict[str, Any]:
        target = said(document, "on")
        with self._relay() as (relay, targets):
            if target not in targets:
                raise Refused(400, f"on: nothing stands before {target!r}", f"use one of {', '.join(targets)}")
            struck = int(relay.ask("end", target=target))
        self._by_hand.add(f"cleared the faults on {target}", {"fault": {"clear": target}})
        return {"struck": struck}

    @contextmanager
    def _relay(self) -> Iterator[tuple[RelayServer, list[str]]]:
        """Hand over the relay, and what stands behind it."""
        standing = self._chosen.standing()
        if standing.relay is None:
            raise PeeklockError(
                f"nothing stands between the services of {standing.name} and what they stand on, where a fault could strike",
                fix="give one of its cases a `fault` step, and run it: the environment then has a relay",
            )
        relay = RelayServer(standing.relay)
        try:
            yield relay, list(standing.relayed)
        finally:
            relay.close()
