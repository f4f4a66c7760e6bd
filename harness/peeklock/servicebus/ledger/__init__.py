"""The ledger: every event of a namespace, in order, and the one form that its entries have everywhere."""

from __future__ import annotations

from .entry import AboutEntity, AboutMessage, AboutSession, Content, Entry, Subject, Told
from .kinds import EventKind
from .ledger import Ledger
from .principal import Principal
from .wire import EntryInvalid, from_json, to_json

__all__ = [
    "AboutEntity",
    "AboutMessage",
    "AboutSession",
    "Content",
    "Entry",
    "EntryInvalid",
    "EventKind",
    "Ledger",
    "Principal",
    "Subject",
    "Told",
    "from_json",
    "to_json",
]
