"""Configuration files: the official emulator's Config.json, and Peeklock's own format with many namespaces."""

from __future__ import annotations

from .file import load_namespaces
from .official import parse_config, read_config
from .text import read_text

__all__ = ["load_namespaces", "parse_config", "read_config", "read_text"]
