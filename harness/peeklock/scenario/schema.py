"""The JSON Schema of scenario files, for editors; made from the same models that the loader checks with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from peeklock.scenario.model import CaseHeader, Header
from peeklock.scenario.steps import CaptureArguments, EventuallyArguments
from peeklock.scenario.topology import OpenAI
from peeklock.scenario.vocabulary import VerbSpec, Vocabulary

_TEMPLATE = {"type": "string", "pattern": r"\$\{"}
_TYPED = ("integer", "number", "boolean", "array", "object")


def scenario_schema(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the schema (draft 2020-12) of a scenario file with the given verbs."""
    definitions: dict[str, Any] = {}
    top = _inline(Header, definitions)
    step = {"$ref": "#/$defs/Step"}
    for key in ("background", "finally"):
        top["properties"][key]["items"] = step
    definitions[CaseHeader.__name__]["properties"]["steps"]["items"] = step
    definitions["Step"] = _step(vocabulary, definitions)
    _complete_without_a_base(top, definitions)
    top["$defs"] = definitions
    top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    top["title"] = "Peeklock scenario"
    return top


def _complete_without_a_base(top: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Let a file that extends another one write of a service or a stand-in only what differs: the rest stands there."""
    top["if"] = {"not": {"required": ["extends"]}}
    started = {"if": {"not": {"required": ["image"]}}, "then": {"required": ["run"]}}
    openai = {"properties": {"openai": {"required": definitions[OpenAI.__name__].pop("required")}}}
    top["then"] = {"properties": {"services": {"additionalProperties": started}, "stack": openai}}


def _inline(model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/$defs/{model}", by_alias=True)
    definitions.update(schema.pop("$defs", {}))
    return schema


def _step(vocabulary: Vocabulary, definitions: dict[str, Any]) -> dict[str, Any]:
    eventually = _inline(EventuallyArguments, definitions)
    capture = _inline(CaptureArguments, definitions)
    common: dict[str, Any] = {
        "name": {"type": "string", "description": "what the step is for, for people"},
        "expect": {"description": "what the result must be: values and matchers"},
        "capture": {
            "type": "object",
            "description": "names for parts of the result",
            "additionalProperties": {"anyOf": [{"type": "string"}, capture]},
        },
        "eventually": {
            "anyOf": [eventually["properties"]["within"], eventually],
            "description": "look again until it holds",
        },
    }
    verbs = {name: _verb(verb, definitions) for name, verb in sorted(vocabulary.items())}
    beside_use = {
        "with": {"type": "object", "description": "inputs of the fragment"},
        "outputs": {"type": "array", "items": {"type": "string"}, "description": "names to take from the fragment"},
        "times": _or_template({"type": "integer", "minimum": 1, "description": "run the fragment so often"}),
    }
    return {
        "type": "object",
        "properties": common | verbs | beside_use,
        "additionalProperties": False,
        "oneOf": [{"required": [name]} for name in verbs],
    }


def _verb(verb: VerbSpec, definitions: dict[str, Any]) -> dict[str, Any]:
    if verb.name == "use":
        return {"type": "string", "description": verb.summary}
    if verb.name == "never":
        window = _inline(verb.arguments, definitions)["properties"]["for"]
        return {"type": "object", "description": verb.summary, "properties": {"for": _or_template(window)}}
    inner: dict[str, Any] = {}
    arguments = _tolerant(_inline(verb.arguments, inner))
    definitions.update({name: _tolerant(schema) for name, schema in inner.items()})
    arguments["description"] = verb.summary
    short = [{"type": "string"}] if verb.shorthand("text") != "text" else []
    short += [{"type": "null"}] if verb.shorthand(None) is not None else []
    return {"anyOf": [arguments, *short]} if short else arguments


def _tolerant(schema: Any) -> Any:
    """Let `${…}` stand wherever a value with another type is asked for."""
    if not isinstance(schema, dict):
        return schema
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {key: _or_template(_tolerant(value)) for key, value in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            result[key] = _or_template(_tolerant(schema[key]))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            result[key] = [_tolerant(option) for option in schema[key]]
    return result


def _or_template(schema: dict[str, Any]) -> dict[str, Any]:
    constrained = "pattern" in schema or "enum" in schema or "const" in schema
    if schema.get("type") not in _TYPED and not constrained and "anyOf" not in schema:
        return schema
    description = {"description": schema["description"]} if "description" in schema else {}
    return {"anyOf": [schema, _TEMPLATE], **description}
