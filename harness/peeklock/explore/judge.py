"""Whether a disturbed system ended as the undisturbed one did, and in what it did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from peeklock.engine.snapshot import Fact
from peeklock.explore.noise import HIDDEN, Canonical, Noise, Record

LOCK_LOST = "a lock ended while its holder was at work"


@dataclass(frozen=True)
class Difference:
    """Facts that are there more or less often than undisturbed, or otherwise."""

    place: str
    what: str
    """`lost`, `doubled`, `new`, `changed`, `mixed up` (ids stand together that did not), `LOCK_LOST`, or a sentence."""
    record: Record = ()
    """Of a fact that is missing or too many."""
    instead: Record = ()
    """What there is in its place, where it was changed."""
    expected: int = 0
    actual: int = 0

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields in which a changed fact differs."""
        before, after = dict(self.record), dict(self.instead)
        return tuple(sorted(key for key in {*before, *after} if before.get(key) != after.get(key))) if after else ()

    @property
    def signature(self) -> str:
        """What the same difference has in common wherever it is found."""
        return " ".join([self.place, self.what, *self.fields])

    def __str__(self) -> str:
        if self.what == "changed":
            before, after = dict(self.record), dict(self.instead)
            told = ", ".join(
                f"{key} {after.get(key, 'absent')}, undisturbed {before.get(key, 'absent')}" for key in self.fields
            )
            return f"{self.place}: {told}"
        if not self.record:
            return f"{self.place}: {self.what}"
        shown = ", ".join(f"{key} {value}" for key, value in self.record if value != HIDDEN and "<id" not in value)
        many = f"{self.actual} instead of {self.expected}"
        return f"{self.place}: {self.what}, {many}" + (f": {shown[:200]}" if shown else "")


@dataclass(frozen=True)
class Asked:
    """How many facts with such fields there should be at a place."""

    place: str
    fields: Record
    expected: int
    at_least: bool = False


class Judge:
    """Compares ends with the undisturbed ones."""

    def __init__(self, ends: Sequence[Sequence[Fact]], ignore: Sequence[str] = ()) -> None:
        self._noise = Noise(ends, ignore)
        self._plain = [self._noise.clean(end, ids=False) for end in ends]
        self._linked = [self._noise.clean(end) for end in ends]
        self.unsteady = sorted(
            {each.place for end in self._plain[1:] for each in (end - self._plain[0]) + (self._plain[0] - end)}
        )
        """Places that undisturbed runs leave behind in different ways, so that nothing can be said of them."""

    def differences(self, end: Sequence[Fact]) -> list[Difference]:
        """Return in what an end differs from every undisturbed one; empty when it is the same as one of them."""
        plain = self._noise.clean(end, ids=False)
        if found := self._compare(self._plain[0], plain):
            return found
        linked = self._noise.clean(end)
        if any(not self._steady((good - linked) + (linked - good)) for good in self._linked):
            return []
        wrong = self._steady(linked - self._linked[0])
        return [Difference(place, "mixed up") for place in sorted({each.place for each in wrong})]

    def asked(self, difference: Difference) -> Asked | None:
        """Return how to ask for what is right where something was different; None where that cannot be asked for."""
        place, kind = difference.place, difference.place.partition(" ")[0]
        there = [each for each in self._plain[0].elements() if each.place == place]
        if difference.what == LOCK_LOST:
            return Asked(place, (("history", '{"$contains": "lock_expired"}'),), 0)
        if not difference.record or (kind == "container" and difference.what == "changed"):
            return None
        if kind == "container":
            return Asked(place, (), len(there))
        fields = [each for each in difference.record if _can_be_asked(kind, *each)]
        fields.sort(key=lambda each: (each[0] not in difference.fields, each[1] in ("null", "{}", "[]")))
        # of a queue, the outcome tells a message from duplicates of it that were dropped
        chosen = [each for each in fields if kind == "queue" and each[0] == "outcome"]
        for each in [None, *fields]:
            chosen += [each] if each is not None and each not in chosen else []
            if chosen and sum(set(chosen) <= set(good.record) for good in there) == difference.expected:
                more = any(good.at_least_once for good in there) and difference.expected > 0
                return Asked(place, tuple(chosen), difference.expected, at_least=more)
        return None

    def _steady(self, counted: Counter[Canonical]) -> Counter[Canonical]:
        return Counter({each: count for each, count in counted.items() if each.place not in self.unsteady})

    def _compare(self, good: Counter[Canonical], end: Counter[Canonical]) -> list[Difference]:
        missing, extra = self._steady(good - end), self._steady(end - good)
        found: list[Difference] = []
        for each in sorted(missing, key=lambda each: (each.place, each.record)):
            near = max(
                (other for other in extra if other.place == each.place), key=lambda o: _alike(each, o), default=None
            )
            if near is not None and good[near] == 0 and end[each] < good[each]:
                found.append(Difference(each.place, "changed", each.record, near.record, good[each], end[each]))
                extra -= Counter({near: missing[each]})
            else:
                found.append(Difference(each.place, "lost", each.record, (), good[each], end[each]))
        for each in sorted(extra, key=lambda each: (each.place, each.record)):
            what = "doubled" if good[each] else "new"
            found.append(Difference(each.place, what, each.record, (), good[each], end[each]))
        return found


def _alike(one: Canonical, other: Canonical) -> int:
    return len(set(one.record) & set(other.record))


def _can_be_asked(kind: str, path: str, value: str) -> bool:
    """Tell whether a verb can choose by a field: it is no noise, and where verbs reach."""
    if HIDDEN in value or "<id" in value or "[]" in path:
        return False
    return not ((kind == "table" and "." in path) or path.startswith("application_properties"))
