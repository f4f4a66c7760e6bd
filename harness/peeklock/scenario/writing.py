"""Scenario files that a program writes: steps a line each, the rest as the owner of a file has written it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

__all__ = ["YAMLError", "editable", "flow", "step", "written"]


def editable(source: str) -> Any:
    """Return the data of a YAML file, comments kept, to be changed and written again."""
    return _yaml().load(source)


def written(document: Any) -> str:
    """Return data as the text of a YAML file."""
    out = io.StringIO()
    _yaml().dump(document, out)
    return out.getvalue()


def step(value: Mapping[str, Any]) -> Any:
    """Return a step with its verb, `eventually` and `expect` in a line each."""
    return CommentedMap({key: flow(child) for key, child in value.items()})


def flow(value: Any) -> Any:
    """Return it written in braces and brackets."""
    if isinstance(value, Mapping):
        made = CommentedMap({key: flow(child) for key, child in value.items()})
        made.fa.set_flow_style()
        return made
    if isinstance(value, list):
        listed = CommentedSeq(map(flow, value))
        listed.fa.set_flow_style()
        return listed
    return value


def _yaml() -> YAML:
    yaml = YAML()
    yaml.composer.warn_double_anchors = False  # YAML allows it
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
