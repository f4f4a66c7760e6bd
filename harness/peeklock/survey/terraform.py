"""Reads Terraform: what `azurerm` resources deploy, as far as it is written out or a variable's default."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .azure_resources import Expression, Resource, take
from .draft import Draft

_BLOCK = re.compile(r'^(resource|variable)\s+"([\w-]+)"(?:\s+"([\w-]+)")?\s*\{|^(locals)\s*\{', re.MULTILINE)
_ATTRIBUTE = re.compile(r"^\s*([\w-]+)\s*(=|\{)\s*", re.MULTILINE)
_BUS = "microsoft.servicebus/namespaces"
_TYPES = {
    "azurerm_servicebus_namespace": _BUS,
    "azurerm_servicebus_queue": f"{_BUS}/queues",
    "azurerm_servicebus_topic": f"{_BUS}/topics",
    "azurerm_servicebus_subscription": f"{_BUS}/topics/subscriptions",
    "azurerm_servicebus_subscription_rule": f"{_BUS}/topics/subscriptions/rules",
    "azurerm_servicebus_queue_authorization_rule": f"{_BUS}/queues/authorizationrules",
    "azurerm_storage_account": "microsoft.storage/storageaccounts",
    "azurerm_storage_container": "microsoft.storage/storageaccounts/blobservices/containers",
    "azurerm_postgresql_flexible_server": "microsoft.dbforpostgresql/flexibleservers",
}
_RENAMED = {"default_message_ttl": "defaultMessageTimeToLive"}
_MEANINGLESS = re.compile(
    r"name|for_each|count|depends_on|lifecycle|tags|provider|.*_id|namespace_name|resource_group_name|storage_account_name|"
    r".*partitioning.*|.*batched_operations.*|max_size_in_megabytes|.*express.*|container_access_type|filter_type|"
    r"correlation_filter|sql_filter|action"
)


def read_terraform(path: Path, draft: Draft) -> None:
    """Add what the Terraform files of a folder deploy; `path` is any of them."""
    files = sorted(path.parent.glob("*.tf"))
    draft.sources += [each for each in files if each not in draft.sources]
    texts = {
        each: re.sub(r"^\s*(#|//).*$", "", each.read_text("utf-8", "replace"), flags=re.MULTILINE) for each in files
    }
    names: dict[str, Any] = {}
    for text in texts.values():
        for _, kind, label, body in _blocks(text):
            if kind == "locals":
                names |= {f"local.{key}": value for key, value in _attributes(body, {}).items()}
            elif kind == "variable":
                names[f"var.{label}"] = _attributes(body, {}).get("default")
    take([each for file, text in texts.items() for each in _resources(text, draft.near(file), names, texts)], draft)


def _blocks(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield line, kind (the type of a resource), name and body of each block."""
    for match in _BLOCK.finditer(text):
        body = _inside(text, match.end() - 1)
        word, first, second = match[1] or match[4], match[2] or "", match[3] or ""
        line = text.count("\n", 0, match.start()) + 1
        yield (line, first, second, body) if word == "resource" else (line, word, first, body)


def _inside(text: str, start: int) -> str:
    """Return what stands between the bracket at `start` and its counterpart."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[start + 1 : at]
    return text[start + 1 :]


def _attributes(body: str, names: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    while (match := _ATTRIBUTE.search(body, at)) is not None:
        if match[2] == "{":
            inner = _inside(body, match.end() - len(match.group()) + match.group().index("{"))
            found[match[1]] = _attributes(inner, names)
            at = match.end() + len(inner)
            continue
        end = _end(body, match.end())
        found[match[1]] = _value(body[match.end() : end].strip().rstrip(","), names)
        at = end
    return found


def _end(body: str, start: int) -> int:
    depth = 0
    for at in range(start, len(body)):
        depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(body[at], 0)
        if body[at] == "\n" and depth <= 0:
            return at
    return len(body)


def _value(text: str, names: Mapping[str, Any]) -> Any:
    if text.startswith("toset("):
        return _value(_inside(text, text.index("(")).strip(), names)
    if text.startswith("["):
        return [_value(part.strip(), names) for part in _inside(text, 0).split(",") if part.strip()]
    if text.startswith("{"):
        return _attributes(_inside(text, 0).replace(",", "\n"), names)
    if re.fullmatch(r'"[^"]*"', text):
        return re.sub(r"\$\{([^}]*)\}", lambda match: _named(match[1].strip(), names), text[1:-1])
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if text in ("true", "false"):
        return text == "true"
    return names.get(text) if names.get(text) is not None else Expression(text)


def _named(name: str, names: Mapping[str, Any]) -> str:
    return str(names[name]) if names.get(name) is not None else "*"


def _resources(text: str, place: str, names: Mapping[str, Any], texts: Mapping[Path, str]) -> Iterator[Resource]:
    for line, kind, _, body in _blocks(text):
        if kind not in _TYPES:
            continue
        each = _attributes(body, names).get("for_each")
        items = (
            list(each.items())
            if isinstance(each, dict)
            else [(item, item) for item in each]
            if isinstance(each, list)
            else [("*", "*")]
        )
        for key, value in items:
            inner = {**names, "each.key": key, "each.value": value}
            if isinstance(value, dict):
                inner |= {f"each.value.{name}": part for name, part in value.items()}
            found = _attributes(body, inner)
            name = found.get("name", "*")
            parents = _parents(found.get("subscription_id") or found.get("topic_id"), texts, names)
            properties = {_arm(name): part for name, part in found.items() if not _MEANINGLESS.fullmatch(name)}
            if kind.endswith("_rule"):
                properties |= _filter(found)
            yield Resource(
                _TYPES[kind], "*" if isinstance(name, Expression) else str(name), properties, f"{place}:{line}", parents
            )


def _arm(name: str) -> str:
    first, *rest = name.removesuffix("_enabled").split("_")
    return _RENAMED.get(name, first + "".join(part.capitalize() for part in rest))


def _filter(found: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(correlation := found.get("correlation_filter"), dict):
        return {"correlationFilter": {_arm(key): value for key, value in correlation.items()}}
    return {"sqlFilter": {"sqlExpression": found.get("sql_filter", "1=1")}}


def _parents(reference: Any, texts: Mapping[Path, str], names: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of what a resource stands in, by the reference to it."""
    found = re.match(r"(azurerm_\w+)\.([\w-]+)", str(reference or ""))
    if found is None:
        return ()
    for text in texts.values():
        for _, kind, label, body in _blocks(text):
            if (kind, label) == found.groups():
                own = _attributes(body, names)
                name = own.get("name", "*")
                return (
                    *_parents(own.get("topic_id"), texts, names),
                    "*" if isinstance(name, Expression) else str(name),
                )
    return ()
