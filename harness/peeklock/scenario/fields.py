"""What every part of a scenario file is made of: strict models, paths that exist, functions of the user's."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo


class Model(BaseModel):
    """The base of everything that is written in a scenario file: unknown keys are errors, values keep their types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


Times = Annotated[int, Field(ge=1, le=100_000)] | Annotated[list[Any], Field(min_length=1, max_length=100_000)]
"""How often, or once for each item of a list."""


def _existing(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    folder = getattr(value, "folder", None) or (info.context or {}).get("folder")
    path = Path(value) if folder is None else (Path(folder) / value).resolve()
    if folder is not None and "${" not in value and not path.exists():
        raise ValueError(f"no such file or folder: {path}")
    return path


FilePath = Annotated[Path, BeforeValidator(_existing, json_schema_input_type=str)]
"""A path that exists, written relative to the file that names it and made absolute by the validation context's `folder`."""


def _function(value: Any, info: ValidationInfo) -> Any:
    folder = getattr(value, "folder", None) or (info.context or {}).get("folder")
    if not isinstance(value, str) or folder is None:
        return value
    if not re.fullmatch(r"[\w./-]+:\w+", value):
        raise ValueError(f"which function? {value!r} is not file:function, as in answers:look")
    module, _, function = value.rpartition(":")
    name = module if module.endswith(".py") else f"{module.replace('.', '/')}.py"
    file = (Path(folder) / name).resolve()
    if not file.is_file():
        raise ValueError(f"no such file or folder: {file}")
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{file.name} cannot be loaded: {error}") from None
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    imported = {
        (each.asname or each.name) for node in tree.body if isinstance(node, ast.ImportFrom) for each in node.names
    }
    assigned = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if function not in {*defined, *imported, *assigned, *({function} if "*" in imported else ())}:
        raise ValueError(f"{file.name} has no function {function}; it has {', '.join(defined) or 'none'}")
    return f"{file}:{function}"


FunctionName = Annotated[str, BeforeValidator(_function, json_schema_input_type=str)]
"""`answers:look` is look() in answers.py beside the file that names it; becomes the whole path of the file, `:` and the name."""
