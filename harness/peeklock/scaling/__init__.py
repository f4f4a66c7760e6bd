"""When KEDA would start and end replicas: pure functions of counts and time, and tables made of them."""

from peeklock.scaling.deployment import Decision, State, plan
from peeklock.scaling.job import executions

__all__ = ["Decision", "State", "executions", "plan"]
