"""Peeklock: a local-first end-to-end harness for systems on Azure Service Bus."""

from __future__ import annotations
