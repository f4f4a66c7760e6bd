"""Many users at once, by Locust, which runs in a process of its own: this one never imports gevent, which patches what it finds."""

from __future__ import annotations

from peeklock.load.figures import Figures
from peeklock.load.order import Act, Order
from peeklock.load.swarm import LoadFailed, Swarm, ready_to_load

__all__ = ["Act", "Figures", "LoadFailed", "Order", "Swarm", "ready_to_load"]
