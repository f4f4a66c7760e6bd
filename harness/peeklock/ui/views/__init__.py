"""The views of the page, one file each: what it may ask for and have done there."""

from __future__ import annotations

from peeklock.ui.by_hand import ByHand
from peeklock.ui.chosen import Chosen
from peeklock.ui.view import View
from peeklock.ui.views.blobs import Blobs
from peeklock.ui.views.bus import Bus
from peeklock.ui.views.bus_faults import BusFaults
from peeklock.ui.views.cases import Cases
from peeklock.ui.views.clock import EnvironmentClock
from peeklock.ui.views.relay_faults import RelayFaults
from peeklock.ui.views.stack import WarmStack
from peeklock.ui.views.tables import Tables


def every_view(chosen: Chosen, by_hand: ByHand) -> list[View]:
    """Return all of them; those of a project only where there is one."""
    views: list[View] = [Bus(chosen, by_hand), BusFaults(chosen, by_hand)]
    if chosen.root is not None and chosen.scenarios is not None:
        views += [Blobs(chosen), Tables(chosen), EnvironmentClock(chosen, by_hand), RelayFaults(chosen, by_hand)]
        views += [Cases(chosen.scenarios), WarmStack(chosen.root, by_hand)]
    return views
