"""YAML that others have written, as plain data."""

from __future__ import annotations

from typing import Any


def read_yaml(text: str) -> Any:
    """Return a document as plain data. Raises `ruamel.yaml.error.YAMLError`.

    An anchor may be given again, as YAML allows: aliases below mean the later one. ruamel.yaml would warn of it.
    """
    from ruamel.yaml import YAML  # here: it takes 30 ms, which the emulator alone need not pay

    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    return yaml.load(text)
