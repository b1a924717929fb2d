"""Descriptions that people write in YAML: reading and checking them; knows no table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from datastore.errors import RequestError

Model = TypeVar("Model", bound=BaseModel)


class _StrictLoader(yaml.SafeLoader):
    """YAML's safe loader that refuses a key given twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of a node."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: the key {key!r} is given twice")
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep)


def read_description(path: Path, model: type[Model], error: type[RequestError]) -> Model:
    """Read a YAML file as a pydantic model.

    Raises
    ------
    RequestError
        Of the class `error`, naming the file and every field that is wrong.
    """
    try:
        with path.open(encoding="utf-8") as file:
            content = yaml.load(file, Loader=_StrictLoader)  # noqa: S506 (a safe loader)
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise error(f"{path} is no YAML: {problem}") from None
    try:
        return model.model_validate(content)
    except ValidationError as problem:
        raise error(f"{path}: {describe_problems(problem)}") from None


def describe_problems(problem: ValidationError) -> str:
    """Return what pydantic found wrong, field by field, on one line."""
    parts = []
    for found in problem.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join(str(part) for part in found["loc"])
        message = found["msg"].removeprefix("Value error, ")
        parts.append(f"{field}: {message}" if field else message)
    return "; ".join(parts)
