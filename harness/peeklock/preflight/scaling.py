"""Does KEDA see the queues that it scales by?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from peeklock.preflight.findings import Finding, Report
from peeklock.scaling import unseen
from peeklock.scenario.model import Scenario


def judge(scenario: Scenario, roles: Callable[[str], Iterable[tuple[str, str]]] | None = None) -> Report:
    """Judge every rule of a file; `roles` has those of an identity now."""
    findings, checked = [], []
    for name, service in scenario.header.services.items():
        for index, rule in enumerate(service.scale.queues if service.scale is not None else ()):
            checked.append(f"what scales {name} sees {rule.queue}")
            if why := unseen(rule, scenario.header.stack, roles):
                assert service.scale is not None
                key = "auth" if rule.identity is None else "identity"
                path = ("services", name, "scale", *service.scale.written(index), key)
                findings.append(
                    Finding(
                        "scaler-without-manage",
                        f"{name} would never be scaled: {why}",
                        scenario.place(path),
                        expected="the right Manage, or the role Azure Service Bus Data Owner",
                        fix="give the access rule Manage, or the identity the role; or name another",
                    )
                )
    return Report(tuple(findings), tuple(checked))
