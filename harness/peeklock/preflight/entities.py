"""Are the queues, topics, subscriptions and rules there, and may the services use them?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from peeklock.preflight import sameness
from peeklock.preflight.expected import Expected
from peeklock.preflight.facts import FoundEntity, Unreached
from peeklock.preflight.findings import Finding, Report, Unchecked, merged
from peeklock.preflight.places import Named, Namespace, Places
from peeklock.preflight.sameness import Reached
from peeklock.scenario.errors import suggestion

Looked = Mapping[str, Mapping[str, FoundEntity] | Unreached]
"""What was found, by connection string and entity."""


def entities_of(places: Places, service: str) -> dict[str, tuple[str, Named]]:
    """Return queues, topics and subscriptions that the variables of a service name: kind and variable by path."""
    own = [each for each in places.named if each.setting.service == service]
    topics = [each for each in own if each.kind == "topic"]
    found = {each.name: (each.kind, each) for each in own if each.kind in ("queue", "topic")}
    for each in own:
        if each.kind == "subscription" and len(topics) == 1:
            found[f"{topics[0].name}/Subscriptions/{each.name}"] = ("subscription", each)
    return found


def judge(places: Places, expected: Expected, looked: Looked) -> Report:
    """Judge every namespace that lets us look; one that is reached by an identity is not checked here."""
    return merged(
        [
            _same(places),
            *(_namespace(each, places, expected, looked) for each in places.namespaces),
        ]
    )


def _same(places: Places) -> Report:
    namespaces = [
        Reached(each.setting.service, each.setting.variable, each.setting.where, each.address, each.address)
        for each in places.namespaces
    ]
    queues = [
        Reached(each.setting.service, each.setting.variable, each.setting.where, each.name.lower(), each.name)
        for each in places.named
        if each.kind in ("queue", "topic")
    ]
    return merged(
        [
            sameness.judge("namespace", "namespaces", namespaces),
            sameness.judge("queue", "queues", queues, specific=True),
        ]
    )


def _namespace(namespace: Namespace, places: Places, expected: Expected, looked: Looked) -> Report:
    setting = namespace.setting
    who = setting.service
    if not namespace.connection_string:
        text = f"what {who} may do at {namespace.address}"
        return Report(unchecked=(Unchecked(text, "it signs in with an identity, which only it has"),))
    there = looked[namespace.connection_string]
    if isinstance(there, Unreached):
        name = "key-refused" if there.refused else "namespace-unreachable"
        what = f"the namespace of {who} " + (
            f"refuses the key of {namespace.rule}" if there.refused else f"cannot be reached: {there.why}"
        )
        fix = f"correct {setting.variable}" + (": the key may have been renewed" if there.refused else "")
        return Report((Finding(name, what, setting.where, actual=f"{namespace.address}: {there.why}", fix=fix),))
    named = entities_of(places, who)
    findings = [
        *_missing(namespace, named, expected, there),
        *_refused(namespace, named, there),
        *_rights(namespace, expected, there),
        *_rules(namespace, expected, there),
    ]
    wanted = [*named, *(name for name in expected.entities if name not in named)]
    unchecked = []
    if not wanted:
        text = f"whether the queues of {who} are there"
        unchecked.append(Unchecked(text, "no variable of it names any; name the scenario file that declares them, too"))
    checked = tuple(f"{name} is there for {who}" for name in wanted)
    return Report(tuple(findings), checked, tuple(unchecked))


def _missing(
    namespace: Namespace,
    named: Mapping[str, tuple[str, Named]],
    expected: Expected,
    there: Mapping[str, FoundEntity],
) -> Iterator[Finding]:
    known = [name for name, found in there.items() if found.exists]
    for name, (kind, variable) in named.items():
        if not there[name].exists:
            yield Finding(
                f"{kind}-missing",
                f'there is no {kind} "{name}", which {namespace.setting.service} is told to use',
                variable.setting.where,
                expected=f"a {kind} of that name in {namespace.address}",
                actual="none" + (f"; there are {', '.join(known)}" if known else ""),
                fix=suggestion(name, known) or f"create the {kind}, or correct {variable.setting.variable}",
            )
    for name, place in expected.entities.items():
        if name not in named and not there[name].exists:
            kind = "subscription" if "/" in name else "queue or topic"
            yield Finding(
                f"{'subscription' if '/' in name else 'queue'}-missing",
                f'there is no {kind} "{name}", which the file declares',
                f"{place}, {namespace.setting.where}",
                expected=f"a {kind} of that name in {namespace.address}",
                actual="none",
                fix="create it, or correct the namespace",
            )


def _refused(
    namespace: Namespace, named: Mapping[str, tuple[str, Named]], there: Mapping[str, FoundEntity]
) -> Iterator[Finding]:
    who, rule = namespace.setting.service, namespace.rule
    for name, found in there.items():
        if not found.exists or found.send or found.listen or not found.refused:
            continue
        if "signature" in found.refused.lower():
            yield Finding(
                "key-refused",
                f"the namespace of {who} refuses the key of {rule}",
                namespace.setting.where,
                expected=f"the key that {namespace.address} has for {rule}",
                actual="its signature is not accepted",
                fix=f"correct {namespace.setting.variable}: the key may have been renewed, or be another rule's",
            )
            return
        if name in named:
            kind, variable = named[name]
            yield Finding(
                "right-missing",
                f"{who} may neither send to {name} nor receive from it",
                f"{variable.setting.where}, {namespace.setting.where}",
                expected="an access rule with Send or Listen on it",
                actual=f"the rule {rule} is refused",
                fix=f"give the rule {rule} the right, or use another for this {kind}",
            )


def _rights(namespace: Namespace, expected: Expected, there: Mapping[str, FoundEntity]) -> Iterator[Finding]:
    who = namespace.setting.service
    for name, services in expected.consumers.items():
        found = there.get(name)
        if who in services and found is not None and found.exists and found.send and not found.listen:
            yield Finding(
                "right-missing",
                f"{who} receives from {name}, and its access rule has no right to",
                f"{expected.entities.get(name, '')}, {namespace.setting.where}",
                expected="a rule with Listen",
                actual=f"the rule {namespace.rule} may send to it, and not receive from it",
                fix=f"give the rule {namespace.rule} Listen, or let {who} use another",
            )


def _rules(namespace: Namespace, expected: Expected, there: Mapping[str, FoundEntity]) -> Iterator[Finding]:
    for subscription, rules in expected.rules.items():
        found = there.get(subscription)
        if found is None or found.rules is None:
            continue
        for rule, place in rules.items():
            if rule not in found.rules:
                yield Finding(
                    "rule-missing",
                    f'the subscription {subscription} has no rule "{rule}"',
                    f"{place}, {namespace.setting.where}",
                    expected=", ".join(rules),
                    actual=", ".join(sorted(found.rules)) or "no rule: no message comes through",
                    fix="create the rule, or correct the file",
                )


def nobody(places: Places, looked: Looked) -> Report:
    """Return `right-missing` for a queue that several services name and that none of them may receive from, or send to."""
    findings: list[Finding] = []
    ways: dict[str, list[tuple[Named, FoundEntity]]] = {}
    for namespace in places.namespaces:
        there = looked.get(namespace.connection_string)
        if isinstance(there, Mapping):
            for name, (_, variable) in entities_of(places, namespace.setting.service).items():
                if there[name].exists:
                    ways.setdefault(name, []).append((variable, there[name]))
    for name, each in ways.items():
        if len({variable.setting.service for variable, _ in each}) < 2 or each[0][0].kind != "queue":
            continue
        findings += _lacking(name, each)
    return Report(tuple(findings))


def _lacking(name: str, each: Sequence[tuple[Named, FoundEntity]]) -> Iterator[Finding]:
    for what, right, may in (("send to", "Send", "send"), ("receive from", "Listen", "listen")):
        if not any(getattr(found, may) for _, found in each) and any(found.send or found.listen for _, found in each):
            services = ", ".join(dict.fromkeys(variable.setting.service for variable, _ in each))
            yield Finding(
                "right-missing",
                f"none of {services} may {what} {name}",
                ", ".join(variable.setting.where for variable, _ in each),
                expected=f"one of them with {right} on it",
                fix=f"give the rule of the service that should {what} it the right {right}",
            )
