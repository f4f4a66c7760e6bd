"""Are the storage accounts the same, and their containers there?"""

from __future__ import annotations

from collections.abc import Mapping

from peeklock.preflight import sameness
from peeklock.preflight.expected import Expected
from peeklock.preflight.facts import FoundAccount, Unreached
from peeklock.preflight.findings import Finding, Report, Unchecked, merged
from peeklock.preflight.places import Account, Places
from peeklock.preflight.sameness import Reached
from peeklock.scenario.errors import suggestion


def judge(places: Places, expected: Expected, found: Mapping[str, FoundAccount | Unreached]) -> Report:
    """Judge every account (`found` by its connection string)."""
    accounts = [
        Reached(each.setting.service, each.setting.variable, each.setting.where, each.address, each.address)
        for each in places.accounts
    ]
    named = [
        Reached(each.setting.service, each.setting.variable, each.setting.where, each.name, each.name)
        for each in places.of_kind("container")
    ]
    return merged(
        [
            sameness.judge("account", "accounts", accounts),
            sameness.judge("container", "containers", named, common=False, specific=True),
            *(_account(each, places, expected, found) for each in places.accounts),
        ]
    )


def named_by(places: Places, service: str) -> dict[str, str]:
    """Return where a service names its containers, by their names."""
    return {each.name: each.setting.where for each in places.of_kind("container") if each.setting.service == service}


def _account(
    account: Account, places: Places, expected: Expected, found: Mapping[str, FoundAccount | Unreached]
) -> Report:
    setting = account.setting
    if not account.connection_string:
        text = f"what {setting.service} may do at {account.address}"
        return Report(unchecked=(Unchecked(text, "it signs in with an identity, which only it has"),))
    there = found[account.connection_string]
    if isinstance(there, Unreached):
        name = "key-refused" if there.refused else "account-unreachable"
        return Report(
            (
                Finding(
                    name,
                    f"the storage account of {setting.service} cannot be used: {there.why}",
                    setting.where,
                    actual=f"{account.address}: {there.why}",
                    fix=f"correct {setting.variable}",
                ),
            )
        )
    own = named_by(places, setting.service)
    wanted = {name: f"{place}, {setting.where}" for name, place in expected.containers.items()} | own
    known = [name for name, is_there in there.containers.items() if is_there]
    findings = [
        Finding(
            "container-missing",
            f'there is no container "{name}" for {setting.service}',
            where,
            expected=f"a container of that name in {account.address}",
            actual="none" + (f"; there are {', '.join(known)}" if known else ""),
            fix=suggestion(name, known) or "create it, or correct the variable",
        )
        for name, where in wanted.items()
        if there.containers.get(name) is False
    ]
    unchecked = [
        Unchecked(f"whether the container {name} is there for {setting.service}", "the SAS does not let one look")
        for name in wanted
        if there.containers.get(name) is None
    ]
    checked = tuple(f"the container {name} is there for {setting.service}" for name in wanted)
    return Report(tuple(findings), checked, tuple(unchecked))
