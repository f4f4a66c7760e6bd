"""Postgres through the relay: the wire protocol is read as it goes by, so that commits are seen before and after they are done."""

from __future__ import annotations
