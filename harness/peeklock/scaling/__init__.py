"""When KEDA would start and end replicas: pure functions of counts and time, and tables made of them."""

from peeklock.scaling.deployment import Decision, State, plan, told
from peeklock.scaling.job import Status, executions, status
from peeklock.scaling.sight import OWNER, all_unseen, unseen

__all__ = ["OWNER", "Decision", "State", "Status", "all_unseen", "executions", "plan", "status", "told", "unseen"]
