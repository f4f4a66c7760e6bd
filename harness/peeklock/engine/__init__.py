"""Runs cases and tells what happens as a stream of small frozen events."""

from __future__ import annotations
