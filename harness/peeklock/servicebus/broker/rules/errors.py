"""What can be wrong with a rule: when it is made, and when it meets a message."""

from __future__ import annotations

from peeklock.servicebus.broker.errors import ArgumentError


class RuleInvalid(ArgumentError):
    """An expression or a filter that cannot be: says where, what was expected and how to fix it."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem} Fix: {fix}")
        self.problem = problem
        self.fix = fix


class FilterException(Exception):
    """A filter or an action that cannot be evaluated for this message (S-71); named as Service Bus names it, because
    that name is the reason in the dead-letter queue (S-52)."""
